//! A caller with the right to may act as another; each part of that other is asked about.

use fleetgate_model::{Attributes, User};
use fleetgate_stack::Body;
use fleetgate_testkit::FakeMember;
use futures::FutureExt;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::support::{World, request, text};

const ALL: [(&str, &str); 5] = [
    ("impersonate-user", "root"),
    ("impersonate-group", "g1"),
    ("impersonate-group", "g2"),
    ("impersonate-uid", "42"),
    ("impersonate-extra-acme.io%2fscopes", "view"),
];
/// What the plain verb asks about `ALL`.
const PLAIN: [&str; 6] = [
    "jane impersonate /users/ root",
    "jane impersonate authentication.k8s.io/uids/ 42",
    "jane impersonate /groups/ g1",
    "jane impersonate /groups/ g2",
    "jane impersonate authentication.k8s.io/userextras/acme.io/scopes view",
    "root get cluster.karmada.io/clusters/proxy m",
];
/// What the narrow verbs ask about `ALL`.
const NARROW: [&str; 7] = [
    "jane impersonate-on:user-info:get cluster.karmada.io/clusters/proxy m",
    "jane impersonate:user-info authentication.k8s.io/users/ root",
    "jane impersonate:user-info authentication.k8s.io/uids/ 42",
    "jane impersonate:user-info authentication.k8s.io/groups/ g1",
    "jane impersonate:user-info authentication.k8s.io/groups/ g2",
    "jane impersonate:user-info authentication.k8s.io/userextras/acme.io/scopes view",
    "root get cluster.karmada.io/clusters/proxy m",
];

type Allow = fn(&User, &Attributes) -> bool;

async fn send(world: &World, pairs: &[(&'static str, &'static str)]) -> (StatusCode, String) {
    send_as(world, "jane", pairs).await
}

async fn send_as(
    world: &World,
    caller: &str,
    pairs: &[(&'static str, &'static str)],
) -> (StatusCode, String) {
    let mut request = request(Method::GET, "/api");
    let headers = request.headers_mut();
    let bearer = HeaderValue::try_from(format!("Bearer {caller}")).expect("a value");
    headers.insert("authorization", bearer);
    for &(name, value) in pairs {
        let name = HeaderName::from_static(name);
        headers.append(name, HeaderValue::from_static(value));
    }
    let answer = world.send(request).await;
    (answer.status(), text(answer).await.replace('\\', ""))
}

/// A world where the plain verb alone counts.
fn plain() -> World {
    let answer = || Ok(Response::new(Body::full("done")));
    World::plain(move |_| futures::future::ready(answer()).boxed())
}

fn is(asked: &Attributes, resource: &str, name: &str) -> bool {
    let asked = asked.resource.as_ref();
    asked.is_some_and(|r| r.resource == resource && r.name == name)
}

fn is_plain(asked: &Attributes) -> bool {
    asked.verb.as_str() == "impersonate"
}

#[tokio::test]
async fn a_caller_who_may_acts_as_another() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    assert_eq!(send(&world, &ALL).await.0, 200);
    assert_eq!(world.asked(), NARROW);
    let headers = member.received()[0].headers.clone();
    assert_eq!(headers["impersonate-user"], "root");
    let groups: Vec<_> = headers.get_all("impersonate-group").iter().collect();
    assert_eq!(groups, ["g1", "g2"]);
    assert_eq!(headers["authorization"], "bearer ours");
    // Karmada tells members neither.
    assert!(!headers.contains_key("impersonate-uid"));
    assert!(!headers.contains_key("impersonate-extra-acme.io%2fscopes"));
}

