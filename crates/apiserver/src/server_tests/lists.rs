//! Lists, whole and in the types of their path.

use std::io::Read;

use http::StatusCode;
use serde_json::json;

use super::check;
use crate::testing::{CLUSTERS, Fixture};

#[tokio::test]
async fn lists_are_whole_however_large_they_are() {
    let fixture = Fixture::new().await;
    let empty = fixture.get(CLUSTERS, &[]).await;
    assert_eq!(empty.json()["items"], json!([]));
    let names: Vec<_> = (0..100).map(|n| format!("c{n:02}")).collect();
    for name in &names {
        fixture.create(name).await;
    }
    let plain = fixture.get(CLUSTERS, &[]).await;
    let items = plain.json()["items"].as_array().expect("items").clone();
    let found: Vec<_> = items.iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(found, names.iter().collect::<Vec<_>>());
    assert!(plain.text().ends_with("]}\n"));
    assert!(plain.body.len() > 128 << 10, "{}", plain.body.len());
    let pretty = fixture.get(&format!("{CLUSTERS}?pretty=1"), &[]).await;
    assert_eq!(pretty.json(), plain.json());
    let zipped = fixture.get(CLUSTERS, &[("accept-encoding", "gzip")]).await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    assert_eq!(zipped.header("vary"), "Accept-Encoding");
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(&*zipped.body)
        .read_to_end(&mut unzipped)
        .expect("gzip");
    assert_eq!(unzipped, plain.body);
}

#[tokio::test]
async fn nobody_is_answered_in_a_type_that_the_path_does_not_have() {
    let fixture = Fixture::new().await;
    let html = [("accept", "text/html")];
    let types = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    let text = format!("406: Not Acceptable\n\nAvailable representations: {types}");
    let one = fixture.get(&format!("{CLUSTERS}/a"), &html).await;
    check(&one, 406, &text);
    let created = fixture.ask("POST", CLUSTERS, &html, "{}").await;
    check(&created, 406, &text);
    let many = fixture.get(CLUSTERS, &html).await;
    let streams = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    check(&many, 406, &format!("{text}, {streams}"));
    let unserved = fixture.ask("PUT", CLUSTERS, &html, "{}").await;
    assert_eq!(unserved.code, StatusCode::METHOD_NOT_ALLOWED);
}
