//! Ready when host and store answer, alive before that; a new certificate without a restart.

use std::{fs, net::SocketAddr};

use fleetgate_testkit::certs::{Ca, Leaf, server};
use fleetgate_tests::{
    CLUSTERS, Credential,
    connection::Caller,
    environment::variable,
    fleet,
    relay::Relay,
    server::{Server, ServerSpec},
    wait::{SOON, check, until},
};

#[tokio::test]
async fn a_server_whose_host_is_down_lives_and_is_ready_when_the_host_is_up() {
    let mut host = Relay::down_at_first(address(&fleet().host_url));
    let mut server = ServerSpec::default().host(&host.https()).launch();
    until_unready(&server, "informer-sync").await;
    let reply = server
        .caller(&Credential::Anonymous)
        .get("/livez")
        .await
        .unwrap();
    assert_eq!(reply.status, 200, "{reply}");
    server.process().assert_running();

    host.up();
    server.until_ready().await;
    // Who calls and what they may do is asked of the host.
    let reply = server.admin().get(CLUSTERS).await.unwrap();
    assert_eq!(reply.status, 200, "{reply}");
}

#[tokio::test]
async fn a_server_whose_host_goes_away_says_that_it_cannot_ask_and_asks_again() {
    let mut host = Relay::start(address(&fleet().host_url));
    let server = ServerSpec::default().host(&host.https()).start().await;
    host.down().await;
    let stranger = Credential::certificate_of("somebody", Some("some-group"));
    let reply = server.caller(&stranger).get(CLUSTERS).await.unwrap();
    assert_eq!(reply.status, 503, "fails closed: {reply}");
    assert_eq!(reply.json()["reason"], "ServiceUnavailable", "{reply}");
    assert!(!reply.text().contains("127.0.0.1"), "no address: {reply}");

    host.up();
    let admin = server.admin();
    until("the host is asked again", SOON, async || {
        let reply = admin.get(CLUSTERS).await.unwrap();
        check(reply.status == 200, || reply.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_server_whose_etcd_is_away_is_not_ready_until_it_is_back() {
    let url = variable("FLEET_ETCD_URL");
    let mut etcd = Relay::down_at_first(url.strip_prefix("http://").unwrap().parse().unwrap());
    let prefix = format!("/readiness-{}", std::process::id());
    let spec = ServerSpec::default().etcd(&format!("http://{}", etcd.address()), &prefix);
    let mut server = spec.launch();
    until_unready(&server, "etcd-readiness").await;
    server.process().assert_running();

    etcd.up();
    server.until_ready().await;
    etcd.down().await;
    until_unready(&server, "etcd-readiness").await;
    etcd.up();
    server.until_ready().await;
    let reply = server.admin().get(CLUSTERS).await.unwrap();
    assert_eq!(reply.status, 200, "{reply}");
}

#[tokio::test]
async fn a_certificate_that_changes_on_disk_is_shown_to_the_next_caller() {
    let ca = Ca::new("reloaded");
    let (first, second) = (
        ca.sign(&server(&["127.0.0.1"])),
        ca.sign(&server(&["127.0.0.1"])),
    );
    let dir = tempfile::tempdir_in(fleet().scratch()).unwrap();
    let (certificate, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
    let write = |leaf: &Leaf| {
        fs::write(&certificate, &leaf.certificate_pem).unwrap();
        fs::write(&key, &leaf.key_pem).unwrap();
    };
    write(&first);
    let spec = ServerSpec::default()
        .flag("tls-cert-file", &certificate.display().to_string())
        .flag("tls-private-key-file", &key.display().to_string());
    let mut server = spec.launch();
    let port = server.port();
    server.process().until_listening(port, SOON).await;
    let caller = Caller::trusting(&server.url(), &fleet().admin(), ca.pem());
    let mut old = caller.connect().await.unwrap();
    assert_eq!(*old.certificate(), first.der);

    write(&second);
    until("the second certificate is shown", SOON, async || {
        let shown = caller.connect().await.unwrap().certificate().clone();
        check(shown == second.der, || "still the first".to_owned())
    })
    .await;
    let reply = old.get("/livez").await.unwrap();
    assert_eq!(
        reply.status, 200,
        "a connection that was open goes on: {reply}"
    );
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("https://").unwrap().parse().unwrap()
}

/// Waits until `/readyz` answers that `check_name` fails.
async fn until_unready(server: &Server, check_name: &str) {
    let caller = server.caller(&Credential::Anonymous);
    let failed = format!("[-]{check_name} failed");
    until(&failed, SOON, async || {
        match caller.get("/readyz?verbose").await {
            Ok(reply) => {
                let said = reply.status == 500 && reply.text().contains(&failed);
                check(said, || reply.to_string())
            }
            Err(error) => Err(format!("{error:#}")),
        }
    })
    .await;
}
