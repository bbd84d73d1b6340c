//! HTTP/2: the member's limit of streams, its farewells, and streams that do not hold up others.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fleetgate_model::{Class, Hop, ToMember};
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, Chunks, FakeMember, Received};
use futures::{StreamExt, future::join_all};
use http::{Method, Request, Response, Version};
use http_body::Frame;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::{
    Accepted, Pki, RawServer, Setup, assert_failed, assert_timed_out, assert_untrusted, chunk,
    request, text,
};

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;

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

/// Answers with the method.
async fn serve_http2(stream: Accepted, max_streams: u32) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let method = request.method().to_string();
        Ok::<_, Infallible>(Response::new(Body::full(method)))
    });
    http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(max_streams)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .unwrap_or_default();
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
async fn a_members_limit_of_streams_opens_further_connections() {
    let pki = Pki::new();
    let watch = service_fn(|_: Request<Incoming>| async {
        let endless = futures::stream::pending::<Result<Frame<bytes::Bytes>, Infallible>>();
        let body = http_body_util::StreamBody::new(endless);
        Ok::<_, Infallible>(Response::new(body))
    });
    let member = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| async move {
        http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(3)
            .serve_connection(TokioIo::new(stream), watch)
            .await
            .unwrap_or_default();
    });
    let member = member.await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let mut answers = join_all((0..10).map(|_| setup.get("/watch", Class::LongRunning))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(member.accepted(), 4);

    // Of the two streams that end, one makes room where it was; one connection has two left.
    answers.truncate(9);
    let more = join_all((0..3).map(|_| setup.get("/watch", Class::LongRunning))).await;
    assert!(more.iter().all(Result::is_ok), "{more:?}");
    assert_eq!(member.accepted(), 4);
}

#[tokio::test]
async fn a_member_without_http1_gets_short_requests_too() {
    let pki = Pki::new();
    let serve = |_, stream| serve_http2(stream, 8);
    for (member, upgrade) in [
        (RawServer::tls(&pki.leaf, &["h2"], serve).await, Hop::Tls),
        (RawServer::tls_like_go(&pki.leaf, serve).await, Hop::Request),
    ] {
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        for _ in 0..3 {
            let answer = setup.get("/", Class::Short).await;
            assert_eq!(answer.expect("an answer").status(), 200);
        }
        // HTTP/1.1 was tried once.
        assert_eq!(member.accepted(), 2);
        let watch = setup.get("/", Class::LongRunning).await;
        assert_eq!(watch.expect("an answer").status(), 200);
        assert_eq!(
            member.accepted(),
            3,
            "what lasts has connections of its own"
        );
        let answer = setup.get("/", Class::Upgrade).await;
        if upgrade == Hop::Tls {
            assert_untrusted(answer, (upgrade, "no common application protocol"));
        } else {
            assert_failed(answer, (upgrade, Some("the answer is not HTTP")));
        }
    }
}

