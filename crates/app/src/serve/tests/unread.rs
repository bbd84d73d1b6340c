//! Whoever still sends when the answer comes gets the answer, and is not cut off at once.

use std::{
    convert::Infallible,
    future::{self, poll_fn},
    time::Duration,
};

use bytes::Bytes;
use fleetgate_stack::{Body, Tasks};
use h2::Reason;
use http::{Method, Request, Response};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout},
};
use tower::service_fn;

use super::support::{
    END, End, HEADERS, Http2, PATIENCE, PROXY, RawHttp2, World, frame, get_block,
};

/// Frame type, and flag.
const DATA: u8 = 0;
const END_HEADERS: u8 = 4;
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
async fn a_body_that_comes_by_the_byte_and_is_not_read_ends_no_other_request() {
    let reads_nothing = service_fn(async |request: Request<Body>| {
        if request.method() == Method::POST {
            future::pending::<()>().await;
        }
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let world = World::serving(reads_nothing, Tasks::default()).await;
    let mut caller = RawHttp2::start(&world).await;
    let block = get_block("/", &[]);
    // The same block but for the third of the static table, POST.
    let post = [&[0x83], &block[1..]].concat();
    let bytes = frame(DATA, 0, 1, b"x").repeat(40_000);
    let all = [
        frame(HEADERS, END_HEADERS, 1, &post),
        bytes,
        frame(HEADERS, END, 3, &block),
    ];
    caller.stream.write_all(&all.concat()).await.expect("sent");
    assert!(caller.is_served().await);
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
