//! What many streams of a connection say at once is written at once.

use std::{convert::Infallible, sync::Arc};

use bytes::{Buf, Bytes};
use fleetgate_stack::{Body, Tasks};
use futures::{StreamExt, future::join_all, stream};
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::Frame;
use parking_lot::Mutex;
use tokio::{sync::watch, time::timeout};
use tokio_util::io::InspectReader;
use tower::service_fn;

use super::support::{PATIENCE, World};

/// Watches of one connection.
const WATCHES: usize = 50;
/// Of each of them.
const EVENT: usize = 1_000;
const HEADER: usize = 5;

/// How many TLS records there are in `bytes` (RFC 8446, section 5.1).
fn records(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while bytes.remaining() >= HEADER {
        bytes.advance(HEADER - 2);
        let len = usize::from(bytes.get_u16());
        bytes.advance(len.min(bytes.remaining()));
        count += 1;
    }
    count
}

#[tokio::test]
async fn an_event_for_many_watches_of_a_connection_takes_few_records() {
    let (tell, told) = watch::channel(Bytes::new());
    let service = service_fn(move |_: Request<Body>| {
        let events = stream::unfold(told.clone(), |mut told| async {
            told.changed().await.ok()?;
            let event = told.borrow_and_update().clone();
            Some((event, told))
        });
        let frames = events.map(|event| Ok::<_, Infallible>(Frame::data(event)));
        let body = Body::new(StreamBody::new(frames));
        std::future::ready(Ok::<_, Infallible>(Response::new(body)))
    });
    let world = World::serving(service, Tasks::default()).await;
    let came = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&came);
    let io = InspectReader::new(world.tcp().await, move |bytes: &[u8]| {
        kept.lock().extend_from_slice(bytes);
    });
    let mut caller = world.http2_over(io).await;
    let mut watches = Vec::new();
    for _ in 0..WATCHES {
        let request = Request::get("https://server/watch").body(());
        let sent = caller
            .sender
            .send_request(request.expect("a request"), true);
        let answer = timeout(PATIENCE, sent.expect("sent").0).await;
        watches.push(answer.expect("in time").expect("an answer").into_body());
    }
    came.lock().clear();

    tell.send_replace(vec![1; EVENT].into());
    let read = watches.iter_mut().map(async |watch| {
        let mut left = EVENT;
        while left > 0 {
            let data = timeout(PATIENCE, watch.data()).await.expect("in time");
            left -= data.expect("no end").expect("no reset").len();
        }
    });
    join_all(read).await;
    let came = came.lock();
    assert!(came.len() > WATCHES * EVENT, "{} bytes", came.len());
    let records = records(&came);
    assert!(records < WATCHES / 5, "{records} records");
}
