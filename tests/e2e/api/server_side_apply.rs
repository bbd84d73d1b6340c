//! Fields that have owners: apply --server-side.

use fleetgate_tests::fleet;
use serde_json::{Value, json};

use super::{
    apply::{absent, applied, apply},
    cluster,
};

/// Which manager owns the field below `spec`, by apply or otherwise.
fn owners<'a>(object: &'a Value, field: &str) -> Vec<&'a str> {
    let field = format!("f:{field}");
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let owns = |entry: &&Value| entry["fieldsV1"]["f:spec"].get(&field).is_some();
    let owners = entries.iter().filter(owns);
    owners
        .map(|entry| entry["manager"].as_str().unwrap())
        .collect()
}

async fn with_managed_fields(name: &str) -> Value {
    let host = fleet().host();
    host.json(&format!("get cluster {name} -o json --show-managed-fields"))
        .await
}

#[tokio::test]
async fn server_side_apply_tells_conflicts_and_can_be_forced() {
    let name = "api-ssa-conflict";
    absent(name).await;
    let mut object = cluster(name);
    let said = applied("--server-side --field-manager=one", &object).await;
    let id = format!("cluster.cluster.karmada.io/{name}");
    assert_eq!(said, format!("{id} serverside-applied"));
    let first = with_managed_fields(name).await;
    assert_eq!(owners(&first, "region"), ["one"]);
    object["spec"]["region"] = json!("south");
    let refused = apply("--server-side --field-manager=two", &object).await;
    let want = "Apply failed with 1 conflict: conflict with \"one\": .spec.region";
    assert!(refused.stderr.contains(want), "{refused:#?}");
    assert!(refused.stderr.contains("--force-conflicts"), "{refused:#?}");
    assert_eq!(with_managed_fields(name).await, first);
    applied(
        "--server-side --field-manager=two --force-conflicts",
        &object,
    )
    .await;
    let forced = with_managed_fields(name).await;
    assert_eq!(forced["spec"]["region"], "south");
    assert_eq!(owners(&forced, "region"), ["two"]);
    assert_eq!(owners(&forced, "syncMode"), ["one", "two"]);
    absent(name).await;
}

#[tokio::test]
async fn server_side_apply_removes_what_it_names_no_more_and_nobody_else_owns() {
    let name = "api-ssa-removes";
    absent(name).await;
    let mut object = cluster(name);
    object["spec"]["provider"] = json!("tin");
    applied("--server-side --field-manager=one", &object).await;
    let mut shared = cluster(name);
    shared["spec"] = json!({"syncMode": "Push", "region": "north"});
    applied("--server-side --field-manager=two", &shared).await;
    object["spec"] = json!({"syncMode": "Push"});
    applied("--server-side --field-manager=one", &object).await;
    let there = with_managed_fields(name).await;
    assert_eq!(there["spec"]["provider"], Value::Null);
    assert_eq!(there["spec"]["apiEndpoint"], Value::Null);
    assert_eq!(there["spec"]["region"], "north");
    assert_eq!(owners(&there, "region"), ["two"]);
    let again = with_managed_fields(name).await;
    applied("--server-side --field-manager=one", &object).await;
    assert_eq!(with_managed_fields(name).await, again);
    absent(name).await;
}

/// kubectl hands over what it owns by client-side apply: it rewrites managedFields by a JSON patch.
#[tokio::test]
async fn server_side_apply_takes_over_from_client_side_apply() {
    let name = "api-ssa-migrates";
    absent(name).await;
    let mut object = cluster(name);
    applied("", &object).await;
    let before = with_managed_fields(name).await;
    assert_eq!(owners(&before, "region"), ["kubectl-client-side-apply"]);
    object["spec"]["region"] = json!("south");
    applied("--server-side", &object).await;
    let after = with_managed_fields(name).await;
    assert_eq!(owners(&after, "region"), ["kubectl"]);
    // What it owned alone and names no more goes, as if it had always applied on the server's side.
    object["spec"].as_object_mut().unwrap().remove("region");
    applied("--server-side", &object).await;
    let last = with_managed_fields(name).await;
    assert_eq!(last["spec"]["region"], Value::Null);
    absent(name).await;
}

#[tokio::test]
async fn server_side_diff_shows_what_would_be_applied() {
    let name = "api-ssa-diffed";
    absent(name).await;
    let mut object = cluster(name);
    applied("--server-side", &object).await;
    object["spec"]["region"] = json!("south");
    let host = fleet().host();
    let diff = host
        .call("diff --server-side -f -")
        .stdin(object.to_string());
    let output = diff.output().await;
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    assert!(
        output.stdout.contains("\n+  region: south\n"),
        "{output:#?}"
    );
    absent(name).await;
}
