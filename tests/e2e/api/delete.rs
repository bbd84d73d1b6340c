//! What is waited for and removed: wait, delete --cascade, delete --all.

use fleetgate_tests::{CLUSTERS, Kubectl, fleet, server::ServerSpec};
use http::Method;
use serde_json::{Value, json};

use super::{cluster, created, get};

/// Gives the cluster a condition Ready with this status.
async fn set_ready(host: &Kubectl, name: &str, status: &str) {
    let patch = json!({"status": {"conditions": [{
        "type": "Ready", "status": status, "reason": "Told", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]}});
    host.call(&format!(
        "patch cluster {name} --type=merge --subresource=status --patch"
    ))
    .arg(patch.to_string())
    .ok()
    .await;
}

#[tokio::test]
async fn wait_ends_when_the_cluster_is_ready() {
    let name = "api-awaited";
    let host = created(name).await;
    let soon = format!("wait --for=condition=Ready cluster/{name} --timeout=1s");
    let refused = host.fails(&soon).await;
    assert!(
        refused.contains("timed out waiting for the condition"),
        "{refused}"
    );
    set_ready(&host, name, "False").await;
    let waiting = host
        .call(&format!(
            "wait --for=condition=Ready cluster/{name} --timeout=60s"
        ))
        .start();
    set_ready(&host, name, "True").await;
    let output = waiting.finish().await;
    let want = format!("cluster.cluster.karmada.io/{name} condition met");
    assert_eq!(output.stdout.trim(), want, "{output:#?}");
    let region = "wait --for=jsonpath={.spec.region}=north --timeout=60s cluster";
    host.ok(&format!("{region} {name}")).await;
    host.ok(&format!("delete cluster {name}")).await;
}

/// What becomes of a cluster that is deleted in this way while nobody collects garbage.
async fn finalizers_of_deletion(name: &str, cascade: &str) -> Value {
    let host = created(name).await;
    host.ok(&format!(
        "delete cluster {name} --cascade={cascade} --wait=false"
    ))
    .await;
    let left = get(&host, name).await;
    assert!(left["metadata"]["deletionTimestamp"].is_string(), "{left}");
    assert_eq!(left["metadata"]["deletionGracePeriodSeconds"], 0, "{left}");
    // The collector's part: when it is done, it takes its finalizer away.
    let waiting = host
        .call(&format!("wait --for=delete cluster/{name} --timeout=60s"))
        .start();
    host.call(&format!("patch cluster {name} --type=merge --patch"))
        .arg(r#"{"metadata":{"finalizers":null}}"#)
        .ok()
        .await;
    let output = waiting.finish().await;
    assert!(output.status.success(), "{output:#?}");
    left["metadata"]["finalizers"].clone()
}

#[tokio::test]
async fn delete_in_the_background_is_done_at_once() {
    let name = "api-deleted-background";
    let host = created(name).await;
    host.ok(&format!("delete cluster {name} --cascade=background"))
        .await;
    host.fails(&format!("get cluster {name}")).await;
}

#[tokio::test]
async fn delete_in_the_foreground_waits_for_what_depends() {
    let finalizers = finalizers_of_deletion("api-deleted-foreground", "foreground").await;
    assert_eq!(finalizers, json!(["foregroundDeletion"]));
}

#[tokio::test]
async fn delete_that_orphans_waits_until_dependents_are_free() {
    let finalizers = finalizers_of_deletion("api-deleted-orphan", "orphan").await;
    assert_eq!(finalizers, json!(["orphan"]));
}

#[tokio::test]
async fn a_dry_run_of_delete_removes_nothing() {
    let name = "api-deleted-dry";
    let host = created(name).await;
    let said = host
        .ok(&format!("delete cluster {name} --dry-run=server"))
        .await;
    assert!(said.contains("deleted (server dry run)"), "{said}");
    host.ok(&format!("get cluster {name}")).await;
    host.ok(&format!("delete cluster {name} --now")).await;
}

#[tokio::test]
async fn delete_takes_those_that_a_selector_names() {
    let server = ServerSpec::default().start().await;
    let kubectl = fleet().admin().kubectl(&server.url());
    for (number, metal) in (1..).zip(["tin", "tin", "zinc"]) {
        let mut object = cluster(&format!("deleted-{number}"));
        object["metadata"]["labels"] = json!({"metal": metal});
        server.change(Method::POST, CLUSTERS, &object).await;
    }
    let left = async || kubectl.ok("get clusters -o name").await;
    kubectl
        .ok("delete clusters --selector=metal=tin --field-selector=metadata.name!=deleted-2")
        .await;
    let two = "cluster.cluster.karmada.io/deleted-2\ncluster.cluster.karmada.io/deleted-3\n";
    assert_eq!(left().await, two);
    kubectl
        .ok("delete clusters --field-selector=metadata.name!=deleted-3")
        .await;
    assert_eq!(left().await, "cluster.cluster.karmada.io/deleted-3\n");
    kubectl.ok("delete clusters --all").await;
    assert_eq!(left().await, "");
}
