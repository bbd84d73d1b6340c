//! The server as the host sees it.

use std::time::Duration;

use fleetgate_tests::{
    fleet,
    wait::{SOON, check, until},
};
use serde_json::Value;
use tokio::time::Instant;

const API_SERVICE: &str = "v1alpha1.cluster.karmada.io";

#[tokio::test]
async fn the_apiservice_is_available() {
    let host = fleet().host();
    let wait = format!("wait --for=condition=Available apiservice/{API_SERVICE} --timeout=60s");
    host.ok(&wait).await;
    let table = host.ok(&format!("get apiservice {API_SERVICE}")).await;
    let service = "karmada-system/karmada-aggregated-apiserver";
    let row = table.lines().last().unwrap();
    assert_eq!(
        row.split_whitespace().take(3).collect::<Vec<_>>(),
        [API_SERVICE, service, "True"],
        "{table}"
    );
}

/// The host merges the documents of all servers behind it into its own, and leaves out those that
/// it cannot read.
#[tokio::test]
async fn the_host_merges_the_openapi_documents_into_its_own() {
    let host = fleet().host();
    let cluster = "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.Cluster";
    let document = async || -> Result<Value, String> {
        let text = host.ok("get --raw /openapi/v2").await;
        let document: Value = serde_json::from_str(&text).unwrap();
        let is_there = document["definitions"][cluster].is_object();
        check(is_there, || format!("no {cluster}")).map(|()| document)
    };
    let (merged, _) = until("the host's document", SOON, document).await;
    let read = &merged["paths"]["/apis/cluster.karmada.io/v1alpha1/clusters/{name}"]["get"];
    assert_eq!(read["operationId"], "readClusterKarmadaIoV1alpha1Cluster");
    let index = host.ok("get --raw /openapi/v3").await;
    let index: Value = serde_json::from_str(&index).unwrap();
    let entry = &index["paths"]["apis/cluster.karmada.io/v1alpha1"];
    let url = entry["serverRelativeURL"].as_str().unwrap();
    let group = host.call("get --raw").arg(url).ok().await;
    let group: Value = serde_json::from_str(&group).unwrap();
    assert!(group["components"]["schemas"][cluster].is_object());
    let explained = host
        .ok("explain clusters.spec.syncMode --output=plaintext-openapiv2")
        .await;
    assert!(
        explained.contains("FIELD:    syncMode <string>"),
        "{explained}"
    );
}

/// The host looks at the server every 30 s; none of its looks may fail.
#[tokio::test]
async fn the_apiservice_stays_available_for_two_minutes() {
    const IDLE: Duration = Duration::from_secs(120);
    let host = fleet().host();
    let condition = "{.status.conditions[?(@.type==\"Available\")]";
    let print =
        format!("jsonpath={condition}.status}} {condition}.lastTransitionTime}}{{\"\\n\"}}");
    let watch = || host.call("get apiservice --watch --output").arg(&print);
    let mut changes = watch().arg(API_SERVICE).start();
    let first = changes.line(Duration::from_secs(30)).await;
    assert!(first.starts_with("True "), "{first}");
    let end = Instant::now() + IDLE;
    while let Ok(line) = tokio::time::timeout_at(end, changes.line(2 * IDLE)).await {
        assert_eq!(line, first, "the APIService's condition has changed");
    }
    let now = host
        .call("get apiservice --output")
        .arg(&print)
        .arg(API_SERVICE)
        .ok()
        .await;
    assert_eq!(now.trim(), first, "after two minutes");
}
