//! Members that take their leave: GOAWAY, refused streams, connections that end or fall silent.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fleetgate_model::{Class, Hop, ToMember, UpstreamError};
use fleetgate_stack::Body;
use futures::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, mpsc},
    time::timeout,
};
use tower::ServiceExt;

use crate::support::{
    Accepted, PATIENCE, Pki, RawServer, Setup, assert_failed, request, serve_http2, text,
};

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// How a member takes its leave of the first request.
#[derive(Clone, Copy, Debug)]
enum Farewell {
    /// GOAWAY with NO_ERROR, which says that no stream was looked at.
    GoAway,
    /// RST_STREAM with this code; the next request is answered with 200.
    Reset(u8),
    /// Nothing at all, not even to a PING.
    Silence,
}

const REFUSED_STREAM: Farewell = Farewell::Reset(7);
const INTERNAL_ERROR: Farewell = Farewell::Reset(2);

/// Speaks HTTP/2 by the frame, and tells `heads` when a request has come.
async fn say_farewell(mut stream: Accepted, farewell: Farewell, heads: Arc<Notify>) {
    stream.write_all(SETTINGS).await.expect("sent");
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.expect("a preface");
    let mut requests = 0;
    while let Some([i, j, k, l]) = next_request(&mut stream).await {
        requests += 1;
        heads.notify_one();
        let frame = match farewell {
            Farewell::GoAway => vec![0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            Farewell::Reset(code) if requests == 1 => {
                vec![0, 0, 4, 3, 0, i, j, k, l, 0, 0, 0, code]
            }
            // ":status: 200" from the static table, END_STREAM and END_HEADERS.
            Farewell::Reset(_) => vec![0, 0, 1, HEADERS, 5, i, j, k, l, 0x88],
            Farewell::Silence => Vec::new(),
        };
        stream.write_all(&frame).await.expect("sent");
    }
}

/// The stream of the next HEADERS; nothing at the end of the connection.
async fn next_request(stream: &mut Accepted) -> Option<[u8; 4]> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, _, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await.expect("a frame");
        if kind == HEADERS {
            return Some(id);
        }
    }
}

/// A member whose first connection bids farewell.
async fn leaves_once(pki: &Pki, farewell: Farewell) -> RawServer {
    RawServer::tls(&pki.leaf, &["h2"], move |number, stream| async move {
        match number {
            0 => say_farewell(stream, farewell, Arc::default()).await,
            _ => serve_http2(stream, 100).await,
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_a_member_going_away_did_not_look_at_is_sent_again() {
    let pki = Pki::new();
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let member = leaves_once(&pki, Farewell::GoAway).await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        let request = request(method.clone(), "/", Body::empty());
        let answer = setup.send(request, Class::LongRunning).await;
        assert_eq!(text(answer.expect("an answer")).await, method.as_str());
        assert_eq!(member.accepted(), 2);
    }
}

#[tokio::test]
async fn a_request_that_a_member_refused_is_sent_again() {
    let pki = Pki::new();
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let member = leaves_once(&pki, REFUSED_STREAM).await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        let request = request(method, "/", Body::empty());
        let answer = setup.send(request, Class::LongRunning).await;
        assert_eq!(answer.expect("an answer").status(), 200);
        assert_eq!(member.accepted(), 1);
    }
}

/// A member whose first connection bids farewell, and whose others send the body back.
async fn echoes_after(pki: &Pki, farewell: Farewell) -> RawServer {
    RawServer::tls(&pki.leaf, &["h2"], move |number, stream| async move {
        if number == 0 {
            return say_farewell(stream, farewell, Arc::default()).await;
        }
        let echo = service_fn(|request: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        });
        http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), echo)
            .await
            .unwrap_or_default();
    })
    .await
}

#[tokio::test]
async fn a_request_is_sent_again_with_what_was_read_of_its_body() {
    let pki = Pki::new();
    let member = echoes_after(&pki, Farewell::GoAway).await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let (mut sender, body) = futures::channel::mpsc::unbounded();
    let frame = |text| Ok::<_, Infallible>(Frame::data(bytes::Bytes::from_static(text)));
    sender.unbounded_send(frame(b"begun, ")).expect("a reader");
    let body = Body::new(StreamBody::new(body));
    let answer = setup.send(request(Method::POST, "/", body), Class::LongRunning);
    let answer = answer.await.expect("an answer");
    assert_eq!(member.accepted(), 2);
    for rest in [&b"gone on, "[..], b"ended"] {
        sender.unbounded_send(frame(rest)).expect("a reader");
    }
    let trailer = (
        HeaderName::from_static("x-last"),
        HeaderValue::from_static("1"),
    );
    let trailers = HeaderMap::from_iter([trailer]);
    sender
        .unbounded_send(Ok(Frame::trailers(trailers)))
        .expect("a reader");
    sender.disconnect();
    let body = answer.into_body().collect();
    let body = body.await.expect("a whole body");
    assert_eq!(body.trailers().expect("trailers")["x-last"], "1");
    assert_eq!(body.to_bytes(), "begun, gone on, ended");
}

