//! The example for programs that embed the proxy does what it says.

#[path = "../../examples/embed.rs"]
#[expect(dead_code, reason = "its main is for whoever runs the example")]
mod embed;

use axum::body::Body;
use fleetgate_model::{ClusterName, Credentials, Member};
use fleetgate_testkit::FakeMember;
use http::{HeaderValue, Request, StatusCode};
use prometheus_client::registry::Registry;
use tower::ServiceExt;

/// What the example answers to a request for `path` by `user`.
async fn ask(member: &FakeMember, path: &str, user: Option<&str>) -> StatusCode {
    let name = ClusterName::parse("prod").expect("a name");
    let credentials = Credentials {
        authorization: HeaderValue::from_static("Bearer ours"),
        ca_bundle: None,
    };
    let target = Member::new(name, member.url());
    let app = embed::app(target, credentials, &mut Registry::default());
    let mut request = Request::get(path).header("host", "fleet");
    if let Some(user) = user {
        request = request.header("x-user", user);
    }
    let request = request.body(Body::empty()).expect("a request");
    app.oneshot(request).await.expect("an answer").status()
}

#[tokio::test]
async fn a_path_below_the_prefix_goes_to_the_cluster_as_the_user() {
    let member = FakeMember::plain().echo().await;
    let path = "/prod/api/v1/pods?labelSelector=a%3Db";
    assert_eq!(ask(&member, path, Some("jane")).await, StatusCode::OK);
    let received = member.received();
    assert_eq!(received[0].path, "/api/v1/pods?labelSelector=a%3Db");
    assert_eq!(received[0].header("impersonate-user"), "jane");
    assert_eq!(received[0].header("authorization"), "Bearer ours");
    assert_eq!(received[0].header("x-user"), "");
}

#[tokio::test]
async fn who_is_not_named_gets_no_further_and_what_is_elsewhere_is_not_there() {
    let member = FakeMember::plain().echo().await;
    assert_eq!(
        ask(&member, "/prod/api", None).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        ask(&member, "/other", Some("jane")).await,
        StatusCode::NOT_FOUND
    );
    assert!(member.received().is_empty());
}
