//! The member is away, silent, or somebody else.

use fleetgate_testkit::{Answer, FakeMember, certs};
use fleetgate_tests::{
    connection::chunk,
    fleet,
    member::Member,
    proxy_path,
    registration::{Registration, encode},
    relay::{Behaviour, Relay},
    replica::Replica,
    server::SECRETS,
};
use http::Method;
use serde_json::json;
use tokio::time::timeout;

use super::{AT_ONCE, LIMIT, assert_refused, registration, server, until_refused, version};

#[tokio::test]
async fn a_member_that_is_away_is_told_at_once_and_is_used_again_when_it_is_back() {
    let (server, member) = (server().await, Member::new(1).await);
    let mut relay = Relay::start(member.address());
    let cluster = registration("faults-away", &member, &relay.https());
    server.join(&cluster).await;

    relay.down().await;
    // The connections that were kept are gone too. One that the kernel had taken for the relay may
    // be reset in its handshake; after that nobody listens.
    let message = "cluster faults-away: connect: connection refused";
    let (reply, _) = until_refused(&server, "faults-away", message).await;
    assert_refused(&reply, 503, "ServiceUnavailable", message);
    assert_eq!(reply.header("retry-after"), "1", "{reply}");
    let (_, took) = version(&server, "faults-away").await;
    assert!(took < AT_ONCE, "{took:?}");

    relay.up();
    let (reply, _) = version(&server, "faults-away").await;
    assert_eq!(reply.status, 200, "the very next request: {reply}");
    cluster.remove().await;
}

#[tokio::test]
async fn a_member_that_accepts_and_says_nothing_is_given_up_after_the_time_limit() {
    let (server, member) = (server().await, Member::new(1).await);
    let relay = Relay::start(member.address());
    let cluster = registration("faults-silent", &member, &relay.https());
    server.join(&cluster).await;

    // Connections that were kept go silent: the request is sent, and no answer comes.
    relay.behave(Behaviour::Stall);
    let (reply, took) = version(&server, "faults-silent").await;
    let message = "cluster faults-silent: request: timed out";
    assert_refused(&reply, 504, "Timeout", message);
    assert!(LIMIT <= took && took < LIMIT + AT_ONCE, "{took:?}");

    // New ones are accepted, and nobody speaks TLS.
    relay.cut();
    let message = "cluster faults-silent: tls: timed out";
    until_refused(&server, "faults-silent", message).await;
    // The member is given up meanwhile: then callers are answered at once, and one of them tries.
    let (reply, took) = version(&server, "faults-silent").await;
    match reply.status.as_u16() {
        503 => assert_refused(&reply, 503, "ServiceUnavailable", message),
        _ => assert_refused(&reply, 504, "Timeout", message),
    }
    assert!(took < LIMIT + AT_ONCE, "{took:?}");

    relay.behave(Behaviour::Pass);
    server.until_answers("faults-silent").await;
    cluster.remove().await;
}

#[tokio::test]
async fn a_member_that_speaks_tls_and_no_http_is_given_up_after_the_time_limit() {
    let server = server().await;
    let ca = certs::Ca::new("faults-mute");
    let leaf = ca.sign(&certs::server(&["127.0.0.1"]));
    let member = FakeMember::tls(&leaf).start(|received| match received.path.as_str() {
        "/version" => Answer::Echo,
        _ => Answer::StallBeforeHeaders,
    });
    let member = member.await;
    let cluster = Registration {
        ca: ca.pem().to_owned(),
        ..Registration::new("faults-mute", &member.url())
    };
    server.join(&cluster).await;

    let since = tokio::time::Instant::now();
    let path = proxy_path("faults-mute") + "/api/v1/namespaces";
    let reply = server.admin().get(&path).await.unwrap();
    let took = since.elapsed();
    let message = "cluster faults-mute: request: timed out";
    assert_refused(&reply, 504, "Timeout", message);
    assert!(LIMIT <= took && took < LIMIT + AT_ONCE, "{took:?}");
    let (reply, _) = version(&server, "faults-mute").await;
    assert_eq!(reply.status, 200, "other requests go on: {reply}");
    cluster.remove().await;
}

#[tokio::test]
async fn a_member_with_a_certificate_of_another_ca_is_refused_until_the_secret_has_its_ca() {
    let (server, member) = (server().await, Member::new(1).await);
    let wrong = Registration {
        ca: certs::Ca::new("somebody else").pem().to_owned(),
        ..registration("faults-ca", &member, member.url())
    };
    server.register(&wrong).await;
    let message = "cluster faults-ca: tls: the certificate is signed by an unknown authority";
    let (reply, _) = until_refused(&server, "faults-ca", message).await;
    assert_refused(&reply, 502, "ServiceUnavailable", message);

    let right = json!({"data": {"caBundle": encode(&fleet().ca)}});
    let host = fleet().at_host(&fleet().admin());
    let patch = host.call(Method::PATCH, &format!("{SECRETS}/faults-ca"));
    let patch = patch.header("content-type", "application/merge-patch+json");
    patch.json(&right).send().await.expect(200);
    server.until_answers("faults-ca").await;
    wrong.remove().await;
}

#[tokio::test]
async fn a_real_member_that_is_restarted_ends_its_watches_and_is_found_again() {
    let (server, mut replica) = (server().await, Replica::start(2).await);
    let member = replica.member();
    let cluster = registration("faults-restart", member, member.url());
    server.join(&cluster).await;
    let path = proxy_path("faults-restart") + "/api/v1/namespaces?watch=true";
    let mut caller = server.admin().connect().await.unwrap();
    let mut watch = caller.watch(&path).await.unwrap();
    chunk(&mut watch)
        .await
        .unwrap()
        .expect("the first namespace");

    replica.kill().await;
    let ended = async {
        loop {
            match chunk(&mut watch).await {
                Ok(Some(_)) => {}
                end => return end,
            }
        }
    };
    let ended = timeout(AT_ONCE, ended).await;
    let ended = ended.expect("the watch ends with the member");
    ended.expect_err("it breaks off: nobody said that it was at its end");
    let (reply, took) = version(&server, "faults-restart").await;
    let message = "cluster faults-restart: connect: connection refused";
    assert_refused(&reply, 503, "ServiceUnavailable", message);
    assert!(took < AT_ONCE, "{took:?}");

    replica.start_again().await;
    server.until_answers("faults-restart").await;
    cluster.remove().await;
}
