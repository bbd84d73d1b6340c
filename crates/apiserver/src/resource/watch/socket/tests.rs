//! Watches over WebSocket, as browsers see them.

use std::{pin::pin, task::Poll};

use bytes::Bytes;
use fleetgate_model::User;
use fleetgate_stack::Body;
use futures::{SinkExt, StreamExt, poll, stream};
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, ext::Protocol, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{DuplexStream, duplex},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};
use tokio_util::sync::CancellationToken;

use super::{Handshake, PARTING, converse};
use crate::testing::{CLUSTERS, Fixture};

const ASKED: [(&str, &str); 4] = [
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "WebSocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn asked(change: &[(&'static str, &'static str)]) -> Parts {
    let mut request = Request::builder();
    for (name, value) in ASKED {
        request = request.header(name, value);
    }
    let (mut parts, ()) = request.body(()).expect("a request").into_parts();
    for (name, value) in change {
        parts.headers.insert(*name, value.parse().expect("a value"));
    }
    parts
}

#[track_caller]
fn check_refused(change: &[(&'static str, &'static str)], want: &str) {
    let refused = Handshake::of(&asked(change)).expect_err("refused");
    assert_eq!((refused.code, refused.message.as_str()), (400, want));
}

#[track_caller]
fn check_protocol(named: &'static str, want: Option<&str>) {
    let handshake = Handshake::of(&asked(&[("sec-websocket-protocol", named)]));
    let answer = handshake.expect("taken").expect("a WebSocket").answer();
    let got = answer.headers().get("sec-websocket-protocol");
    assert_eq!(got.map(|got| got.to_str().expect("text")), want, "{named}");
}

#[test]
fn only_a_websocket_that_is_whole_is_begun() {
    check_refused(
        &[("sec-websocket-version", "12")],
        "missing or bad WebSocket Version",
    );
    check_refused(&[("sec-websocket-key", "")], "mismatch challenge/response");
    for change in [("upgrade", "h2c"), ("connection", "keep-alive")] {
        assert!(
            Handshake::of(&asked(&[change]))
                .expect("no error")
                .is_none(),
            "{change:?}"
        );
    }
}

#[test]
fn the_first_protocol_is_said_back() {
    check_protocol("base64.binary.k8s.io", Some("base64.binary.k8s.io"));
    check_protocol("binary.k8s.io, base64.binary.k8s.io", Some("binary.k8s.io"));
    check_protocol("", None);
}

#[test]
fn through_http2_nothing_is_switched() {
    let mut parts = asked(&[]);
    parts.extensions.insert(Protocol::from_static("websocket"));
    let handshake = Handshake::of(&parts).expect("taken").expect("a WebSocket");
    let answer = handshake.answer();
    assert_eq!(
        (answer.status(), answer.headers().len()),
        (StatusCode::OK, 0)
    );
}

/// Serves `fixture` on one connection, and gives the caller's side of the answer to a WebSocket for
/// `target`.
async fn open(fixture: &Fixture, target: &'static str) -> Response<Incoming> {
    let (ours, theirs) = duplex(64 << 10);
    let server = fixture.server.clone();
    let serve = service_fn(move |request: Request<Incoming>| {
        let mut admitted = Fixture::admit("GET", target, &[], "");
        admitted.request = request.map(Body::new);
        admitted.user = User::default();
        let server = server.clone();
        async move { Ok::<_, std::convert::Infallible>(server.serve(admitted).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(ours), serve)
        .with_upgrades();
    fixture.tasks.spawn_until_stopped(async move {
        connection.await.expect("served");
    });
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(theirs))
        .await
        .expect("connected");
    fixture.tasks.spawn_until_stopped(async move {
        connection.with_upgrades().await.expect("connected");
    });
    let mut request = Request::get(target).header("host", "server");
    for (name, value) in ASKED {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new()).expect("a request");
    sender.send_request(request).await.expect("answered")
}

#[tokio::test(start_paused = true)]
async fn events_are_messages_until_the_watch_ends() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let target = "/apis/cluster.karmada.io/v1alpha1/clusters?watch=1&timeoutSeconds=100";
    let switched = open(&fixture, target).await;
    assert_eq!(switched.status(), StatusCode::SWITCHING_PROTOCOLS);
    let accept = &switched.headers()["sec-websocket-accept"];
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let upgraded = hyper::upgrade::on(switched).await.expect("upgraded");
    let mut socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
    let started = tokio::time::Instant::now();
    let Some(Ok(Message::Text(line))) = socket.next().await else {
        panic!("a message of text");
    };
    assert!(line.ends_with("}\n"), "{line}");
    let event: Value = serde_json::from_str(&line).expect("an event");
    assert_eq!(
        (&event["type"], &event["object"]["metadata"]["name"]),
        (&"ADDED".into(), &"a".into())
    );
    // The time of the watch alone ends it.
    let normal = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    let closed = socket.next().await.expect("an end").expect("a message");
    assert_eq!(closed, Message::Close(Some(normal)));
    assert_eq!(started.elapsed().as_secs(), 100);
}

#[tokio::test]
async fn what_is_refused_is_refused_before_anything_is_switched() {
    let fixture = Fixture::new().await;
    for (target, code) in [
        // By the one who reads the options, and by the one who watches.
        (
            "/apis/cluster.karmada.io/v1alpha1/clusters?watch=1&resourceVersion=x",
            StatusCode::INTERNAL_SERVER_ERROR,
        ),
        (
            "/apis/cluster.karmada.io/v1alpha1/clusters?watch=1&fieldSelector=nope%3Dx",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let refused = open(&fixture, target).await;
        assert_eq!(refused.status(), code, "{target}");
        let body = refused.into_body().collect().await.expect("a body");
        let status: Value = serde_json::from_slice(&body.to_bytes()).expect("a Status");
        assert_eq!(status["kind"], "Status");
    }
    let list = open(&fixture, CLUSTERS).await;
    assert_eq!(list.status(), StatusCode::OK, "no watch");
}

/// Both sides of a WebSocket over which `lines` are sent.
async fn conversation(
    lines: impl futures::Stream<Item = Bytes> + Send + 'static,
    ending: CancellationToken,
) -> (WebSocketStream<DuplexStream>, impl Future<Output = ()>) {
    let (ours, theirs) = duplex(256);
    let caller = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    (caller, converse(ours, lines, ending))
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_and_whoever_leaves_is_forgotten() {
    let (mut caller, done) = conversation(stream::pending(), CancellationToken::new()).await;
    let mut done = pin!(done);
    caller.send(Message::Ping("x".into())).await.expect("sent");
    let pong = tokio::select! {
        pong = timeout(PARTING, caller.next()) => pong.expect("an answer"),
        () = &mut done => panic!("ended"),
    };
    assert_eq!(
        pong.expect("a message").expect("a message"),
        Message::Pong("x".into())
    );
    assert!(matches!(poll!(&mut done), Poll::Pending));
    drop(caller);
    let left = timeout(PARTING, done).await;
    assert!(left.is_ok(), "the watch goes on for nobody");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_does_not_keep_the_server_from_ending() {
    let ending = CancellationToken::new();
    let endless = stream::repeat(Bytes::from_static(b"{}\n"));
    let (_caller, done) = conversation(endless, ending.clone()).await;
    let mut done = pin!(done);
    assert!(matches!(poll!(&mut done), Poll::Pending));
    let started = tokio::time::Instant::now();
    ending.cancel();
    done.await;
    assert_eq!(started.elapsed(), PARTING);
}
