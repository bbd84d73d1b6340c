//! What is declared: apply and diff.

use std::fs;

use fleetgate_tests::{command::Output, fleet};
use serde_json::{Value, json};

use super::{cluster, created, get};

/// Applies `object` with more `options`.
pub(super) async fn apply(options: &str, object: &Value) -> Output {
    let call = fleet().host().call(&format!("apply -f - {options}"));
    call.stdin(object.to_string()).output().await
}

/// Applies `object` with more `options`, and returns what kubectl says of it.
pub(super) async fn applied(options: &str, object: &Value) -> String {
    let output = apply(options, object).await;
    assert!(output.status.success(), "{output:#?}");
    output.stdout.trim().to_owned()
}

/// Removes what an earlier run has left.
pub(super) async fn absent(name: &str) {
    let host = fleet().host();
    host.ok(&format!("delete cluster {name} --ignore-not-found"))
        .await;
}

#[tokio::test]
async fn apply_creates_configures_and_leaves_alone() {
    let name = "api-applied";
    absent(name).await;
    let mut object = cluster(name);
    let id = format!("cluster.cluster.karmada.io/{name}");
    assert_eq!(applied("", &object).await, format!("{id} created"));
    assert_eq!(applied("", &object).await, format!("{id} unchanged"));
    object["spec"]["provider"] = json!("tin");
    assert_eq!(applied("", &object).await, format!("{id} configured"));
    let there = get(&fleet().host(), name).await;
    assert_eq!(there["spec"]["provider"], "tin");
    assert_eq!(there["metadata"]["generation"], 2);
    // What was filled in stays, what is named no more goes.
    object["spec"].as_object_mut().unwrap().remove("region");
    assert_eq!(applied("", &object).await, format!("{id} configured"));
    let there = get(&fleet().host(), name).await;
    assert_eq!(there["spec"]["region"], Value::Null);
    assert_eq!(there["spec"]["resourceModels"].as_array().unwrap().len(), 9);
    absent(name).await;
}

#[tokio::test]
async fn a_dry_run_of_apply_changes_nothing() {
    let name = "api-apply-dry";
    let host = created(name).await;
    let before = get(&host, name).await;
    let mut object = cluster(name);
    object["spec"]["region"] = json!("south");
    let said = applied("--dry-run=server", &object).await;
    assert!(said.ends_with("configured (server dry run)"), "{said}");
    assert_eq!(get(&host, name).await, before);
    absent(name).await;
}

#[tokio::test]
async fn diff_shows_what_apply_would_change() {
    let name = "api-diffed";
    absent(name).await;
    let mut object = cluster(name);
    applied("", &object).await;
    let host = fleet().host();
    let diff = |object: &Value| host.call("diff -f -").stdin(object.to_string());
    assert_eq!(diff(&object).ok().await, "");
    object["spec"]["region"] = json!("south");
    let output = diff(&object).output().await;
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    assert!(
        output.stdout.contains("\n-  region: north\n"),
        "{output:#?}"
    );
    assert!(
        output.stdout.contains("\n+  region: south\n"),
        "{output:#?}"
    );
    assert_eq!(get(&host, name).await["spec"]["region"], "north");
    absent(name).await;
}

#[tokio::test]
async fn several_clusters_of_one_file_are_applied() {
    let names = ["api-several-1", "api-several-2"];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clusters.yaml");
    for name in names {
        absent(name).await;
    }
    // JSON is YAML.
    fs::write(
        &file,
        names.map(|name| cluster(name).to_string()).join("\n---\n"),
    )
    .unwrap();
    let host = fleet().host();
    let call = |words: &str| host.call(words).arg("-f").arg(&file);
    let said = call("apply").ok().await;
    let each = |done: &str| names.map(|name| format!("cluster.cluster.karmada.io/{name} {done}\n"));
    assert_eq!(said, each("created").concat());
    assert_eq!(call("get -o name").ok().await.lines().count(), 2);
    call("delete").ok().await;
}
