//! Path and query reach the member byte for byte, below the base path of its endpoint.

use fleetgate_model::Class;
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, FakeMember, Received, UpgradeScript};
use http::{Method, StatusCode, Version, header};

use crate::support::{Pki, Setup, request};

const PATHS: [&str; 9] = [
    "/",
    "/api/v1/nodes",
    "/api/v1/nodes/",
    "//api///v1//",
    "/a%2Fb%2f..%2F/%20%3f",
    "/x?limit=1&limit=2&limit=1",
    "/x?",
    "/x?a=%2F/../&b==&=",
    "/%E2%98%83/\"quotes\"",
];

async fn member(pki: &Pki) -> FakeMember {
    let script = |received: &Received| match received.header("upgrade") {
        "" => Answer::Echo,
        _ => Answer::Upgrade(UpgradeScript::EchoThen(bytes::Bytes::new())),
    };
    FakeMember::tls(&pki.leaf).start(script).await
}

async fn check(base: &str, class: Class, version: Version) {
    let pki = Pki::new();
    let member = member(&pki).await;
    let endpoint = format!("{}{base}", member.url());
    let setup = Setup::to(&endpoint, Some(&pki.ca)).build();
    for path in PATHS {
        let mut request = request(Method::GET, path, Body::empty());
        // The caller's own Host must not survive.
        let headers = request.headers_mut();
        headers.insert(header::HOST, "caller.example".parse().expect("a host"));
        if class == Class::Upgrade {
            headers.insert(header::UPGRADE, "SPDY/3.1".parse().expect("a value"));
            headers.insert(header::CONNECTION, "Upgrade".parse().expect("a value"));
        }
        let answer = setup.send(request, class).await.expect("an answer");
        let want = match class {
            Class::Upgrade => StatusCode::SWITCHING_PROTOCOLS,
            Class::LongRunning | Class::Short => StatusCode::OK,
        };
        assert_eq!(answer.status(), want);
    }
    let received = member.received();
    let base = base.trim_end_matches('/');
    for (received, path) in received.iter().zip(PATHS) {
        assert_eq!(received.path, format!("{base}{path}"));
        assert_eq!(received.host, member.address().to_string());
        assert_eq!(received.version, version);
        let hosts = received.headers.get_all(header::HOST).iter().count();
        assert_eq!(hosts, usize::from(version == Version::HTTP_11));
    }
    assert_eq!(received.len(), PATHS.len());
}

#[tokio::test]
async fn paths_and_hosts_arrive_over_http1() {
    check("", Class::Short, Version::HTTP_11).await;
    check("/", Class::Short, Version::HTTP_11).await;
    check("/k8s/clusters/c-1", Class::Short, Version::HTTP_11).await;
}

#[tokio::test]
async fn paths_and_hosts_arrive_over_http2() {
    check("", Class::LongRunning, Version::HTTP_2).await;
    check("/k8s/clusters/c-1/", Class::LongRunning, Version::HTTP_2).await;
}

#[tokio::test]
async fn paths_and_hosts_arrive_with_upgrades() {
    check("", Class::Upgrade, Version::HTTP_11).await;
    check("/k8s/clusters/c-1", Class::Upgrade, Version::HTTP_11).await;
}

#[tokio::test]
async fn a_path_that_moves_from_streams_to_http1_is_the_same() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).protocols(&["http/1.1"]);
    let member = member.echo().await;
    let endpoint = format!("{}/base", member.url());
    let setup = Setup::to(&endpoint, Some(&pki.ca)).build();
    for path in PATHS {
        setup.get_text(path, Class::LongRunning).await;
    }
    let received = member.received();
    let want: Vec<_> = PATHS.iter().map(|path| format!("/base{path}")).collect();
    assert_eq!(
        received.iter().map(|r| &r.path).collect::<Vec<_>>(),
        want.iter().collect::<Vec<_>>()
    );
}
