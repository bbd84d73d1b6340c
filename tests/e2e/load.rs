//! Many clients for a while: no error, and hardly a TLS handshake at the member.

use std::time::Duration;

use fleetgate_tests::{
    load::Load, member::Member, proxy_path, registration::Registration, relay::Relay,
    server::ServerSpec,
};

const CLIENTS: usize = 40;
const WHILE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_clients_for_half_a_minute_see_no_error_and_the_member_under_ten_handshakes() {
    let (server, member) = (ServerSpec::default().start().await, Member::new(1).await);
    let relay = Relay::start(member.address());
    let cluster = Registration {
        token: member.token.clone(),
        ..Registration::new("load", &relay.https())
    };
    server.join(&cluster).await;
    let inner = [
        "/version",
        "/api/v1/namespaces/default",
        "/api/v1/namespaces?limit=5",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    ];
    let paths = inner.map(|path| proxy_path("load") + path);

    let load = Load::start(&server.admin(), CLIENTS, &paths);
    tokio::time::sleep(WHILE).await;
    let outcome = load.end().await;

    assert_eq!(outcome.failures, [""; 0], "of {}", outcome.answered);
    assert!(outcome.answered > CLIENTS * 10, "{}", outcome.answered);
    let counts = relay.counts();
    assert!((1..10).contains(&counts.handshakes), "{counts:?}");
    let opened = server.metric("upstream_connections_opened_total", "load");
    let opened = opened.await;
    assert_eq!(
        opened, counts.handshakes,
        "the server counts as the relay does"
    );
    cluster.remove().await;
}
