//! Callers that misbehave: slow ones are cut off, hasty ones harm nobody else.

use std::{convert::Infallible, time::Duration};

use fleetgate_model::PeerAddress;
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, FakeMember};
use http::{Request, Response};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, sleep},
};
use tokio_util::task::TaskTracker;
use tower::service_fn;

use super::support::{
    END, GOAWAY, HEADERS, Http2, MAX_STREAMS, RST_STREAM, RawHttp2, World, frame, get_block,
    member_leaf,
};
use crate::serve::{HEAD_TIMEOUT, PING_INTERVAL, PING_TIMEOUT, Shared, builder};

/// Longer than anybody is waited for.
const HOUR: Duration = Duration::from_secs(3600);

/// HTTP on a pipe, served as on a socket after TLS.
fn served(tasks: &TaskTracker) -> DuplexStream {
    let (caller, server) = duplex(1 << 10);
    let service = service_fn(async |request: Request<Body>| {
        let body = http_body_util::BodyExt::collect(request.into_body()).await;
        let bytes = body.map(|body| body.to_bytes()).unwrap_or_default();
        Ok::<_, Infallible>(Response::new(Body::full(bytes)))
    });
    let shared = Shared {
        acceptor: std::sync::Arc::new(super::support::any_tls()).into(),
        builder: std::sync::Arc::new(builder(100)),
        service,
        connections: tasks.clone(),
    };
    let peer = PeerAddress(([127, 0, 0, 1], 1).into());
    tasks.spawn(async move {
        let graceful = GracefulShutdown::new();
        let watcher = graceful.watcher();
        shared
            .http(server, peer, None, watcher)
            .await
            .unwrap_or_default();
    });
    caller
}

/// Sends `bytes` one by one, `pace` apart, and tells when the server closed.
async fn until_cut(bytes: &[u8], pace: Duration) -> Duration {
    let tasks = TaskTracker::new();
    let (mut read, mut write) = tokio::io::split(served(&tasks));
    let since = Instant::now();
    let send = async {
        for byte in bytes {
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(pace).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let closed = async { read.read_to_end(&mut answer).await.unwrap_or_default() };
    tokio::select! {
        () = send => {}
        _ = closed => {}
        () = sleep(HOUR) => {}
    }
    since.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_is_slow_to_say_what_it_wants_is_cut_off() {
    let second = Duration::from_secs(1);
    let head = format!(
        "GET / HTTP/1.1\r\nHost: server\r\nX: {}",
        "x".repeat(1 << 10)
    );
    for (bytes, pace) in [
        (&b""[..], second),
        (b"P", second),
        (b"GET", second),
        (head.as_bytes(), second),
        (b"PRI * HTTP/2.0\r\n\r\nS", second),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 10 * second),
    ] {
        let cut = until_cut(bytes, pace).await;
        assert!(
            (HEAD_TIMEOUT..HEAD_TIMEOUT + 2 * second).contains(&cut),
            "{cut:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_never_ends_its_headers_is_cut_off_by_a_ping() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // A HEADERS frame without END_HEADERS, and then CONTINUATIONs of nothing.
    let begun = frame(HEADERS, 1, 1, &get_block("/", &[]));
    let dribble = vec![frame(9, 0, 1, b"\x00\x01x\x01x"); 20].concat();
    let bytes = [preface, frame(4, 0, 0, &[]), begun, dribble].concat();
    let cut = until_cut(&bytes, Duration::from_millis(500)).await;
    assert!(cut <= 4 * (PING_INTERVAL + PING_TIMEOUT), "{cut:?}");
}

/// A request for `path` on each of `count` streams, taken back at once.
fn taken_back(path: &str, count: u32) -> Vec<u8> {
    let block = get_block(path, &[]);
    let pairs = (0..count).flat_map(|n| {
        let stream = 2 * n + 1;
        [
            frame(HEADERS, END, stream, &block),
            frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
        ]
    });
    pairs.flatten().collect()
}

/// A hub puts the requests of many callers on one connection, and some go away all at once.
#[tokio::test]
async fn who_takes_back_as_many_requests_as_there_may_be_ends_no_other() {
    let member = FakeMember::tls(&member_leaf()).echo().await;
    let world = World::start(&member.url()).await;
    let mut hub = RawHttp2::start(&world).await;
    let path = format!("{}/version", super::support::PROXY);
    let all = [
        taken_back(&path, MAX_STREAMS),
        frame(HEADERS, END, 2 * MAX_STREAMS + 1, &get_block(&path, &[])),
    ];
    hub.stream.write_all(&all.concat()).await.expect("sent");
    assert!(hub.is_served().await);
}

#[tokio::test]
async fn a_caller_who_takes_requests_back_at_once_is_sent_away() {
    const ENHANCE_YOUR_CALM: [u8; 4] = 11_u32.to_be_bytes();
    let member = FakeMember::tls(&member_leaf())
        .start(|_| Answer::StallBeforeHeaders)
        .await;
    let world = World::start(&member.url()).await;
    let mut hasty = RawHttp2::start(&world).await;
    let path = format!("{}/version", super::support::PROXY);
    let pairs = taken_back(&path, 20 * MAX_STREAMS);
    // The server may close before it has read them all.
    hasty.stream.write_all(&pairs).await.unwrap_or_default();
    let reason = loop {
        let (kind, payload) = hasty.next().await.expect("a word before the end");
        if kind == GOAWAY {
            break payload[4..8].to_vec();
        }
    };
    assert_eq!(reason, ENHANCE_YOUR_CALM);
    // But for one at the end of each read, which was taken back in the next.
    assert!(member.received().len() < 10, "{:?}", member.received());
    let mut other = world.http2().await;
    let request = Http2::request("/../x").body(()).expect("a request");
    assert_eq!(
        other.exchange(request, b"").await.expect("an answer").code,
        400
    );
}

#[tokio::test]
async fn frames_that_make_no_sense_end_their_connection_alone() {
    let member = FakeMember::tls(&member_leaf()).echo().await;
    let world = World::start(&member.url()).await;
    let mut steady = world.http2().await;
    for nonsense in [
        frame(HEADERS, END, 0, &[0x82]),
        frame(HEADERS, END, 2, &[0x82]),
        frame(HEADERS, END, 1, &[0xff; 40]),
        frame(0, 0, 1, b"data of no stream"),
        frame(4, 0, 0, &[0; 5]),
        frame(6, 0, 0, &[0; 7]),
        vec![0xff; 64],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ] {
        let mut raw = RawHttp2::start(&world).await;
        raw.stream.write_all(&nonsense).await.expect("sent");
        assert!(raw.is_refused().await, "{nonsense:?}");
        let seen = steady.get("/x").await.expect("an answer");
        assert_eq!(seen.code, 200);
    }
}
