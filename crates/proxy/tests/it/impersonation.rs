//! A caller with the right to may act as another; each part of that other is asked about.

use fleetgate_model::{Attributes, User};
use fleetgate_testkit::FakeMember;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::support::{World, request, text};

const ALL: [(&str, &str); 5] = [
    ("impersonate-user", "root"),
    ("impersonate-group", "g1"),
    ("impersonate-group", "g2"),
    ("impersonate-uid", "42"),
    ("impersonate-extra-scopes", "view"),
];

async fn send(world: &World, pairs: &[(&'static str, &'static str)]) -> (StatusCode, String) {
    let mut request = request(Method::GET, "/api");
    for &(name, value) in pairs {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_static(value);
        request.headers_mut().append(name, value);
    }
    let answer = world.send(request).await;
    (answer.status(), text(answer).await)
}

#[tokio::test]
async fn a_caller_who_may_acts_as_another() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    assert_eq!(send(&world, &ALL).await.0, 200);
    let want = [
        "jane impersonate /users/ root",
        "jane impersonate /groups/ g1",
        "jane impersonate /groups/ g2",
        "jane impersonate authentication.k8s.io/uids/ 42",
        "jane impersonate authentication.k8s.io/userextras/scopes view",
        "root get cluster.karmada.io/clusters/proxy m",
    ];
    assert_eq!(world.asked(), want);
    let headers = member.received()[0].headers.clone();
    assert_eq!(headers["impersonate-user"], "root");
    let groups: Vec<_> = headers.get_all("impersonate-group").iter().collect();
    assert_eq!(groups, ["g1", "g2"]);
    assert_eq!(headers["authorization"], "bearer ours");
    // Karmada tells members neither.
    assert!(!headers.contains_key("impersonate-uid"));
    assert!(!headers.contains_key("impersonate-extra-scopes"));
}

#[tokio::test]
async fn each_part_can_be_denied_and_then_nothing_is_sent() {
    let denials: [fn(&User, &Attributes) -> bool; 5] = [
        |_, asked| !is(asked, "users", "root"),
        |_, asked| !is(asked, "groups", "g1"),
        |_, asked| !is(asked, "groups", "g2"),
        |_, asked| !is(asked, "uids", "42"),
        |_, asked| !is(asked, "userextras", "view"),
    ];
    let messages = [
        "users \\\"root\\\" is forbidden: User \\\"jane\\\" cannot impersonate resource \\\"users\\\" \
         in API group \\\"\\\" at the cluster scope",
        "groups \\\"g1\\\" is forbidden",
        "groups \\\"g2\\\" is forbidden",
        "uids.authentication.k8s.io \\\"42\\\" is forbidden",
        "cannot impersonate resource \\\"userextras/scopes\\\" in API group \
         \\\"authentication.k8s.io\\\"",
    ];
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    for (allow, message) in denials.into_iter().zip(messages) {
        world.ports.allow.store(allow.into());
        let (code, body) = send(&world, &ALL).await;
        assert_eq!(code, StatusCode::FORBIDDEN);
        assert!(body.contains(message), "{body}");
    }
    assert!(member.received().is_empty());
}

fn is(asked: &Attributes, resource: &str, name: &str) -> bool {
    let asked = asked.resource.as_ref();
    asked.is_some_and(|r| r.resource == resource && r.name == name)
}

#[tokio::test]
async fn who_acts_as_another_may_do_what_that_other_may() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let (code, body) = send(&world, &[("impersonate-user", "denied")]).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    assert!(
        body.contains("User \\\"denied\\\" cannot get resource"),
        "{body}"
    );
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn groups_without_a_user_are_refused_before_anybody_is_asked() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    for pairs in [
        &ALL[1..2],
        &ALL[3..4],
        &ALL[4..5],
        &[("impersonate-user", "")],
    ] {
        let (code, _) = send(&world, pairs).await;
        assert_eq!(code, StatusCode::BAD_REQUEST);
    }
    assert_eq!(world.asked(), [""; 0]);
    assert!(member.received().is_empty());
}
