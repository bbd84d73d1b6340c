//! Tests of who is believed, with real certificates and closures as hosts.

use std::time::Duration;

use fleetgate_model::{
    ANONYMOUS, AUTHENTICATED, Authenticate, AuthenticateError, BearerToken, MASTERS,
    PeerCertificates, UNAUTHENTICATED, User,
};
use fleetgate_testkit::certs::{self, Ca, LeafSpec, Validity, chain};
use http::{Request, request::Parts};

use super::Authenticator;
use crate::{
    HeaderNames, Lookup, Metrics, RequestHeader, Review, ReviewError, ReviewToken, TrustConfig,
};

/// A server that trusts a CA for clients and another for its front proxy, called `aggregator`.
struct Fixture<R> {
    clients: Ca,
    front_proxies: Ca,
    authenticator: Authenticator<R>,
}

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// Knows the token `good`, does not answer about `lost`, and refuses any other.
fn reviewer(token: &BearerToken) -> std::future::Ready<Result<Review, ReviewError>> {
    std::future::ready(match token.expose().as_str() {
        "good" => Ok(Review::Known(User {
            name: "by-token".to_owned(),
            ..User::default()
        })),
        "lost" => Err(ReviewError::TimedOut),
        _ => Ok(Review::Invalid),
    })
}

async fn fixture() -> Fixture<impl ReviewToken> {
    let dir = tempfile::tempdir().expect("a directory");
    let (clients, front_proxies) = (Ca::new("clients"), Ca::new("front proxies"));
    let (client_ca, ca_file) = (dir.path().join("client.crt"), dir.path().join("proxy.crt"));
    std::fs::write(&client_ca, clients.pem()).expect("written");
    std::fs::write(&ca_file, front_proxies.pem()).expect("written");
    let headers = HeaderNames::parse(
        &list(&["X-Remote-User"]),
        &list(&["X-Remote-Uid"]),
        &list(&["X-Remote-Group"]),
        &list(&["X-Remote-Extra-"]),
    );
    let trust = TrustConfig {
        client_ca_file: Some(client_ca),
        request_header: Some(RequestHeader {
            ca_file,
            allowed_names: list(&["aggregator"]),
            headers: headers.expect("names"),
        }),
        lookup: Lookup::Skip,
        file_interval: Duration::from_secs(60),
    };
    let ttl = Duration::from_secs(10);
    let made = Authenticator::new(trust, reviewer, ttl, Metrics::default()).await;
    let (authenticator, _) = made.expect("usable");
    Fixture {
        clients,
        front_proxies,
        authenticator,
    }
}

fn request(headers: &[(&str, &str)], peer: Option<(&Ca, &LeafSpec)>) -> Parts {
    let mut builder = Request::get("/");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let (mut parts, ()) = builder.body(()).expect("valid").into_parts();
    if let Some((ca, spec)) = peer {
        parts
            .extensions
            .insert(PeerCertificates(chain(&ca.sign(spec))));
    }
    parts
}

const REMOTE_ADMIN: [(&str, &str); 3] = [
    ("X-Remote-User", "admin"),
    ("X-Remote-Group", MASTERS),
    ("X-Remote-Uid", "7"),
];

/// `NAME[group,group]` of the caller, or `invalid` or `unavailable`.
async fn caller<R: ReviewToken>(fixture: &Fixture<R>, mut parts: Parts) -> String {
    let result = fixture.authenticator.authenticate(&mut parts).await;
    let left: Vec<_> = parts.headers.keys().map(http::HeaderName::as_str).collect();
    let claims = left
        .iter()
        .any(|name| name.starts_with("x-remote") || *name == "authorization");
    assert!(!claims, "left: {left:?}");
    match result {
        Ok(user) => format!("{}[{}]", user.name, user.groups.join(",")),
        Err(AuthenticateError::Invalid) => "invalid".to_owned(),
        Err(AuthenticateError::Unavailable(_)) => "unavailable".to_owned(),
    }
}

fn anonymous() -> String {
    format!("{ANONYMOUS}[{UNAUTHENTICATED}]")
}

fn aggregator() -> LeafSpec {
    certs::client("aggregator", &[])
}

#[tokio::test]
async fn a_front_proxy_names_the_caller() {
    let fixture = fixture().await;
    let peer = aggregator();
    let parts = request(&REMOTE_ADMIN, Some((&fixture.front_proxies, &peer)));
    let mut copy = parts.clone();
    let got = caller(&fixture, parts).await;
    assert_eq!(got, format!("admin[{MASTERS},{AUTHENTICATED}]"));
    let user = fixture
        .authenticator
        .authenticate(&mut copy)
        .await
        .expect("known");
    assert_eq!(user.uid, "7");
}

#[tokio::test]
async fn headers_without_the_front_proxys_certificate_are_not_believed() {
    let fixture = fixture().await;
    let unknown = Ca::new("front proxies");
    let (proxy, jane) = (aggregator(), certs::client("jane", &["dev"]));
    let remote = |peer| request(&REMOTE_ADMIN, peer);
    assert_eq!(
        caller(&fixture, remote(None)).await,
        anonymous(),
        "no certificate"
    );
    let got = caller(&fixture, remote(Some((&fixture.clients, &jane)))).await;
    assert_eq!(
        got,
        format!("jane[dev,{AUTHENTICATED}]"),
        "a client's certificate"
    );
    let got = caller(&fixture, remote(Some((&fixture.clients, &proxy)))).await;
    assert_eq!(
        got,
        format!("aggregator[{AUTHENTICATED}]"),
        "the proxy's name by the wrong CA"
    );
    let got = caller(&fixture, remote(Some((&unknown, &proxy)))).await;
    assert_eq!(got, anonymous(), "a CA of the same name");
    let got = caller(&fixture, remote(Some((&fixture.front_proxies, &jane)))).await;
    assert_eq!(got, "invalid", "a name that is not allowed");
    let expired = aggregator().valid(Validity::Expired);
    let got = caller(&fixture, remote(Some((&fixture.front_proxies, &expired)))).await;
    assert_eq!(got, "invalid", "expired");
    let server = LeafSpec {
        common_name: "aggregator".to_owned(),
        ..certs::server(&["a.b"])
    };
    let got = caller(&fixture, remote(Some((&fixture.front_proxies, &server)))).await;
    assert_eq!(got, "invalid", "not meant for clients");
}

