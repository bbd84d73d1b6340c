//! Which bytes of a path and a query arrive, and which never do.

use fleetgate_tests::{Credential, fleet, http::Client, recorder::Recorder};
use http::Method;

/// `sent` arrives as `arrives`.
async fn check(client: &Client, recorder: &Recorder, sent: &str, arrives: &str) {
    let before = recorder.all("").len();
    client.get(&recorder.path(sent)).await.expect(200);
    let received = recorder.all("");
    assert_eq!(received.len(), before + 1, "{sent}");
    assert_eq!(received[before].path, arrives, "{sent}");
}

#[tokio::test]
async fn paths_and_queries_arrive_as_they_were_sent() {
    let recorder = Recorder::echo("identity-bytes").await;
    let client = fleet().at_server(&fleet().admin());
    let paths = [
        "/api/v1/namespaces/default/services/https:name:8443/proxy/a%2Fb",
        "/a%2fb",
        "/a//b///c",
        "//a",
        "/a/",
        "/a%20b%3Fc%23d",
        "/%E4%BD%A0%E5%A5%BD",
        "/a:b;c=d,e@f!$&'()*+",
        "/...",
        "/a/.../b..c",
        "/%252e%252e/a",
        "/a?x=2&x=1&a=&b&&=c",
        "/a?q=%2F%20+%2b/?:@",
        "/a?",
        "/a/?watch=true&path=/b",
    ];
    for path in paths {
        check(&client, &recorder, path, path).await;
    }
    // No slash is the member's root, and is answered, not redirected.
    check(&client, &recorder, "", "/").await;
    check(&client, &recorder, "?a=b", "/?a=b").await;
    check(&client, &recorder, "/", "/").await;
    recorder.remove().await;
}

/// The host decodes the path once and encodes it anew, and sorts the keys of the query.
#[tokio::test]
async fn through_the_host_arrives_what_the_host_preserves() {
    let recorder = Recorder::echo("identity-hosted").await;
    let client = fleet().at_host(&fleet().admin());
    let preserved = [
        "/a//b///c",
        "/a/",
        "/a%20b%3Fc%23d",
        "/%E4%BD%A0%E5%A5%BD",
        "/a?a=&x=2&x=1",
        "/a/?path=%2Fb",
    ];
    for path in preserved {
        check(&client, &recorder, path, path).await;
    }
    check(&client, &recorder, "/a%2Fb", "/a/b").await;
    check(&client, &recorder, "/a?x=2&x=1&a=b", "/a?a=b&x=2&x=1").await;
    check(&client, &recorder, "", "/").await;
    recorder.remove().await;
}

#[tokio::test]
async fn dot_segments_are_refused_and_never_reach_a_member() {
    let recorder = Recorder::echo("identity-dots").await;
    let admin = fleet().admin();
    let dots = [
        "/..",
        "/.",
        "/a/../b",
        "/a/./b",
        "/a/..",
        "/../../member1/proxy/version",
        "/%2e%2e/a",
        "/%2E%2e/a",
        "/.%2e/a",
        "/%2e/a",
        "/a%2f..%2fb",
        "/a%2F%2e%2e%2Fb",
        "/a/..?x=1",
    ];
    for path in dots {
        let path = recorder.path(path);
        for client in [fleet().at_server(&admin), fleet().at_host(&admin)] {
            let refused = client.get(&path).await;
            assert_eq!(refused.status, 400, "{path}: {refused}");
        }
        // Before anybody is asked whether the caller may.
        let nobody = fleet().at_server(&Credential::Anonymous);
        assert_eq!(nobody.get(&path).await.status, 400, "{path}");
    }
    let own = recorder.all("");
    assert!(
        own.iter().all(|received| received.path == "/version"),
        "{own:?}"
    );
    recorder.remove().await;
}

#[tokio::test]
async fn empty_and_dot_segments_in_our_own_part_are_refused() {
    let client = fleet().at_server(&fleet().admin());
    let clusters = "/apis/cluster.karmada.io/v1alpha1/clusters";
    let paths = [
        format!("{clusters}//member1/proxy/version"),
        format!("{clusters}/member1//proxy/version"),
        format!("{clusters}/./member1/proxy/version"),
        format!("{clusters}/member2/../member1/proxy/version"),
        format!("{clusters}/member2/%2e%2e/member1/proxy/version"),
        format!("/{clusters}/member1/proxy/version"),
    ];
    for path in paths {
        let refused = client.get(&path).await;
        assert_eq!(refused.status, 400, "{path}: {refused}");
    }
}

#[tokio::test]
async fn every_method_and_body_arrives() {
    let recorder = Recorder::echo("identity-methods").await;
    let client = fleet().at_server(&fleet().admin());
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    for method in methods {
        let path = format!("/methods/{method}");
        let call = client.call(method.clone(), &recorder.path(&path));
        let answer = call.body("body of a request").send().await.expect(200);
        assert_eq!(answer.json()["method"], method.as_str());
        assert_eq!(answer.json()["body"], "body of a request");
    }
    let head = client.call(Method::HEAD, &recorder.path("/methods/HEAD"));
    head.send().await.expect(200);
    assert_eq!(recorder.only("/methods/HEAD").method, Method::HEAD);
    recorder.remove().await;
}
