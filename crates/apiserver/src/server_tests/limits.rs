//! How long a request may take.

use bytes::Bytes;
use fleetgate_stack::Body;
use futures::stream;
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::Instant;

use crate::testing::{CLUSTERS, Fixture};

/// A create whose body never comes, with `query`: how long it took, and what was said of it.
async fn seconds_of_create(query: &str) -> (u64, StatusCode) {
    let fixture = Fixture::new().await;
    let target = format!("{CLUSTERS}{query}");
    let mut admitted = Fixture::admit("POST", &target, &[], "");
    let never = stream::pending::<Result<Frame<Bytes>, std::io::Error>>();
    *admitted.request.body_mut() = Body::new(StreamBody::new(never));
    let start = Instant::now();
    let response = fixture.server.serve(admitted).await;
    (start.elapsed().as_secs(), response.status())
}

#[tokio::test(start_paused = true)]
async fn a_request_takes_no_longer_than_it_says_and_than_the_limit() {
    let late = StatusCode::GATEWAY_TIMEOUT;
    assert_eq!(seconds_of_create("").await, (60, late));
    assert_eq!(seconds_of_create("?timeout=5s").await, (5, late));
    assert_eq!(seconds_of_create("?timeout=1h").await, (60, late));
    assert_eq!(seconds_of_create("?timeout=0").await, (60, late));
    assert_eq!(seconds_of_create("?timeout=-5s").await, (60, late));
    assert_eq!(seconds_of_create("?timeout=5s&timeout=x").await, (5, late));
}

#[tokio::test]
async fn a_timeout_that_is_none_is_refused() {
    let fixture = Fixture::new().await;
    let targets = [
        format!("{CLUSTERS}?timeout=1d"),
        "/version?timeout=1d".to_owned(),
        "/apis?timeout=1d".to_owned(),
    ];
    for target in targets {
        let got = fixture.get(&target, &[]).await;
        assert_eq!(got.code, StatusCode::BAD_REQUEST, "{target}");
        assert_eq!(
            got.json()["message"],
            "invalid timeout specified in the request URL - time: unknown unit \"d\" in duration \
             \"1d\""
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_has_its_own_time() {
    let fixture = Fixture::new().await;
    let target = format!("{CLUSTERS}?watch=1&timeoutSeconds=70&timeout=x");
    let start = Instant::now();
    let got = fixture.get(&target, &[]).await;
    assert_eq!((got.code, start.elapsed().as_secs()), (StatusCode::OK, 70));
}
