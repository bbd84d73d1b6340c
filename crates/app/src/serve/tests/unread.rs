//! Whoever still sends when the answer comes gets the answer, and is not cut off at once.

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use h2::Reason;
use http::Method;
use tokio::time::{Instant, timeout};

use super::support::{End, Http2, PATIENCE, PROXY, World};

/// Refused before anybody reads a body.
const REFUSED: &str = "/../x";

#[tokio::test]
async fn a_caller_of_http2_may_send_the_rest_behind_the_answer() {
    let world = World::start("http://127.0.0.1:1").await;
    let mut caller = world.http2().await;
    let request = Http2::request(REFUSED).method(Method::POST);
    let request = request.body(()).expect("a request");
    let sent = caller.sender.send_request(request, false);
    let (answer, mut body) = sent.expect("sent");
    let answer = timeout(PATIENCE, answer).await.expect("in time");
    let mut answer = answer.expect("an answer").into_body();
    while let Some(piece) = timeout(PATIENCE, answer.data()).await.expect("in time") {
        piece.expect("a piece");
    }
    // A reset would have come before the answer to this one.
    caller.get(REFUSED).await.expect("an answer");
    body.send_data(Bytes::from_static(b"rest"), true)
        .expect("the stream is open");
}

#[tokio::test]
async fn nobody_is_listened_to_for_long() {
    let world = World::start("http://127.0.0.1:1").await;
    let mut caller = world.http2().await;
    let request = Http2::request(REFUSED).method(Method::POST);
    let request = request.body(()).expect("a request");
    let since = Instant::now();
    let sent = caller.sender.send_request(request, false);
    let (answer, mut body) = sent.expect("sent");
    let reset = timeout(PATIENCE, poll_fn(|cx| body.poll_reset(cx))).await;
    let reset = reset.expect("in time").expect("a reset");
    assert_eq!(reset, Reason::NO_ERROR);
    assert!(since.elapsed() >= Duration::from_secs(1));
    assert_eq!(answer.await.expect("an answer").status(), 400);
}

#[tokio::test]
async fn a_caller_of_http1_may_send_the_rest_behind_the_answer() {
    let world = World::start("http://127.0.0.1:1").await;
    let mut caller = world.http1().await;
    let head =
        format!("POST {PROXY}{REFUSED} HTTP/1.1\r\nHost: server\r\nContent-Length: 8\r\n\r\n");
    caller.write(head.as_bytes()).await;
    let first = caller.answer().await.expect("an answer");
    assert_eq!((first.code, first.end), (400, End::Whole));
    // Of the same connection, which is used again.
    caller.write(b"the rest").await;
    let head = format!("GET {PROXY}{REFUSED} HTTP/1.1\r\nHost: server\r\n\r\n");
    caller.write(head.as_bytes()).await;
    let second = caller.answer().await.expect("an answer");
    assert_eq!(second.code, 400);
}
