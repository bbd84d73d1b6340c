//! The example for programs that embed the proxy does what it says.

#[path = "../../examples/embed.rs"]
#[expect(dead_code, reason = "its main is for whoever runs the example")]
mod embed;

use axum::body::Body;
use bytes::Bytes;
use fleetgate_model::{ClusterName, Credentials, Member, Target};
use fleetgate_testkit::{Answer, FakeMember, Received};
use http::{HeaderValue, Request, Response, StatusCode, header::LOCATION};
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

/// What the example answers to a request for `uri` with `headers`.
async fn ask(member: &FakeMember, uri: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let name = ClusterName::parse("prod").expect("a name");
    let credentials = Credentials::bearer("ours", None).expect("a token");
    let target = Target {
        member: Member::new(name, member.url()).into(),
        credentials: credentials.into(),
    };
    let app = embed::app(target, &mut Registry::default());
    let mut request = Request::get(uri).header("host", "fleet");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    app.oneshot(request).await.expect("an answer")
}

const JANE: (&str, &str) = ("x-user", "jane");

#[tokio::test]
async fn a_path_below_the_prefix_goes_to_the_cluster_as_the_user() {
    let member = FakeMember::plain().echo().await;
    let path = "/prod/api/v1/pods?labelSelector=a%3Db";
    // As HTTP/1.1 brings it, and as HTTP/2 does.
    for uri in [path, &format!("http://fleet{path}")] {
        assert_eq!(ask(&member, uri, &[JANE]).await.status(), StatusCode::OK);
    }
    for received in member.received() {
        assert_eq!(received.path, "/api/v1/pods?labelSelector=a%3Db");
        assert_eq!(received.header("impersonate-user"), "jane");
        assert_eq!(received.header("authorization"), "bearer ours");
        assert_eq!(received.header("x-user"), "");
    }
    assert_eq!(
        ask(&member, "/prod", &[JANE]).await.status(),
        StatusCode::OK
    );
    assert_eq!(member.received()[2].path, "/");
}

#[tokio::test]
async fn who_is_not_named_gets_no_further_and_what_is_elsewhere_is_not_there() {
    let member = FakeMember::plain().echo().await;
    let refused = ask(&member, "/prod/api", &[]).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let status = refused.into_body().collect().await.expect("a body");
    let status: Value = serde_json::from_slice(&status.to_bytes()).expect("a Status");
    assert_eq!(
        (&status["kind"], &status["code"]),
        (&json!("Status"), &json!(401))
    );
    let elsewhere = ask(&member, "/other", &[JANE]).await;
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn a_path_that_is_too_long_steps_out_of_nothing() {
    let member = FakeMember::plain().echo().await;
    // As long as a URI can be, so that nothing can be put in front of it.
    let other = "/prod/apis/cluster.karmada.io/v1alpha1/clusters/dev/proxy/api?x=";
    let long = format!("{other}{}", "x".repeat(65_534 - other.len()));
    let refused = ask(&member, &long, &[JANE]).await;
    assert_eq!(refused.status().as_u16(), 431);
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn nobody_acts_as_another() {
    let member = FakeMember::plain().echo().await;
    let as_admin = [JANE, ("impersonate-user", "admin")];
    let refused = ask(&member, "/prod/api", &as_admin).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn a_member_that_sends_elsewhere_on_itself_means_a_place_below_the_prefix() {
    for (asked, location, want) in [
        ("/prod/debug/pprof", "/debug/pprof/", "../debug/pprof/"),
        ("/prod/api", "/api/?x=1", "./api/?x=1"),
        ("/prod/a/b/", "/", "../../"),
        ("/prod/a/b", "c", "c"),
        ("/prod/a/b", "https://elsewhere/c", "https://elsewhere/c"),
    ] {
        let answer = move |_: &Received| Answer::Full {
            status: StatusCode::MOVED_PERMANENTLY,
            headers: vec![(LOCATION, HeaderValue::from_static(location))],
            body: Bytes::new(),
        };
        let member = FakeMember::plain().start(answer).await;
        let moved = ask(&member, asked, &[JANE]).await;
        assert_eq!(moved.headers()[LOCATION], want, "{asked} to {location}");
    }
}
