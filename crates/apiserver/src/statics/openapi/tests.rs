//! What callers get of the documents, and when they need not get them again.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::testing::{Answered, Fixture};

const V3: &str = "/openapi/v3/apis/cluster.karmada.io/v1alpha1";
const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

#[track_caller]
fn check(answered: &Answered, code: u16, headers: &[(&str, &str)]) {
    assert_eq!(answered.code.as_u16(), code, "{}", answered.text());
    for (name, want) in headers {
        assert_eq!(answered.header(name), *want, "{name}");
    }
}

/// `serverRelativeURL` of the group's document.
async fn listed(fixture: &Fixture) -> String {
    let index = fixture.get("/openapi/v3", &[]).await.json();
    let same = fixture.get("/openapi/v3/", &[]).await.json();
    assert_eq!(index, same);
    let entry = &index["paths"]["apis/cluster.karmada.io/v1alpha1"];
    let url = entry["serverRelativeURL"].as_str();
    url.expect("a URL").to_owned()
}

#[tokio::test]
async fn documents_come_in_the_form_that_is_accepted() {
    let fixture = Fixture::new().await;
    let json = [
        ("content-type", "application/json"),
        ("cache-control", "no-cache, private"),
    ];
    let plain = fixture.get("/openapi/v2", &[]).await;
    check(&plain, 200, &json);
    assert_eq!(plain.json()["info"]["title"], "Karmada");
    assert_eq!(plain.json()["info"]["version"], "1.36");
    let vary = plain.headers.get_all("vary").iter();
    assert_eq!(vary.collect::<Vec<_>>(), ["Accept-Encoding", "Accept"]);
    let old = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    for accept in [V2_PROTOBUF, old] {
        let protobuf = fixture.get("/openapi/v2", &[("accept", accept)]).await;
        check(
            &protobuf,
            200,
            &[
                ("content-type", V2_PROTOBUF),
                ("etag", plain.header("etag")),
            ],
        );
        assert_eq!(protobuf.body[..5], *b"\n\x032.0");
    }
    for path in ["/openapi/v2", V3] {
        let refused = fixture.get(path, &[("accept", "application/yaml")]).await;
        check(
            &refused,
            406,
            &[("cache-control", "no-cache, private"), ("content-type", "")],
        );
        assert_eq!(refused.body, [0; 0]);
    }
    let group = fixture.get(V3, &[]).await;
    check(&group, 200, &json);
    check(&group, 200, &[("vary", "Accept"), ("expires", "")]);
    assert_eq!(group.json()["info"]["title"], "Generic API Server");
    let accept = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf";
    let protobuf = fixture.get(V3, &[("accept", accept)]).await;
    let content_type = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf";
    check(&protobuf, 200, &[("content-type", content_type)]);
    for path in [
        "/openapi/v3/apis/apps/v1",
        "/openapi/v3/apis/",
        "/openapi/v2/",
        "/openapi",
    ] {
        check(&fixture.get(path, &[]).await, 404, &[]);
    }
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again() {
    let fixture = Fixture::new().await;
    for path in ["/openapi/v2", "/openapi/v3", V3] {
        let first = fixture.get(path, &[]).await;
        let tag = first.header("etag").to_owned();
        for known in [&tag, "*", &format!("\"x\", W/{tag}")] {
            let again = fixture.get(path, &[("if-none-match", known)]).await;
            check(
                &again,
                304,
                &[("etag", &tag), ("content-type", ""), ("last-modified", "")],
            );
            assert_eq!(again.body, [0; 0]);
        }
        let other = [
            ("if-none-match", "\"x\""),
            ("if-modified-since", first.header("last-modified")),
        ];
        check(&fixture.get(path, &other).await, 200, &[]);
        check(&fixture.get(path, &other[1..]).await, 304, &[]);
    }
}

#[tokio::test]
async fn a_document_is_kept_for_as_long_as_its_hash_is_right() {
    let fixture = Fixture::new().await;
    let url = listed(&fixture).await;
    let kept = fixture.get(&url, &[]).await;
    check(
        &kept,
        200,
        &[("cache-control", "public, immutable"), ("vary", "Accept")],
    );
    assert!(kept.header("expires").ends_with(" GMT"));
    assert!(url.ends_with(kept.header("etag").trim_matches('"')));
    let old = fixture.get(&format!("{V3}?hash=OLD"), &[]).await;
    check(
        &old,
        200,
        &[("cache-control", "no-cache, private"), ("expires", "")],
    );
    assert_eq!(old.body, kept.body);
}

#[tokio::test]
async fn version_2_is_compressed_for_those_who_take_gzip() {
    let fixture = Fixture::new().await;
    let plain = fixture
        .get("/openapi/v2", &[("accept-encoding", "gzip;q=0, br")])
        .await;
    check(&plain, 200, &[("content-encoding", "")]);
    let gzip = fixture
        .get("/openapi/v2", &[("accept-encoding", "br, gzip")])
        .await;
    check(
        &gzip,
        200,
        &[("content-encoding", "gzip"), ("etag", plain.header("etag"))],
    );
    let mut body = Vec::new();
    GzDecoder::new(&*gzip.body)
        .read_to_end(&mut body)
        .expect("gzip");
    assert_eq!(body, plain.body);
    let again = [
        ("accept-encoding", "gzip"),
        ("if-none-match", plain.header("etag")),
    ];
    check(
        &fixture.get("/openapi/v2", &again).await,
        304,
        &[("content-encoding", "")],
    );
}

#[tokio::test]
async fn head_has_the_headers_alone() {
    let fixture = Fixture::new().await;
    for path in ["/openapi/v2", "/openapi/v3", V3] {
        let length = fixture.get(path, &[]).await.body.len().to_string();
        let head = fixture.ask("HEAD", path, &[], "").await;
        check(&head, 200, &[("content-length", &length)]);
        assert_eq!(head.body, [0; 0]);
    }
}

#[tokio::test]
async fn the_index_names_every_document() {
    let fixture = Fixture::new().await;
    let index = fixture.get("/openapi/v3", &[]).await;
    check(&index, 200, &[("content-type", "application/json")]);
    for entry in index.json()["paths"].as_object().expect("paths").values() {
        let url = entry["serverRelativeURL"].as_str().expect("a URL");
        let document = fixture.get(url, &[]).await;
        check(&document, 200, &[("cache-control", "public, immutable")]);
        assert!(matches!(document.json(), Value::Object(_)), "{url}");
    }
}
