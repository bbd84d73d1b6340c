//! The store of the server itself falls silent: what goes to members goes on, and who asks for Clusters
//! is told.

use std::time::Duration;

use fleetgate_tests::{
    CLUSTERS,
    etcd::Etcd,
    http::Reply,
    load::{Load, Pace},
    member::Member,
    proxy_path,
    registration::Registration,
    server::ServerSpec,
    wait::{SOON, check, until},
};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::timeout;

use super::{assert_refused, registration};

/// Longer than the server waits for its store, and well within a minute, after which hosts give up.
const IN_TIME: Duration = Duration::from_secs(40);
/// So many answers more show that requests go on.
const ENOUGH: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxied_requests_go_on_while_the_servers_own_etcd_is_frozen() {
    let (etcd, member) = (Etcd::start().await, Member::new(1).await);
    let spec = ServerSpec::default().etcd(&etcd.url(), "/registry");
    let server = spec.start().await;
    let cluster = registration("faults-store", &member, member.url());
    server.join(&cluster).await;
    let [old, new] = ["faults-store-old", "faults-store-new"].map(|name| {
        let other = Registration::new(name, member.url());
        (format!("{CLUSTERS}/{name}"), other.cluster())
    });
    server.change(Method::POST, CLUSTERS, &old.1).await;
    let paths = ["/version", "/api/v1/namespaces/default"];
    let paths = paths.map(|path| proxy_path(&cluster.name) + path);
    let load = Load::paced(&server.admin(), 10, &paths, Pace::PerSecond(100));
    load.go_on(ENOUGH).await;

    etcd.freeze();
    let admin = server.admin();
    let own = format!("{CLUSTERS}/{}", cluster.name);
    let label = json!({"metadata": {"labels": {"frozen": "no"}}});
    let nothing = json!({});
    let answers = async {
        tokio::join!(
            admin.send(Method::POST, CLUSTERS, &new.1),
            admin.send(Method::PATCH, &own, &label),
            admin.send(Method::DELETE, &old.0, &nothing),
            admin.get(&own),
            admin.get(CLUSTERS),
            load.go_on(ENOUGH),
        )
    };
    let answers = timeout(IN_TIME, Box::pin(answers))
        .await
        .expect("answers in time");
    let (made, changed, deleted, got, listed, ()) = answers;
    for answer in [made, changed, deleted, got, listed] {
        assert_told(&answer.unwrap());
    }
    let known = admin.get(&format!("{own}?resourceVersion=0")).await;
    assert_eq!(known.unwrap().json()["metadata"]["name"], *cluster.name);
    load.go_on(ENOUGH).await;

    etcd.thaw();
    until("clusters can be written again", SOON, async || {
        let reply = admin.send(Method::PATCH, &own, &label).await.unwrap();
        check(reply.status == StatusCode::OK, || reply.to_string())
    })
    .await;
    let outcome = load.end().await;
    assert_eq!(outcome.failures, Vec::<String>::new());
    cluster.remove().await;
}

/// Panics unless `reply` says that the store does not answer, or did not say what became of a write.
#[track_caller]
fn assert_told(reply: &Reply) {
    match reply.status {
        StatusCode::GATEWAY_TIMEOUT => {
            let message = "Timeout: it is not known whether the store committed the write";
            assert_refused(reply, 504, "Timeout", message);
        }
        _ => assert_refused(
            reply,
            503,
            "ServiceUnavailable",
            "the store is not available",
        ),
    }
}
