//! What follows `/proxy` arrives as it was sent, or is refused before anybody is asked.

use fleetgate_testkit::FakeMember;
use http::{Method, StatusCode};

use crate::support::{World, request, text};

#[tokio::test]
async fn the_members_part_arrives_as_it_was_sent() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let sent = [
        ("", "/"),
        ("/", "/"),
        ("?limit=1", "/?limit=1"),
        ("/?limit=1", "/?limit=1"),
        ("/api/v1/nodes", "/api/v1/nodes"),
        ("/api/v1/nodes/", "/api/v1/nodes/"),
        ("//api//v1", "//api//v1"),
        ("/a%2Fb%2fc", "/a%2Fb%2fc"),
        ("/a%20b%3Fc%25", "/a%20b%3Fc%25"),
        ("/...", "/..."),
        ("/x?a=1&a=2&b&a=1", "/x?a=1&a=2&b&a=1"),
        ("/x?a=../..&b=%2e%2e", "/x?a=../..&b=%2e%2e"),
        ("/x?dryRun=All&path=/y", "/x?dryRun=All&path=/y"),
        ("/x?", "/x?"),
    ];
    for (rest, _) in sent {
        assert_eq!(world.get(rest).await.status(), 200, "{rest}");
    }
    let received: Vec<_> = member.received().into_iter().map(|r| r.path).collect();
    assert_eq!(received, sent.map(|(_, want)| want));
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_refused_before_anybody_is_asked() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let refused = [
        "/..",
        "/../",
        "/./x",
        "/a/../b",
        "/a/..",
        "/%2e%2e/x",
        "/.%2E",
        "/%2e",
        "/a%2f..%2fb",
        "/a/..%2f",
        "/..%5cx",
        "/a%00b",
        "/a%zz",
    ];
    for rest in refused {
        let answer = world.get(rest).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{rest}");
        assert!(text(answer).await.contains("\"reason\":\"BadRequest\""));
    }
    // In our own part, also what would only be read in two ways.
    let own = [
        "/apis/cluster.karmada.io/v1alpha1/clusters/m/../n/proxy/api",
        "/apis/cluster.karmada.io//v1alpha1/clusters/m/proxy/api",
        "/apis/cluster.karmada.io/v1alpha1/clusters/..%2fm/proxy/api",
        "/apis/cluster.karmada.io/v1alpha1/clusters//proxy/api",
    ];
    for path in own {
        let mut request = request(Method::GET, "");
        *request.uri_mut() = path.parse().expect("a path");
        let answer = world.send(request).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(world.asked(), [""; 0]);
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn what_is_authorized_is_the_cluster_and_the_verb_of_the_method() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let verbs = [
        (Method::GET, "get"),
        (Method::HEAD, "get"),
        (Method::POST, "create"),
        (Method::PUT, "update"),
        (Method::PATCH, "patch"),
        (Method::DELETE, "delete"),
        (Method::OPTIONS, ""),
    ];
    for (method, _) in &verbs {
        let answer = world
            .send(request(method.clone(), "/api/v1/pods?watch=1"))
            .await;
        assert_eq!(answer.status(), 200);
    }
    let want = verbs.map(|(_, verb)| format!("jane {verb} cluster.karmada.io/clusters/proxy m"));
    assert_eq!(world.asked(), want);
    let methods: Vec<_> = member.received().into_iter().map(|r| r.method).collect();
    assert_eq!(
        methods,
        [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS
        ]
    );
}

#[tokio::test]
async fn what_leads_to_no_member_is_served_here() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    for path in ["/version", "/apis/cluster.karmada.io/v1alpha1/clusters/m"] {
        let mut request = request(Method::GET, "");
        *request.uri_mut() = path.parse().expect("a path");
        assert_eq!(
            text(world.send(request).await).await,
            format!("local {path}")
        );
    }
    assert!(member.received().is_empty());
}
