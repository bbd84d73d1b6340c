//! What is no resource: paths, methods and forms of discovery, the version and the status page.

use serde_json::json;

use super::check;
use crate::testing::{CLUSTERS, Fixture};

#[tokio::test]
async fn paths_that_are_not_served_are_told_apart_as_kubernetes_tells_them() {
    let fixture = Fixture::new().await;
    let served = fixture.get("/", &[]).await.json()["paths"].clone();
    assert!(served.as_array().is_some_and(|paths| !paths.is_empty()));
    for path in [
        "/nope",
        "/healthz/nope",
        "/healthz/",
        "/openapi/v3/nope",
        "/api/v1/pods",
        "/apis/apps/v1/deployments",
        "/apis/apps",
        "/metrics/",
    ] {
        let got = fixture.get(path, &[]).await;
        assert_eq!(got.code.as_u16(), 404, "{path}");
        assert_eq!(got.header("content-type"), "application/json");
        let paths = got.json()["paths"].clone();
        assert_eq!(paths, served, "{path}");
    }
    let unknown = "the server could not find the requested resource";
    for path in [
        "/apis/cluster.karmada.io/v2".to_owned(),
        "/apis/cluster.karmada.io/v2/clusters".to_owned(),
        "/apis/cluster.karmada.io/v1alpha1/nodes".to_owned(),
        "/apis/cluster.karmada.io/v1alpha1/namespaces/n/clusters".to_owned(),
        format!("{CLUSTERS}/x/scale"),
        format!("{CLUSTERS}/x/status/y"),
        "/apis/cluster.karmada.io/v1alpha1/watch/clusters/x/proxy".to_owned(),
    ] {
        check(&fixture.get(&path, &[]).await, 404, unknown);
    }
}

// On paused time: a watch that is served by mistake ends.
#[tokio::test(start_paused = true)]
async fn methods_that_are_not_served_are_refused() {
    let fixture = Fixture::new().await;
    let unknown = "the server could not find the requested resource";
    let refused = "the server does not allow this method on the requested resource";
    for (method, path) in [
        ("POST", format!("{CLUSTERS}/x")),
        ("PUT", CLUSTERS.to_owned()),
        ("OPTIONS", CLUSTERS.to_owned()),
        ("DELETE", format!("{CLUSTERS}/x/status")),
        ("POST", "/version".to_owned()),
        ("DELETE", "/apis".to_owned()),
        ("POST", "/apis/cluster.karmada.io".to_owned()),
        ("PUT", "/apis/cluster.karmada.io/v1alpha1".to_owned()),
        (
            "POST",
            "/apis/cluster.karmada.io/v1alpha1/watch/clusters".to_owned(),
        ),
    ] {
        let got = fixture.ask(method, &path, &[], "").await;
        check(&got, 405, refused);
        assert!(!got.headers.contains_key("allow"), "{method} {path}");
    }
    check(
        &fixture
            .ask("POST", "/apis/cluster.karmada.io/v2", &[], "")
            .await,
        404,
        unknown,
    );
    for (method, path, want) in [
        ("POST", "/apis/apps", 404),
        ("HEAD", "/version", 405),
        ("HEAD", "/apis", 405),
        ("HEAD", "/apis/cluster.karmada.io/v1alpha1", 405),
        ("HEAD", "/", 200),
        ("POST", "/", 200),
        ("GET", "/index.html", 200),
    ] {
        let got = fixture.ask(method, path, &[], "").await;
        assert_eq!(got.code.as_u16(), want, "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_no_object_comes_in_json_alone() {
    let fixture = Fixture::new().await;
    let refused =
        |types: &str| format!("406: Not Acceptable\n\nAvailable representations: {types}");
    let all = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    let cbor = [("accept", "application/cbor")];
    for path in [
        "/apis",
        "/apis/cluster.karmada.io",
        "/apis/cluster.karmada.io/v1alpha1",
    ] {
        check(&fixture.get(path, &cbor).await, 406, &refused(all));
    }
    for accept in ["application/cbor", "application/*"] {
        let got = fixture.get("/version", &[("accept", accept)]).await;
        check(&got, 406, &refused("application/json"));
    }
    for accept in ["", "*/*", "text/html, application/json;q=0.1"] {
        let got = fixture.get("/version", &[("accept", accept)]).await;
        assert_eq!(got.code.as_u16(), 200, "{accept}");
    }
}

#[tokio::test]
async fn the_status_page_is_text_unless_an_object_is_asked_for() {
    let fixture = Fixture::new().await;
    let page = async |accept: &str| fixture.get("/statusz", &[("accept", accept)]).await;
    for accept in ["", "*/*", "text/*", "text/plain"] {
        let got = page(accept).await;
        assert!(got.text().starts_with("\napiserver statusz\n"), "{accept}");
    }
    let of = |version: &str| format!(";g=config.k8s.io;v={version};as=Statusz");
    for (format, version, warned) in [("json", "v1beta1", false), ("yaml", "v1alpha1", true)] {
        let accept = format!("application/{format};as=Statusz;v={version};g=config.k8s.io");
        let got = page(&accept).await;
        assert_eq!(
            got.header("content-type"),
            format!("application/{format}{}", of(version))
        );
        assert_eq!(got.headers.contains_key("warning"), warned, "{accept}");
        assert_eq!(got.text().starts_with('{'), format == "json");
    }
    let got = page(&format!("application/json{}", of("v1beta1")))
        .await
        .json();
    let paths = json!(["/healthz", "/livez", "/metrics", "/readyz", "/version"]);
    assert_eq!(
        (&got["kind"], &got["metadata"]["name"]),
        (&"Statusz".into(), &"apiserver".into())
    );
    assert_eq!(got["paths"], paths);
    let want = "only the following media types are accepted: application/json, application/yaml, \
                text/plain";
    for accept in [
        "application/json",
        "text/html",
        "application/json;as=Statusz",
    ] {
        check(&page(accept).await, 406, want);
    }
    let cbor = format!("application/cbor{}", of("v1beta1"));
    check(&page(&cbor).await, 406, want);
}