#[tokio::test]
async fn a_request_whose_body_was_too_long_to_be_kept_is_refused() {
    let pki = Pki::new();
    for (farewell, told) in [
        (Farewell::GoAway, "the connection was closed"),
        (REFUSED_STREAM, "the stream was reset"),
    ] {
        let member = leaves_once(&pki, farewell).await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        let body = Body::full(vec![b'x'; (64 << 10) + 1]);
        let answer = setup.send(request(Method::POST, "/", body), Class::LongRunning);
        let error = answer.await.expect_err("a refusal");
        assert!(
            matches!(error, UpstreamError::Refused { detail: Some(detail), .. } if detail == told),
            "{error:?}"
        );
        assert_eq!(member.accepted(), 1);
    }
}

#[tokio::test]
async fn who_refuses_everything_is_asked_a_few_times() {
    let pki = Pki::new();
    let refuses = RawServer::tls(&pki.leaf, &["h2"], |_, stream| {
        say_farewell(stream, Farewell::GoAway, Arc::default())
    });
    let member = refuses.await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let answer = setup.send(
        request(Method::POST, "/", Body::full("x")),
        Class::LongRunning,
    );
    let error = answer.await.expect_err("a refusal");
    assert!(matches!(error, UpstreamError::Refused { .. }), "{error:?}");
    assert_eq!(member.accepted(), 10);
}

/// Answers the first request by the byte, with more bytes than anybody reads, and the others with
/// 200. Returns how many there were.
async fn answer_by_the_byte(mut stream: Accepted) -> Option<usize> {
    stream.write_all(SETTINGS).await.ok()?;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.ok()?;
    let mut requests = 0;
    while let Some([i, j, k, l]) = next_request(&mut stream).await {
        let end_stream = if requests == 0 { 0 } else { 1 };
        let mut frames = vec![0, 0, 1, HEADERS, 4 | end_stream, i, j, k, l, 0x88];
        if requests == 0 {
            let data = [0, 0, 1, 0, 0, i, j, k, l, b'x'];
            frames.extend(data.repeat(140_000));
        }
        requests += 1;
        if stream.write_all(&frames).await.is_err() {
            break;
        }
    }
    Some(requests)
}

#[tokio::test]
async fn an_answer_that_comes_by_the_byte_and_is_not_read_ends_no_other() {
    let pki = Pki::new();
    let (told, mut served) = mpsc::unbounded_channel();
    let member = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| {
        let told = told.clone();
        async move {
            // Some connections are made just to see whether the member is there.
            if let Some(requests @ 1..) = answer_by_the_byte(stream).await {
                told.send(requests).expect("somebody listens");
            }
        }
    });
    let member = member.await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let unread = setup.get("/", Class::LongRunning).await;
    for _ in 0..3 {
        setup.get_text("/", Class::LongRunning).await;
    }
    drop((unread.expect("an answer"), setup));
    let requests = timeout(PATIENCE, served.recv()).await.expect("in time");
    assert_eq!(requests, Some(4), "on one connection");
}

