//! A proxy that refuses or is away: the caller learns that it was the proxy, and the member is
//! reached again as soon as it serves.

use fleetgate_tests::{
    CLUSTERS,
    connect_front::ConnectFront,
    fleet,
    forward_proxy::{ForwardProxy, LOGIN, Serves, needed_by},
    http::Reply,
    member::Member,
    proxy_path,
    relay::Relay,
    server::{Server, ServerSpec},
    wait::{SOON, check, until},
};
use http::Method;
use serde_json::json;
use tokio::time::Instant;

use super::{AT_ONCE, Way};

#[tokio::test]
async fn a_wrong_password_at_squid_is_the_proxys_refusal() {
    let test = "a_wrong_password_at_squid_is_the_proxys_refusal";
    let Some(squid) = needed_by(test, "squid") else {
        return;
    };
    let proxy = ForwardProxy::squid(&squid, Serves::User).await;
    let wrong = proxy.url("http", "fleet:guess-me");
    refused_until_right("squid-wrong", &wrong, &proxy.url("http", LOGIN)).await;
}

#[tokio::test]
async fn a_wrong_password_at_dante_is_the_proxys_refusal() {
    let test = "a_wrong_password_at_dante_is_the_proxys_refusal";
    let Some(dante) = needed_by(test, "danted") else {
        return;
    };
    let proxy = ForwardProxy::dante(&dante, Serves::User).await;
    let wrong = proxy.url("socks5", "fleet:guess-me");
    refused_until_right("dante-wrong", &wrong, &proxy.url("socks5", LOGIN)).await;
}

/// Refused with the URL `wrong`, served with `right`.
async fn refused_until_right(name: &'static str, wrong: &str, right: &str) {
    let (server, member) = (ServerSpec::default().start().await, Member::new(1).await);
    let port = member.address().port();
    let cluster = Way::new(name, wrong).to(port, &fleet().ca, &member.token);
    server.register(&cluster).await;
    let reply = until_refused(&server, name, "proxy: the forward proxy refused the login").await;
    assert!(!reply.text().contains("guess-me"), "no password: {reply}");

    let patch = json!({"spec": {"proxyURL": right}});
    let path = format!("{CLUSTERS}/{name}");
    server.change(Method::PATCH, &path, &patch).await;
    server.until_answers(name).await;
    cluster.remove().await;
}

#[tokio::test]
async fn a_proxy_that_is_away_is_told_at_once_and_is_used_again_when_it_is_back() {
    let (server, member) = (ServerSpec::default().start().await, Member::new(1).await);
    let front = ConnectFront::start(member.address()).await;
    let mut relay = Relay::start(front.address());
    let way = Way::new("proxy-away", &format!("http://{}", relay.address()));
    let cluster = way.to(6443, &fleet().ca, &member.token);
    server.join(&cluster).await;

    relay.down().await;
    until_refused(&server, "proxy-away", "proxy: connection refused").await;
    relay.up();
    server.until_answers("proxy-away").await;
    cluster.remove().await;
}

/// Waits until requests are refused with 503 and a message of `cluster` that begins with `words`.
async fn until_refused(server: &Server, cluster: &str, words: &str) -> Reply {
    let path = proxy_path(cluster) + "/version";
    let begins = format!("cluster {cluster}: {words}");
    let (reply, _) = until(&begins, SOON, async || {
        let reply = server.admin().get(&path).await.unwrap();
        let said = reply.message().starts_with(&begins);
        check(said, || reply.to_string()).map(|()| reply)
    })
    .await;
    assert_eq!(reply.status, 503, "{reply}");
    assert_eq!(reply.json()["reason"], "ServiceUnavailable", "{reply}");
    assert!(!reply.text().contains("127.0.0.1"), "no address: {reply}");
    let since = Instant::now();
    server.admin().get(&path).await.unwrap();
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    reply
}