#[tokio::test]
async fn a_front_proxy_that_names_nobody_is_a_caller_like_any_other() {
    let fixture = fixture().await;
    let proxy = aggregator();
    let groups = [("X-Remote-Group", MASTERS)];
    let got = caller(
        &fixture,
        request(&groups, Some((&fixture.front_proxies, &proxy))),
    )
    .await;
    assert_eq!(got, anonymous());
    let with_token = [
        ("X-Remote-Group", MASTERS),
        ("Authorization", "Bearer good"),
    ];
    let got = caller(
        &fixture,
        request(&with_token, Some((&fixture.front_proxies, &proxy))),
    )
    .await;
    assert_eq!(got, format!("by-token[{AUTHENTICATED}]"));
}

#[tokio::test]
async fn an_anonymous_caller_of_the_front_proxy_stays_anonymous() {
    let fixture = fixture().await;
    let headers = [
        ("X-Remote-User", ANONYMOUS),
        ("X-Remote-Group", UNAUTHENTICATED),
    ];
    let parts = request(&headers, Some((&fixture.front_proxies, &aggregator())));
    assert_eq!(caller(&fixture, parts).await, anonymous());
    let known = [("X-Remote-User", "a"), ("X-Remote-Group", AUTHENTICATED)];
    let parts = request(&known, Some((&fixture.front_proxies, &aggregator())));
    assert_eq!(
        caller(&fixture, parts).await,
        format!("a[{AUTHENTICATED}]"),
        "not added twice"
    );
}

#[tokio::test]
async fn a_client_certificate_names_its_user() {
    let fixture = fixture().await;
    let mut spec = certs::client("jane", &["dev", "ops"]);
    spec.uid = Some("42".to_owned());
    let mut parts = request(&[], Some((&fixture.clients, &spec)));
    let user = fixture
        .authenticator
        .authenticate(&mut parts)
        .await
        .expect("known");
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("jane", "42"));
    assert_eq!(user.groups, ["dev", "ops", AUTHENTICATED]);
    let (key, values) = &user.extra[0];
    assert_eq!(key, "authentication.kubernetes.io/credential-id");
    assert!(values[0].starts_with("X509SHA256="), "{values:?}");
}

#[tokio::test]
async fn a_bad_client_certificate_is_told_from_one_of_a_stranger() {
    let fixture = fixture().await;
    let jane = certs::client("jane", &[MASTERS]);
    let expired = jane.clone().valid(Validity::Expired);
    let got = caller(&fixture, request(&[], Some((&fixture.clients, &expired)))).await;
    assert_eq!(got, "invalid");
    let stranger = Ca::new("stranger");
    let got = caller(&fixture, request(&[], Some((&stranger, &jane)))).await;
    assert_eq!(got, anonymous());
    let nameless = certs::client("", &[MASTERS]);
    let got = caller(&fixture, request(&[], Some((&fixture.clients, &nameless)))).await;
    assert_eq!(got, anonymous());
}

#[tokio::test]
async fn a_token_is_asked_about() {
    let fixture = fixture().await;
    let by = |value: &str| request(&[("Authorization", value)], None);
    assert_eq!(
        caller(&fixture, by("Bearer good")).await,
        format!("by-token[{AUTHENTICATED}]")
    );
    assert_eq!(caller(&fixture, by("Bearer bad")).await, "invalid");
    assert_eq!(caller(&fixture, by("Bearer lost")).await, "unavailable");
    assert_eq!(caller(&fixture, by("Basic good")).await, anonymous());
    assert_eq!(caller(&fixture, request(&[], None)).await, anonymous());
}

#[tokio::test]
async fn the_first_that_names_a_user_decides() {
    let fixture = fixture().await;
    let jane = certs::client("jane", &[]);
    let expired = jane.clone().valid(Validity::Expired);
    let bad = [("Authorization", "Bearer bad")];
    let got = caller(&fixture, request(&bad, Some((&fixture.clients, &jane)))).await;
    assert_eq!(
        got,
        format!("jane[{AUTHENTICATED}]"),
        "a certificate comes before a token"
    );
    let good = [("Authorization", "Bearer good")];
    let got = caller(&fixture, request(&good, Some((&fixture.clients, &expired)))).await;
    assert_eq!(
        got,
        format!("by-token[{AUTHENTICATED}]"),
        "a token helps a bad certificate"
    );
}

#[tokio::test]
async fn a_websocket_may_carry_its_token_among_the_protocols() {
    let fixture = fixture().await;
    let token = "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.Z29vZA";
    let headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Protocol", token),
    ];
    let mut parts = request(&headers, None);
    let user = fixture
        .authenticator
        .authenticate(&mut parts)
        .await
        .expect("known");
    assert_eq!(user.name, "by-token");
    assert_eq!(parts.headers["sec-websocket-protocol"], "v4.channel.k8s.io");
}
