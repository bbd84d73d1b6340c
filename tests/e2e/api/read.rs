//! What is shown: tables, columns, paths, pages, watches.

use std::time::Duration;

use fleetgate_tests::{
    CLUSTERS, Kubectl, fleet,
    server::{Server, ServerSpec},
};
use http::Method;
use serde_json::{Value, json};

use super::cluster;

const SOON: Duration = Duration::from_secs(60);

/// A server with three clusters, the second ready, and kubectl at it.
async fn three() -> (Server, Kubectl) {
    let server = ServerSpec::default().start().await;
    for number in 1..=3 {
        let mut object = cluster(&format!("shown-{number}"));
        object["metadata"]["labels"] = json!({"number": number.to_string()});
        object["spec"]["zones"] = json!(["z1", "z2"]);
        object["spec"]["provider"] = json!(["tin", "lead", "zinc"][number - 1]);
        server.change(Method::POST, CLUSTERS, &object).await;
    }
    let status = json!({"status": {"kubernetesVersion": "v1.36.3", "conditions": [{
        "type": "Ready", "status": "True", "reason": "Told", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]}});
    let path = format!("{CLUSTERS}/shown-2/status");
    server.change(Method::PATCH, &path, &status).await;
    let kubectl = fleet().admin().kubectl(&server.url());
    (server, kubectl)
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[tokio::test]
async fn tables_have_karmadas_columns() {
    let (_server, kubectl) = three().await;
    let table = kubectl.ok("get clusters").await;
    let lines: Vec<Vec<&str>> = table.lines().map(words).collect();
    assert_eq!(lines[0], ["NAME", "VERSION", "MODE", "READY", "AGE"]);
    assert_eq!(lines[1][..3], ["shown-1", "Push", "Unknown"]);
    assert_eq!(lines[2][..4], ["shown-2", "v1.36.3", "Push", "True"]);
    let wide = kubectl.ok("get clusters -o wide").await;
    let lines: Vec<Vec<&str>> = wide.lines().map(words).collect();
    let more = ["ZONES", "REGION", "PROVIDER", "API-ENDPOINT", "PROXY-URL"];
    assert_eq!(lines[0][5..], more);
    let of_two = ["z1,z2", "north", "lead", "https://10.0.0.1:6443", "<none>"];
    assert_eq!(lines[2][5..], of_two);
    let labelled = kubectl
        .ok("get cluster shown-3 --no-headers --label-columns=number --show-labels")
        .await;
    assert_eq!(words(&labelled)[4..], ["3", "number=3"], "{labelled}");
}

#[tokio::test]
async fn columns_and_paths_are_chosen() {
    let (_server, kubectl) = three().await;
    let columns = "get clusters -o custom-columns=WHO:.metadata.name,WHERE:.spec.zones[1]";
    let table = kubectl.ok(columns).await;
    let lines: Vec<Vec<&str>> = table.lines().map(words).collect();
    assert_eq!(lines[0], ["WHO", "WHERE"]);
    assert_eq!(lines[3], ["shown-3", "z2"]);
    let path = "get clusters -o jsonpath={.items[*].spec.provider} --sort-by=.spec.provider";
    assert_eq!(kubectl.ok(path).await, "lead tin zinc");
    let ready = "get clusters -o jsonpath={.items[?(@.status.kubernetesVersion==\"v1.36.3\")].metadata.name}";
    assert_eq!(kubectl.ok(ready).await, "shown-2");
    let template = "get cluster shown-1 -o go-template={{.spec.region}}";
    assert_eq!(kubectl.ok(template).await, "north");
}

#[tokio::test]
async fn yaml_and_json_show_the_same() {
    let (_server, kubectl) = three().await;
    let json = kubectl.json("get cluster shown-2 -o json").await;
    let yaml = kubectl.ok("get cluster shown-2 -o yaml").await;
    // What is read back from YAML is what stands there already.
    let said = kubectl
        .call("replace --validate=false -f -")
        .stdin(yaml)
        .ok()
        .await;
    assert_eq!(said, "cluster.cluster.karmada.io/shown-2 replaced\n");
    assert_eq!(kubectl.json("get cluster shown-2 -o json").await, json);
    assert_eq!(json["metadata"]["managedFields"], Value::Null);
    let all = kubectl.json("get cluster shown-2 -o json --show-managed-fields");
    assert!(all.await["metadata"]["managedFields"].is_array());
}

#[tokio::test]
async fn selectors_choose_among_them() {
    let (_server, kubectl) = three().await;
    let names = async |selector: &str| {
        let names = kubectl
            .call("get clusters -o name")
            .arg(selector)
            .ok()
            .await;
        names
            .replace("cluster.cluster.karmada.io/shown-", "")
            .replace('\n', "")
    };
    assert_eq!(names("--selector=number in (1,3)").await, "13");
    assert_eq!(names("--selector=number!=2,number").await, "13");
    assert_eq!(names("--field-selector=metadata.name=shown-2").await, "2");
    let refused = kubectl
        .fails("get clusters --field-selector=spec.region=north")
        .await;
    let want = "\"spec.region\" is not a known field selector";
    assert!(refused.contains(want), "{refused}");
}

#[tokio::test]
async fn chunks_come_one_after_the_other() {
    let (_server, kubectl) = three().await;
    let output = kubectl
        .call("get clusters --chunk-size=2 -o name -v=8")
        .output()
        .await;
    assert_eq!(output.stdout.lines().count(), 3, "{output:#?}");
    let asked = |part: &str| output.stderr.lines().any(|line| line.contains(part));
    assert!(asked("clusters?limit=2\""), "{}", output.stderr);
    assert!(asked("clusters?continue="), "{}", output.stderr);
}

#[tokio::test]
async fn a_watched_table_gets_a_row_for_each_change() {
    let (server, kubectl) = three().await;
    let mut watch = kubectl.call("get clusters --watch").start();
    let header = watch.line(SOON).await;
    assert_eq!(words(&header), ["NAME", "VERSION", "MODE", "READY", "AGE"]);
    watch.line_with(SOON, "shown-3").await;
    let path = format!("{CLUSTERS}/shown-3");
    let pull = json!({"spec": {"syncMode": "Pull"}});
    server.change(Method::PATCH, &path, &pull).await;
    let row = watch.line(SOON).await;
    assert_eq!(words(&row)[..3], ["shown-3", "Pull", "Unknown"]);
    let mut later = kubectl.call("get clusters --watch-only -o name").start();
    let made = cluster("shown-4");
    // The second watch may begin after this; it is repeated until it is seen.
    server.change(Method::POST, CLUSTERS, &made).await;
    assert_eq!(words(&watch.line(SOON).await)[0], "shown-4");
    let mut number = 0;
    let seen = loop {
        let label = json!({"metadata": {"labels": {"number": number.to_string()}}});
        server.change(Method::PATCH, &path, &label).await;
        number += 1;
        if let Ok(line) = tokio::time::timeout(Duration::from_secs(1), later.line(SOON)).await {
            break line;
        }
    };
    assert!(
        seen.starts_with("cluster.cluster.karmada.io/shown-"),
        "{seen}"
    );
}
