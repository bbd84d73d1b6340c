//! HTTP/2: the member's limit of streams, connections at rest, and streams that do not hold up
//! others.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fleetgate_model::{Class, Hop, Settings};
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, Chunks, FakeMember, Received};
use futures::future::join_all;
use http::{HeaderName, HeaderValue, Request, Response, Version};
use http_body::Frame;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Pki, RawServer, Setup, assert_failed, assert_timed_out, assert_untrusted, chunk, eventually,
    serve_http2, text,
};

const OPEN: &str = "upstream_connections{";

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
async fn a_connection_that_rests_is_closed_and_one_with_a_watch_is_not() {
    let pki = Pki::new();
    let streams = Arc::<Mutex<Vec<Chunks>>>::default();
    let opened = Arc::clone(&streams);
    let member = FakeMember::tls(&pki.leaf).start(move |received: &Received| {
        if received.path != "/watch" {
            return Answer::Echo;
        }
        let (answer, chunks) = Answer::stream();
        opened.lock().push(chunks);
        answer
    });
    let member = member.await;
    let settings = Settings {
        idle_timeout: Some(Duration::from_millis(50)),
        ..Settings::default()
    };
    let setup = Setup::to(&member.url(), Some(&pki.ca));
    let setup = setup.settings(Ok(settings)).build();
    let watch = setup
        .get("/watch", Class::LongRunning)
        .await
        .expect("a watch");
    // More than there may be connections of HTTP/1.1: one takes a stream.
    join_all((0..5).map(|_| setup.get_text("/", Class::Short))).await;
    eventually("all but one are closed", || setup.metric(OPEN) == 1).await;
    let handshakes = member.counts().handshakes;
    setup.get_text("/", Class::LongRunning).await;
    assert_eq!(member.counts().handshakes, handshakes, "it is still used");
    assert!(streams.lock()[0].send("late"));
    streams.lock().clear();
    assert_eq!(text(watch).await, "late");
    eventually("the last one is closed", || setup.metric(OPEN) == 0).await;
    setup.get_text("/", Class::LongRunning).await;
}

#[tokio::test]
async fn a_connection_that_took_longer_than_it_may_rest_is_closed_too() {
    let pki = Pki::new();
    let idle_timeout = Duration::from_millis(50);
    let member = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| async move {
        sleep(3 * idle_timeout).await;
        serve_http2(stream, 100).await;
    });
    let member = member.await;
    let settings = Settings {
        idle_timeout: Some(idle_timeout),
        ..Settings::default()
    };
    let setup = Setup::to(&member.https(), Some(&pki.ca));
    let setup = setup.settings(Ok(settings)).build();
    setup.get_text("/", Class::LongRunning).await;
    eventually("closed", || setup.metric(OPEN) == 0).await;
}

#[tokio::test]
async fn at_the_first_answer_a_connection_is_made_for_what_lasts() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let mut setup = Setup::to(&member.url(), Some(&pki.ca));
    setup.config.prewarm = true;
    let setup = setup.build();
    for _ in 0..3 {
        setup.get_text("/", Class::Short).await;
        eventually("one was made ahead", || member.counts().handshakes == 2).await;
    }
    setup.get_text("/watch", Class::LongRunning).await;
    assert_eq!(member.counts().handshakes, 2);
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
async fn an_answer_with_more_headers_than_there_is_room_for_is_a_failure() {
    for (count, is_answer) in [(511, true), (513, false), (24_000, false)] {
        let pki = Pki::new();
        let server = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| async move {
            let service = service_fn(move |_: Request<Incoming>| async move {
                let mut answer = Response::new(Body::empty());
                for n in 0..count {
                    let name = HeaderName::try_from(format!("x{n:x}")).expect("a name");
                    answer
                        .headers_mut()
                        .insert(name, HeaderValue::from_static(""));
                }
                Ok::<_, Infallible>(answer)
            });
            http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await
                .unwrap_or_default();
        });
        let server = server.await;
        let setup = Setup::to(&server.https(), Some(&pki.ca)).build();
        let answer = setup.get("/", Class::LongRunning).await;
        match is_answer {
            true => assert_eq!(answer.expect("an answer").status(), 200),
            false => {
                let detail = Some("the answer has too many headers");
                assert_failed(answer, (Hop::Request, detail));
            }
        }
    }
}