/// Answers so many requests on a connection with 200, and says that it looks at no more.
async fn go_away_after(mut stream: Accepted, served: u32) {
    stream.write_all(SETTINGS).await.expect("sent");
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.expect("a preface");
    let mut requests = 0;
    while let Some([i, j, k, l]) = next_request(&mut stream).await {
        if requests == served {
            continue;
        }
        requests += 1;
        let mut frames = vec![0, 0, 1, HEADERS, 5, i, j, k, l, 0x88];
        if requests == served {
            // GOAWAY with NO_ERROR, and the last stream that was looked at.
            frames.extend([0, 0, 8, 7, 0, 0, 0, 0, 0, i, j, k, l, 0, 0, 0, 0]);
        }
        if stream.write_all(&frames).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_member_that_keeps_going_away_fails_nobody() {
    let pki = Pki::new();
    for served in [1, 3] {
        let member = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| {
            go_away_after(stream, served)
        });
        let member = member.await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        for method in [Method::GET, Method::POST] {
            for _ in 0..3 {
                let answers = (0..8).map(|_| {
                    let request = request(method.clone(), "/", Body::empty());
                    setup.send(request, Class::LongRunning)
                });
                for answer in join_all(answers).await {
                    assert_eq!(answer.expect("an answer").status(), 200, "{served}");
                }
            }
        }
        // Some more than there were needed: no storm of ours in return.
        let (needed, made) = (48 / served as usize, member.accepted());
        assert!(made <= 2 * needed + 20, "{made} connections for {served}");
    }
}

#[tokio::test]
async fn a_stream_that_a_member_gave_up_is_not_tried_again() {
    let pki = Pki::new();
    let member = leaves_once(&pki, INTERNAL_ERROR).await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let answer = setup.get("/", Class::LongRunning).await;
    assert_failed(answer, (Hop::Request, Some("the stream was reset")));
}

/// How a member leaves alone a request that it has read.
#[derive(Clone, Copy, Debug)]
enum Abandon {
    /// It ends the connection, without a word of TLS or with one.
    End { close_notify: bool },
    /// RST_STREAM with INTERNAL_ERROR.
    Reset,
    /// GOAWAY with this code, in which the request is the last that was looked at or an earlier one
    /// than that, and the end.
    GoAway { code: u8, is_last: bool },
}

/// Reads requests, counts them, and answers none.
async fn abandon_all(mut stream: Accepted, how: Abandon, count: Arc<AtomicUsize>) {
    stream.write_all(SETTINGS).await.expect("sent");
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.expect("a preface");
    while let Some(id) = whole_request(&mut stream).await {
        count.fetch_add(1, Ordering::SeqCst);
        let [i, j, k, l] = id;
        let frame = match how {
            Abandon::End { .. } => Vec::new(),
            Abandon::Reset => vec![0, 0, 4, 3, 0, i, j, k, l, 0, 0, 0, 2],
            Abandon::GoAway { code, is_last } => {
                let [i, j, k, l] = if is_last { id } else { [0x7f, 255, 255, 255] };
                vec![0, 0, 8, 7, 0, 0, 0, 0, 0, i, j, k, l, 0, 0, 0, code]
            }
        };
        stream.write_all(&frame).await.expect("sent");
        let ended = match how {
            Abandon::End {
                close_notify: false,
            } => stream.get_mut().0.shutdown().await,
            Abandon::End { close_notify: true } | Abandon::GoAway { .. } => stream.shutdown().await,
            Abandon::Reset => Ok(()),
        };
        ended.expect("an end");
    }
}

/// The stream of the next request, read to its end.
async fn whole_request(stream: &mut Accepted) -> Option<[u8; 4]> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await.ok()?;
        if (kind == HEADERS || kind == DATA) && flags & END_STREAM != 0 {
            return Some(id);
        }
    }
}

#[tokio::test]
async fn what_changes_something_is_sent_once_to_a_member_that_has_read_it() {
    let pki = Pki::new();
    let closed = "the connection was closed";
    let go_away = |code, is_last| (Abandon::GoAway { code, is_last }, closed);
    for (how, told) in [
        (
            Abandon::End {
                close_notify: false,
            },
            closed,
        ),
        (Abandon::End { close_notify: true }, closed),
        (Abandon::Reset, "the stream was reset"),
        go_away(0, true),
        go_away(2, true),
        go_away(0, false),
    ] {
        let count = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&count);
        let member = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| {
            abandon_all(stream, how, Arc::clone(&counted))
        });
        let member = member.await;
        for class in [Class::LongRunning, Class::Short] {
            for (method, body) in [
                (Method::POST, ""),
                (Method::POST, "{}"),
                (Method::PATCH, "{}"),
                (Method::DELETE, ""),
            ] {
                count.store(0, Ordering::SeqCst);
                let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
                let request = request(method.clone(), "/", Body::full(body));
                let answer = setup.send(request, class).await;
                assert_failed(answer, (Hop::Request, Some(told)));
                let sent = count.load(Ordering::SeqCst);
                assert_eq!(sent, 1, "{method} {body:?} {class:?} {how:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_that_brings_a_member_down_is_not_repeated_for_ever() {
    let pki = Pki::new();
    let falls = RawServer::tls(&pki.leaf, &["h2"], |_, stream| async move {
        let heads = Arc::<Notify>::default();
        tokio::select! {
            () = say_farewell(stream, Farewell::Silence, Arc::clone(&heads)) => {}
            () = heads.notified() => {}
        }
    });
    let member = falls.await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let answer = setup.get("/", Class::LongRunning).await;
    assert_failed(answer, (Hop::Request, Some("the connection was closed")));
    assert_eq!(member.accepted(), 3);
}

#[tokio::test]
async fn a_connection_on_which_nothing_answers_is_given_up() {
    let pki = Pki::new();
    let heads = Arc::<Notify>::default();
    let came = Arc::clone(&heads);
    let member = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| {
        say_farewell(stream, Farewell::Silence, Arc::clone(&came))
    });
    let member = member.await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let request = request(Method::POST, "/", Body::empty());
    let class = Class::LongRunning;
    let answer = setup.upstream.clone().oneshot(ToMember { request, class });
    // From when everything waits for the member, time runs by itself.
    let pause = async {
        heads.notified().await;
        tokio::time::pause();
    };
    let (answer, ()) = tokio::join!(answer, pause);
    assert_failed(answer, (Hop::Request, Some("the member stopped answering")));
}