#[tokio::test]
async fn a_member_that_takes_no_streams_times_out() {
    let pki = Pki::new();
    let member = RawServer::tls(&pki.leaf, &["h2"], |_, stream| serve_http2(stream, 0)).await;
    let setup = Setup::to(&member.https(), Some(&pki.ca));
    let setup = setup.timeouts(Duration::from_millis(200)).build();
    let answer = setup.get("/", Class::LongRunning).await;
    assert_timed_out(answer, Hop::Request);
    assert_eq!(member.accepted(), 1);
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

#[tokio::test]
async fn a_request_whose_body_is_gone_is_not_sent_again() {
    let pki = Pki::new();
    for (farewell, told) in [
        (Farewell::GoAway, "the connection was closed"),
        (REFUSED_STREAM, "the stream was reset"),
    ] {
        let member = leaves_once(&pki, farewell).await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        // Of which a part was sent, and the rest never comes.
        let part = futures::stream::iter([Ok(Frame::data(bytes::Bytes::from_static(b"x")))]);
        let part = part.chain(futures::stream::pending::<Result<_, Infallible>>());
        let body = Body::new(http_body_util::StreamBody::new(part));
        let request = request(Method::POST, "/", body);
        let answer = setup.send(request, Class::LongRunning).await;
        assert_failed(answer, (Hop::Request, Some(told)));
        assert_eq!(member.accepted(), 1);
    }
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
async fn requests_beyond_a_members_limit_of_streams_fail_nobody() {
    let pki = Pki::new();
    for limit in 1..=3 {
        let (now, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (counted, highest) = (Arc::clone(&now), Arc::clone(&most));
        let member = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| {
            // Streams of one connection.
            let (now, most) = (Arc::<AtomicUsize>::default(), Arc::clone(&highest));
            let all = Arc::clone(&counted);
            let service = service_fn(move |_: Request<Incoming>| {
                let (now, most, all) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&all));
                async move {
                    all.fetch_add(1, Ordering::SeqCst);
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok::<_, Infallible>(Response::new(Body::full("x")))
                }
            });
            async move {
                http2::Builder::new(TokioExecutor::new())
                    .max_concurrent_streams(limit)
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .unwrap_or_default();
            }
        });
        let member = member.await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        for _ in 0..5 {
            join_all((0..12).map(|_| setup.get_text("/", Class::LongRunning))).await;
        }
        assert_eq!(now.load(Ordering::SeqCst), 60);
        assert!(most.load(Ordering::SeqCst) <= limit as usize);
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
async fn a_watch_goes_on_while_its_connection_is_replaced() {
    let pki = Pki::new();
    let (leave, chunks) = (CancellationToken::new(), Arc::new(Notify::new()));
    let (leaving, more) = (leave.clone(), Arc::clone(&chunks));
    let member = RawServer::tls(&pki.leaf, &["h2"], move |number, stream| {
        let (leave, more) = (leaving.clone(), Arc::clone(&more));
        let service = service_fn(move |_: Request<Incoming>| {
            let more = Arc::clone(&more);
            let chunks = futures::stream::once(async move {
                more.notified().await;
                Ok::<_, Infallible>(Frame::data(bytes::Bytes::from_static(b"late")))
            });
            let body = http_body_util::StreamBody::new(Box::pin(chunks));
            async move { Ok::<_, Infallible>(Response::new(body)) }
        });
        async move {
            let served = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::pin!(served);
            if number == 0 {
                tokio::select! {
                    _ = &mut served => return,
                    () = leave.cancelled() => served.as_mut().graceful_shutdown(),
                }
            }
            served.await.unwrap_or_default();
        }
    });
    let member = member.await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let first = setup.get("/", Class::LongRunning).await.expect("a watch");
    leave.cancel();
    let second = setup.get("/", Class::LongRunning).await.expect("a watch");
    let third = setup.get("/", Class::LongRunning).await.expect("a watch");
    for answer in [first, second, third] {
        chunks.notify_one();
        assert_eq!(text(answer).await, "late");
    }
    assert!(member.accepted() <= 2, "{}", member.accepted());
}

#[tokio::test]
async fn three_unread_watches_do_not_hold_up_a_fourth_request() {
    let pki = Pki::new();
    let streams = Arc::<Mutex<Vec<Chunks>>>::default();
    let opened = Arc::clone(&streams);
    let member = FakeMember::tls(&pki.leaf).start(move |received: &Received| {
        if received.path != "/watch" {
            return Answer::Echo;
        }
        let (answer, chunks) = Answer::stream();
        for _ in 0..40 {
            assert!(chunks.send(vec![b'x'; 64 << 10]));
        }
        opened.lock().push(chunks);
        answer
    });
    let member = member.await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    let mut unread = Vec::new();
    for _ in 0..3 {
        let answer = setup.get("/watch", Class::LongRunning).await;
        let mut body = answer.expect("a watch").into_body();
        assert!(chunk(&mut body).await.is_some());
        unread.push(body);
    }
    for _ in 0..3 {
        setup.get_text("/", Class::LongRunning).await;
    }
    assert_eq!(member.counts().handshakes, 1);
    assert!(
        member
            .received()
            .iter()
            .all(|r| r.version == Version::HTTP_2)
    );
    assert_eq!(streams.lock().len(), 3);
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
