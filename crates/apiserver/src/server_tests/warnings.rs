//! What is warned of, whatever becomes of a write.

use http::header::WARNING;

use crate::testing::{Answered, CLUSTERS, Fixture};

const UNKNOWN: &str = r#"299 - "unknown field \"nope\"""#;

#[track_caller]
fn check(got: &Answered, code: u16, want: &[&str]) {
    let warnings = got.headers.get_all(WARNING).iter();
    let warnings: Vec<_> = warnings
        .map(|value| value.to_str().expect("text"))
        .collect();
    assert_eq!(
        (got.code.as_u16(), warnings.as_slice()),
        (code, want),
        "{}",
        got.text()
    );
}

/// A cluster called `name` with an unknown field.
fn unknown(name: &str, sync_mode: &str) -> String {
    format!(
        r#"{{"apiVersion":"cluster.karmada.io/v1alpha1","kind":"Cluster",
        "metadata":{{"name":"{name}"}},"spec":{{"syncMode":"{sync_mode}"}},"nope":1}}"#
    )
}

const MERGE: [(&str, &str); 1] = [("content-type", "application/merge-patch+json")];

/// A server with the cluster `a`, and its path.
async fn with_a() -> (Fixture, String) {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    (fixture, format!("{CLUSTERS}/a"))
}

#[tokio::test]
async fn a_write_that_fails_warns_of_its_body_too() {
    let (fixture, object) = with_a().await;
    check(
        &fixture
            .ask("POST", CLUSTERS, &[], unknown("b", "Bad"))
            .await,
        422,
        &[UNKNOWN],
    );
    check(
        &fixture
            .ask("POST", CLUSTERS, &[], unknown("a", "Push"))
            .await,
        409,
        &[UNKNOWN],
    );
    check(
        &fixture.ask("PUT", &object, &[], unknown("a", "Bad")).await,
        422,
        &[UNKNOWN],
    );
    check(
        &fixture.ask("PUT", &object, &[], unknown("b", "Push")).await,
        400,
        &[UNKNOWN],
    );
    let patch = r#"{"nope":1,"spec":{"syncMode":"Bad"}}"#;
    check(
        &fixture.ask("PATCH", &object, &MERGE, patch).await,
        422,
        &[UNKNOWN],
    );
}

#[tokio::test]
async fn what_could_not_be_read_is_not_warned_of() {
    let (fixture, object) = with_a().await;
    check(
        &fixture
            .ask("POST", CLUSTERS, &[], r#"{"nope":1,"spec":5}"#)
            .await,
        400,
        &[],
    );
    check(
        &fixture
            .ask("PATCH", &object, &MERGE, r#"{"nope":1,"spec":5}"#)
            .await,
        422,
        &[],
    );
}

#[tokio::test]
async fn an_apply_warns_of_its_body_once_it_is_merged() {
    const TWICE: &str = r#"299 - "line 4: key \"syncMode\" already set in map""#;
    let (fixture, object) = with_a().await;
    let apply = async |mode: &str, rest: &str, query: &str| {
        let kind = "apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\n";
        let body = format!("{kind}spec: {{syncMode: x,\n syncMode: {mode}}}\n{rest}");
        let target = format!("{object}?fieldManager=m{query}");
        let yaml = [("content-type", "application/apply-patch+yaml")];
        fixture.ask("PATCH", &target, &yaml, body).await
    };
    check(&apply("Push", "", "&force=true").await, 200, &[TWICE]);
    // Merged, and not valid.
    check(&apply("Bad", "", "&force=true").await, 422, &[TWICE]);
    // Not merged: of another's field, of no such field, and of what stands there twice.
    check(&apply("Pull", "", "2").await, 409, &[]);
    check(&apply("Push", "nope: 1\n", "").await, 500, &[]);
    let strict = "&force=true&fieldValidation=Strict";
    check(&apply("Push", "", strict).await, 400, &[]);
    let ignored = "&force=true&fieldValidation=Ignore";
    check(&apply("Push", "", ignored).await, 200, &[]);
}
