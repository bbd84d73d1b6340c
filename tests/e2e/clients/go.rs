//! client-go: every verb, controllers that count in one status, and server-side apply. Through the
//! host, as controllers go.

use fleetgate_tests::{CLUSTERS, clients::Client, fleet};
use serde_json::{Value, json};

use super::{cluster, kubeconfig};

/// Runs the Go client with `words` at the host, and returns the line that it prints.
async fn run(test: &str, words: &str) -> Option<Value> {
    let go = Client::Go.needed_by(test, kubeconfig(&fleet().host_url));
    let printed = go.await?.words(words).ok().await;
    Some(serde_json::from_str(&printed).expect(&printed))
}

#[tokio::test]
async fn the_dynamic_client_goes_through_every_verb() {
    let selected = format!("{CLUSTERS}?labelSelector=crud%3Dgo-crud");
    let host = fleet().at_host(&fleet().admin());
    host.delete(&selected).await.expect(200);
    let Some(line) = run("client-go CRUD", "crud go-crud").await else {
        return;
    };
    assert_eq!(line, json!({"done": true}));
    let left = host.get(&selected).await.expect(200).json();
    assert_eq!(left["items"], json!([]));
}

#[tokio::test]
async fn controllers_that_count_in_one_status_lose_no_count() {
    const WORKERS: usize = 4;
    const ROUNDS: usize = 15;
    let (host, path) = (
        fleet().at_host(&fleet().admin()),
        format!("{CLUSTERS}/go-status"),
    );
    host.delete(&path).await;
    let before = host.post(CLUSTERS, &cluster("go-status", "go", 0)).await;
    let before = before.expect(201).json();
    let words = format!("status go-status {WORKERS} {ROUNDS}");
    let Some(line) = run("client-go status updates", &words).await else {
        return;
    };
    // That they met is what makes the test one.
    assert!(line["conflicts"].as_u64().unwrap() > 0, "{line}");
    let after = host.get(&path).await.expect(200).json();
    assert_eq!(after["status"]["nodeSummary"]["totalNum"], WORKERS * ROUNDS);
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["generation"], 1);
    host.delete(&path).await.expect(200);
}

#[tokio::test]
async fn appliers_share_a_cluster_and_take_from_each_other_by_force() {
    let (host, path) = (
        fleet().at_host(&fleet().admin()),
        format!("{CLUSTERS}/go-apply"),
    );
    host.delete(&path).await;
    let Some(line) = run("client-go server-side apply", "apply go-apply").await else {
        return;
    };
    let managers = json!({"one": "Apply ", "two": "Apply ", "agent": "Apply status"});
    assert_eq!(line, json!({"managers": managers}));
    host.delete(&path).await.expect(200);
}