#[tokio::test]
async fn each_part_can_be_denied_and_then_nothing_is_sent() {
    let denials: [Allow; 5] = [
        |_, asked| !is(asked, "users", "root"),
        |_, asked| !is(asked, "groups", "g1"),
        |_, asked| !is(asked, "groups", "g2"),
        |_, asked| !is(asked, "uids", "42"),
        |_, asked| !is(asked, "userextras", "view"),
    ];
    let narrow = [
        "users.authentication.k8s.io \"root\" is forbidden: User \"jane\" cannot \
         impersonate:user-info resource \"users\" in API group \"authentication.k8s.io\" at the \
         cluster scope",
        "groups.authentication.k8s.io \"g1\" is forbidden",
        "groups.authentication.k8s.io \"g2\" is forbidden",
        "uids.authentication.k8s.io \"42\" is forbidden",
        "cannot impersonate:user-info resource \"userextras/acme.io/scopes\" in API group \
         \"authentication.k8s.io\"",
    ];
    let legacy = [
        "users \"root\" is forbidden: User \"jane\" cannot impersonate resource \"users\" in API \
         group \"\" at the cluster scope",
        "groups \"g1\" is forbidden",
        "groups \"g2\" is forbidden",
        "uids.authentication.k8s.io \"42\" is forbidden",
        "cannot impersonate resource \"userextras/acme.io/scopes\" in API group \
         \"authentication.k8s.io\"",
    ];
    let member = FakeMember::plain().echo().await;
    for (world, messages) in [(World::of(&member), narrow), (plain(), legacy)] {
        for (allow, message) in denials.into_iter().zip(messages) {
            world.ports.allow.store(allow.into());
            let (code, body) = send(&world, &ALL).await;
            assert_eq!(code, StatusCode::FORBIDDEN);
            assert!(body.contains(message), "{body}");
        }
        assert!(!world.asked().iter().any(|asked| asked.starts_with("root")));
    }
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn who_may_be_another_may_be_so_only_for_what_is_allowed_of_the_other() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let allow: Allow = |_, asked| {
        let verb = asked.verb.as_str();
        verb == "impersonate:user-info" || verb == "impersonate-on:user-info:list"
    };
    world.ports.allow.store(allow.into());
    let (code, body) = send(&world, &ALL).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    let message = "clusters.cluster.karmada.io \"m\" is forbidden: User \"jane\" cannot \
                   impersonate-on:user-info:get resource \"clusters/proxy\"";
    assert!(body.contains(message), "{body}");
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn the_plain_verb_counts_where_the_narrow_ones_are_denied_and_is_asked_first_from_then_on() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let allow: Allow = |user, asked| is_plain(asked) || user.name == "root";
    world.ports.allow.store(allow.into());
    assert_eq!(send(&world, &ALL).await.0, 200);
    assert_eq!(world.asked()[..1], NARROW[..1]);
    assert_eq!(world.asked()[1..], PLAIN);
    assert_eq!(send(&world, &ALL).await.0, 200);
    assert_eq!(world.asked()[7..], PLAIN);
    // What was allowed once is asked again, and all else where it is now denied.
    let allow: Allow = |user, asked| !is_plain(asked) || user.name == "root";
    world.ports.allow.store(allow.into());
    assert_eq!(send(&world, &ALL).await.0, 200);
    assert_eq!(world.asked()[13], PLAIN[0]);
    assert_eq!(world.asked()[14..], NARROW);
}

#[tokio::test]
async fn without_the_feature_the_narrow_verbs_give_nothing() {
    let world = plain();
    assert_eq!(send(&world, &ALL).await.0, 200);
    assert_eq!(world.asked(), PLAIN);
    let allow: Allow = |user, asked| !is_plain(asked) || user.name == "root";
    world.ports.allow.store(allow.into());
    assert_eq!(send(&world, &ALL).await.0, StatusCode::FORBIDDEN);
    assert_eq!(world.asked()[6..], PLAIN[..1]);
}

