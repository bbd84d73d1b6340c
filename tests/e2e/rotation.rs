//! A member's token is changed at the host while requests go on: the next request uses the new one,
//! and none is lost.

mod under_load;

use fleetgate_testkit::{Answer, FakeMember, Received, certs};
use fleetgate_tests::{
    Credential,
    connection::Caller,
    load::Load,
    member::Member,
    proxy_path,
    registration::{Registration, change_secret, encode},
    server::{Server, ServerSpec},
    wait::{SOON, check, until},
};
use serde_json::json;

const CLIENTS: usize = 8;

/// Changes the token in the impersonator secret of `cluster`.
async fn rotate(cluster: &str, token: &str) {
    let token = json!({"token": encode(token)});
    change_secret(&format!("{cluster}-impersonator"), &token).await;
}

/// What the server presented.
fn token(received: &Received) -> String {
    let header = received.header("authorization");
    header.split_once(' ').unwrap().1.to_owned()
}

fn load(server: &Server, cluster: &str) -> Load {
    let path = proxy_path(cluster) + "/api/v1/namespaces/default";
    Load::start(&server.admin(), CLIENTS, &[path])
}

#[tokio::test]
async fn every_request_after_a_rotation_carries_the_new_token_and_none_is_lost() {
    let server = ServerSpec::default().start().await;
    let ca = certs::Ca::new("rotation-seen");
    let leaf = ca.sign(&certs::server(&["127.0.0.1"]));
    let member = FakeMember::tls(&leaf).start(|_| Answer::Echo).await;
    let cluster = Registration {
        ca: ca.pem().to_owned(),
        ..Registration::new("rotation-seen", &member.url())
    };
    server.join(&cluster).await;
    let load = load(&server, "rotation-seen");
    load.go_on(200).await;

    rotate("rotation-seen", "the-new-token").await;
    let tokens = || member.received().iter().map(token).collect::<Vec<_>>();
    until("the new token is used", SOON, async || {
        let last = tokens().pop().unwrap();
        check(last == "the-new-token", || last)
    })
    .await;
    let before = tokens().len();
    load.go_on(500).await;
    let outcome = load.end().await;

    assert_eq!(outcome.failures, [""; 0], "of {}", outcome.answered);
    let tokens = tokens();
    let (first, later) = tokens.split_at(before);
    assert!(first.contains(&cluster.token), "in use before");
    // What was under way when the token changed may still have carried the old one.
    let old = later.iter().rposition(|token| *token != "the-new-token");
    assert!(old.is_none_or(|at| at < CLIENTS), "an old token at {old:?}");
    cluster.remove().await;
}

#[tokio::test]
async fn a_token_may_be_revoked_once_the_secret_has_another_without_an_error_to_anybody() {
    let (server, member) = (ServerSpec::default().start().await, Member::new(1).await);
    let old = member.impersonator("rotation-old").await;
    let new = member.impersonator("rotation-new").await;
    let cluster = Registration {
        token: old.clone(),
        ..Registration::new("rotation-revoked", member.url())
    };
    server.join(&cluster).await;
    let load = load(&server, "rotation-revoked");
    load.go_on(100).await;

    rotate("rotation-revoked", &new).await;
    // As long as an operator waits at least: until the server has read the change.
    load.go_on(CLIENTS * 50).await;
    member.impersonator("rotation-old").await;
    let revoked = Caller::new(member.url(), &Credential::Token(old));
    until("the member refuses the old token", SOON, async || {
        let reply = revoked.get("/api/v1/namespaces/default").await.unwrap();
        check(reply.status == 401, || reply.to_string())
    })
    .await;
    load.go_on(100).await;
    let outcome = load.end().await;
    assert_eq!(outcome.failures, [""; 0], "of {}", outcome.answered);
    cluster.remove().await;
}

#[tokio::test]
async fn a_token_that_the_member_refuses_shows_as_its_401_until_the_secret_has_another() {
    let (server, member) = (ServerSpec::default().start().await, Member::new(1).await);
    let cluster = Registration {
        token: member.token.clone(),
        ..Registration::new("rotation-garbage", member.url())
    };
    server.join(&cluster).await;
    let (admin, path) = (server.admin(), proxy_path("rotation-garbage") + "/version");

    rotate("rotation-garbage", "garbage").await;
    let status = async |code: u16| {
        until(&format!("{code}"), SOON, async || {
            let reply = admin.get(&path).await.unwrap();
            check(reply.status == code, || reply.to_string()).map(|()| reply)
        })
        .await
        .0
    };
    let reply = status(401).await;
    assert_eq!(reply.json()["reason"], "Unauthorized", "{reply}");
    rotate("rotation-garbage", &member.token).await;
    status(200).await;
    cluster.remove().await;
}
