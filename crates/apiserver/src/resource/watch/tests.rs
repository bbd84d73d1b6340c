//! Watches as callers see them.

use std::{pin::pin, task::Poll, time::Duration};

use futures::{StreamExt, poll};
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::testing::{CLUSTERS, Fixture, TABLE};

/// Opens the watch that `target` asks for; its events as they come.
async fn watch(
    fixture: &Fixture,
    target: &str,
    headers: &[(&str, &str)],
) -> impl futures::Stream<Item = Value> + Unpin + use<> {
    let response = fixture
        .server
        .serve(Fixture::admit("GET", target, headers, ""))
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    let frames = response.into_body().into_data_stream();
    frames
        .map(|frame| serde_json::from_slice(&frame.expect("a frame")).expect("one line"))
        .boxed()
}

#[tokio::test(start_paused = true)]
async fn events_are_sent_one_by_one_until_the_server_ends() {
    let fixture = Fixture::new().await;
    let mut events = watch(&fixture, &format!("{CLUSTERS}?watch"), &[]).await;
    fixture.create("a").await;
    let event = events.next().await.expect("an event");
    assert_eq!(
        (&event["type"], &event["object"]["metadata"]["name"]),
        (&json!("ADDED"), &json!("a"))
    );
    assert!(matches!(poll!(pin!(events.next())), Poll::Pending));
    fixture
        .ask("DELETE", &format!("{CLUSTERS}/a"), &[], "")
        .await;
    assert_eq!(events.next().await.expect("an event")["type"], "DELETED");
    let before = tokio::time::Instant::now();
    fixture.tasks.stopping().cancel();
    assert_eq!(events.next().await, None);
    assert_eq!(
        before.elapsed(),
        Duration::ZERO,
        "the watch ended at its own time"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_outlives_the_time_of_other_requests_and_ends_at_its_own() {
    let fixture = Fixture::new().await;
    let started = tokio::time::Instant::now();
    let target = "/apis/cluster.karmada.io/v1alpha1/watch/clusters?timeoutSeconds=100";
    let mut events = watch(&fixture, target, &[]).await;
    assert_eq!(events.next().await, None);
    assert_eq!(started.elapsed().as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn the_first_event_of_a_table_has_the_headers() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    fixture.create("b").await;
    let mut events = watch(&fixture, &format!("{CLUSTERS}?watch=1"), &[TABLE]).await;
    let (first, second) = (events.next().await.unwrap(), events.next().await.unwrap());
    assert_eq!(
        first["object"]["columnDefinitions"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a");
    assert_eq!(second["object"]["columnDefinitions"], Value::Null);

    // To whom it is the first, the same event says more.
    let version = &first["object"]["metadata"]["resourceVersion"];
    let later = format!(
        "{CLUSTERS}?watch=1&resourceVersion={}",
        version.as_str().unwrap()
    );
    let first = watch(&fixture, &later, &[TABLE])
        .await
        .next()
        .await
        .unwrap();
    assert_eq!(first["object"]["rows"][0]["cells"][0], "b");
    assert!(first["object"]["columnDefinitions"].is_array());
}

#[tokio::test]
async fn a_watch_that_cannot_begin_is_refused() {
    let fixture = Fixture::new().await;
    let got = fixture
        .get(&format!("{CLUSTERS}?watch&resourceVersion=x"), &[])
        .await;
    assert_eq!(got.code, StatusCode::INTERNAL_SERVER_ERROR, "as Kubernetes");
    let yaml = [("accept", "application/yaml")];
    assert_eq!(
        fixture
            .get(&format!("{CLUSTERS}?watch"), &yaml)
            .await
            .code
            .as_u16(),
        406
    );
}

/// The next frame of a watch, as it is sent.
async fn frame(response: &mut http::Response<fleetgate_stack::Body>) -> bytes::Bytes {
    let frame = response.body_mut().frame().await.expect("a frame");
    frame.expect("a frame").into_data().expect("data")
}

#[tokio::test(start_paused = true)]
async fn all_who_watch_in_one_form_share_its_bytes() {
    let fixture = Fixture::new().await;
    let target = format!("{CLUSTERS}?watch&resourceVersion=1");
    let partial = (
        "accept",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    );
    let plain = ("accept", "application/json");
    let mut frames = Vec::new();
    for accept in [plain, plain, partial, partial] {
        let admitted = Fixture::admit("GET", &target, &[accept], "");
        frames.push(fixture.server.serve(admitted).await);
    }
    fixture.create("a").await;
    fixture
        .ask("DELETE", &format!("{CLUSTERS}/a"), &[], "")
        .await;
    for kind in ["ADDED", "DELETED"] {
        let mut sent = Vec::new();
        for response in &mut frames {
            sent.push(frame(response).await);
        }
        let [one, two, three, four] = sent.as_slice() else {
            panic!("{sent:?}")
        };
        assert!(one.starts_with(format!("{{\"type\":\"{kind}\"").as_bytes()));
        assert_eq!(one.as_ptr(), two.as_ptr(), "{kind}");
        assert_eq!(three.as_ptr(), four.as_ptr(), "{kind}");
        assert_ne!(one, three);
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_shows_where_the_initial_events_end() {
    let fixture = Fixture::new().await;
    let query = "watch&includeObject=None&allowWatchBookmarks=1";
    let mut events = watch(&fixture, &format!("{CLUSTERS}?{query}"), &[TABLE]).await;
    let event = events.next().await.expect("an event");
    let row = &event["object"]["rows"][0]["object"];
    assert_eq!(event["type"], "BOOKMARK");
    assert_eq!(
        row["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
}