#[tokio::test]
async fn masters_are_given_by_the_plain_verb_alone() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let pairs = [
        ("impersonate-user", "root"),
        ("impersonate-group", "system:masters"),
    ];
    let allow: Allow = |_, asked| !is_plain(asked);
    world.ports.allow.store(allow.into());
    let (code, body) = send(&world, &pairs).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    let message = "at the cluster scope: impersonating the system:masters group is not allowed";
    assert!(body.contains(message), "{body}");
    assert!(member.received().is_empty());
    let allow: Allow = |_, _| true;
    world.ports.allow.store(allow.into());
    assert_eq!(send(&world, &pairs).await.0, 200);
}

#[tokio::test]
async fn a_service_account_may_be_its_own_node_and_no_other() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let agent = "system:serviceaccount:ns:agent";
    let allow: Allow = |user, asked| {
        let keys = "authentication.kubernetes.io/associated-node-keys".to_owned();
        let names = vec!["authentication.kubernetes.io/node-name".to_owned()];
        let verb = asked.verb.as_str();
        verb.contains(":associated-node") && user.extra == [(keys, names)]
            || user.name == "system:node:n1" && user.is_in("system:nodes")
    };
    world.ports.allow.store(allow.into());
    let own = [("impersonate-user", "system:node:n1")];
    let (code, body) = send_as(&world, agent, &own).await;
    assert_eq!(code, 200, "{body}");
    let want = [
        "system:serviceaccount:ns:agent impersonate-on:associated-node:get \
         cluster.karmada.io/clusters/proxy m",
        "system:serviceaccount:ns:agent impersonate:associated-node \
         authentication.k8s.io/nodes/ *",
        "system:node:n1 get cluster.karmada.io/clusters/proxy m",
    ];
    assert_eq!(world.asked(), want);
    let others = [("impersonate-user", "system:node:n2")];
    let (code, body) = send_as(&world, agent, &others).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    assert!(body.contains("impersonate-on:arbitrary-node:get"), "{body}");
    // A user of the same rights is no pod, and has no node.
    assert_eq!(send(&world, &own).await.0, StatusCode::FORBIDDEN);
    assert_eq!(member.received().len(), 1);
}

#[tokio::test]
async fn a_service_account_is_asked_about_in_its_namespace() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let allow: Allow = |user, asked| {
        let resource = asked.resource.as_ref();
        let is_account = resource.is_some_and(|r| r.namespace == "ns" && r.name == "sa");
        let verb = asked.verb.as_str();
        verb == "impersonate:serviceaccount" && is_account
            || verb.starts_with("impersonate-on:serviceaccount:")
            || user.is_in("system:serviceaccounts:ns")
    };
    world.ports.allow.store(allow.into());
    let account = |name| [("impersonate-user", name)];
    let (code, body) = send(&world, &account("system:serviceaccount:ns:sa")).await;
    assert_eq!(code, 200, "{body}");
    for other in [
        "system:serviceaccount:other:sa",
        "system:serviceaccount:ns:sa:x",
    ] {
        let (code, _) = send(&world, &account(other)).await;
        assert_eq!(code, StatusCode::FORBIDDEN);
    }
    assert_eq!(member.received().len(), 1);
}

#[tokio::test]
async fn many_groups_are_allowed_at_once_by_the_narrow_verb() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let allow: Allow = |user, asked| {
        is(asked, "groups", "*")
            || !is_plain(asked) && !is(asked, "groups", "d")
            || user.name == "root"
    };
    world.ports.allow.store(allow.into());
    let group = |name| ("impersonate-group", name);
    let mut pairs = vec![("impersonate-user", "root")];
    pairs.extend(["a", "b", "d"].map(group));
    assert_eq!(send(&world, &pairs).await.0, StatusCode::FORBIDDEN);
    pairs.push(group("e"));
    assert_eq!(send(&world, &pairs).await.0, 200);
}

#[tokio::test]
async fn nobody_acts_as_another_while_nobody_can_be_asked() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let (code, _) = send_as(&world, "unasked-about", &ALL).await;
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn who_acts_as_another_may_do_what_that_other_may() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let (code, body) = send(&world, &[("impersonate-user", "denied")]).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    assert!(
        body.contains("User \"denied\" cannot get resource"),
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
