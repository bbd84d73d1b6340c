//! What of a request's headers a member sees, and of an answer's the caller.

use std::net::Ipv4Addr;

use fleetgate_model::{PeerAddress, User};
use fleetgate_testkit::{Answer, FakeMember, Received};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::support::{World, request, text};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |&(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    pairs.iter().map(pair).collect()
}

/// What `member` saw last of each header in `names`, as one text.
fn seen(received: &Received, names: &[&str]) -> Vec<String> {
    let values = |name: &&str| {
        let values = received.headers.get_all(*name).iter();
        let values: Vec<_> = values.map(|v| v.to_str().expect("text")).collect();
        values.join("|")
    };
    names.iter().map(values).collect()
}

#[tokio::test]
async fn a_member_sees_the_callers_name_and_no_claim_of_the_caller() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let mut spoofed = request(Method::GET, "/api");
    spoofed.headers_mut().extend(headers(&[
        ("x-remote-user", "root"),
        ("x-remote-group", "system:masters"),
        ("x-remote-uid", "0"),
        ("x-remote-extra-scopes", "everything"),
        (
            "connection",
            "authorization, impersonate-user, x-mine, close",
        ),
        ("x-mine", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "Basic c2VjcmV0"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("accept", "application/json"),
        ("user-agent", "kubectl"),
    ]));
    assert_eq!(world.send(spoofed).await.status(), 200);
    let received = &member.received()[0];
    let mut names: Vec<_> = received.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let want = [
        "accept",
        "audit-id",
        "authorization",
        "host",
        "impersonate-group",
        "impersonate-user",
        "te",
        "user-agent",
    ];
    assert_eq!(names, want);
    let names = ["authorization", "impersonate-user", "impersonate-group"];
    assert_eq!(seen(received, &names), ["bearer ours", "jane", "dev"]);
    assert_eq!(received.host, member.address().to_string());
}

#[tokio::test]
async fn an_anonymous_caller_is_told_as_one() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let mut anonymous = request(Method::GET, "/api");
    anonymous.headers_mut().remove("authorization");
    assert_eq!(world.send(anonymous).await.status(), 200);
    let names = ["authorization", "impersonate-user", "impersonate-group"];
    let want = ["bearer ours", "system:anonymous", ""];
    assert_eq!(seen(&member.received()[0], &names), want);
}

#[tokio::test]
async fn a_caller_without_a_name_is_never_told_as_ourselves() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let mut nameless = request(Method::GET, "/api");
    let bearer = HeaderValue::from_static("Bearer ");
    nameless.headers_mut().insert("authorization", bearer);
    let answer = world.send(nameless).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(text(answer).await.contains("the caller's name"));
    assert!(member.received().is_empty());
    assert!(User::default().name.is_empty());
}

#[tokio::test]
async fn the_way_that_a_request_came_grows_by_the_caller() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let mut forwarded = request(Method::GET, "/api");
    forwarded.headers_mut().extend(headers(&[
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.2"),
    ]));
    let peer = PeerAddress((Ipv4Addr::new(10, 0, 0, 3), 1).into());
    forwarded.extensions_mut().insert(peer);
    world.send(forwarded).await;
    let seen = seen(&member.received()[0], &["x-forwarded-for"]);
    assert_eq!(seen, ["10.0.0.1, 10.0.0.2, 10.0.0.3"]);
}

#[tokio::test]
async fn an_answers_headers_come_back_but_for_those_of_its_connection() {
    let all = headers(&[
        ("content-type", "application/vnd.kubernetes.protobuf"),
        ("warning", "299 - \"one\""),
        ("warning", "299 - \"two\""),
        ("audit-id", "a1"),
        ("etag", "\"e1\""),
        ("cache-control", "no-cache, private"),
        ("x-kubernetes-pf-flowschema-uid", "f1"),
        ("x-kubernetes-pf-prioritylevel-uid", "p1"),
        ("retry-after", "7"),
        ("location", "https://member.internal/x"),
        ("keep-alive", "timeout=5"),
        ("proxy-authenticate", "Basic"),
        ("connection", "x-mine"),
        ("x-mine", "1"),
        // Only we say so.
        ("x-fleetgate-error", "server"),
    ]);
    let member = FakeMember::plain().start(move |_: &Received| Answer::Full {
        status: StatusCode::TOO_MANY_REQUESTS,
        headers: all.iter().map(|(n, v)| (n.clone(), v.clone())).collect(),
        body: "slow down".into(),
    });
    let member = member.await;
    let answer = World::of(&member).get("/api").await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let mut seen: Vec<_> = answer
        .headers()
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
        .collect();
    seen.sort();
    let want = [
        "audit-id: a1",
        "cache-control: no-cache, private",
        "content-length: 9",
        "content-type: application/vnd.kubernetes.protobuf",
        "etag: \"e1\"",
        "location: https://member.internal/x",
        "retry-after: 7",
        "warning: 299 - \"one\"",
        "warning: 299 - \"two\"",
        "x-kubernetes-pf-flowschema-uid: f1",
        "x-kubernetes-pf-prioritylevel-uid: p1",
    ];
    assert_eq!(seen, want);
    assert_eq!(text(answer).await, "slow down");
}

#[tokio::test]
async fn a_request_has_one_id_for_its_caller_and_its_member() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let mut named = request(Method::GET, "/api");
    named.headers_mut().extend(headers(&[("audit-id", "mine")]));
    let answer = world.send(named).await;
    assert_eq!(answer.headers()["audit-id"], "mine");
    let mut empty = request(Method::GET, "/api");
    empty.headers_mut().extend(headers(&[("audit-id", "")]));
    for unnamed in [empty, request(Method::GET, "/api")] {
        let answer = world.send(unnamed).await;
        let id = answer.headers()["audit-id"].to_str().expect("text");
        assert_eq!(id.len(), 36, "{id}");
        let received = member.received();
        let seen = &received.last().expect("sent").headers["audit-id"];
        assert_eq!(seen, id);
    }
    assert_eq!(seen(&member.received()[0], &["audit-id"]), ["mine"]);
    // Refusals have one too.
    let mut refused = request(Method::GET, "/api");
    let bearer = HeaderValue::from_static("Bearer denied");
    refused.headers_mut().insert("authorization", bearer);
    let answer = world.send(refused).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.headers().contains_key("audit-id"));
}
