//! Bodies stream both ways, and end when either side goes.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use fleetgate_model::Class;
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, Chunks, FakeMember, Received};
use http::{HeaderMap, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::support::{PATIENCE, Pki, RawServer, Setup, chunk, request};

const CLASSES: [Class; 2] = [Class::Short, Class::LongRunning];

/// A body that comes as the test sends it.
fn channel() -> (mpsc::UnboundedSender<Frame<Bytes>>, Body) {
    let (sender, mut frames) = mpsc::unbounded_channel();
    let frames = futures::stream::poll_fn(move |cx| frames.poll_recv(cx));
    let frames = futures::StreamExt::map(frames, Ok::<_, Infallible>);
    (sender, Body::new(StreamBody::new(frames)))
}

/// A member that answers with the body of the request as it comes.
async fn echo(pki: &Pki) -> RawServer {
    RawServer::tls(&pki.leaf, &["h2", "http/1.1"], |_, stream| async move {
        let echo = service_fn(|request: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        });
        Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), echo)
            .await
            .unwrap_or_default();
    })
    .await
}

#[tokio::test]
async fn bodies_go_both_ways_piece_by_piece() {
    let pki = Pki::new();
    let member = echo(&pki).await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    for class in CLASSES {
        let (sender, body) = channel();
        let post = request(Method::POST, "/", body);
        let mut body = setup
            .send(post, class)
            .await
            .expect("an answer")
            .into_body();
        for piece in ["one", "two", "three"] {
            let frame = Frame::data(Bytes::from(piece));
            sender.send(frame).expect("somebody reads");
            assert_eq!(chunk(&mut body).await.as_deref(), Some(piece.as_bytes()));
        }
        drop(sender);
        assert_eq!(chunk(&mut body).await, None);
    }
}

#[tokio::test]
async fn a_large_body_comes_back_whole() {
    let pki = Pki::new();
    let member = echo(&pki).await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let large: Bytes = (0..8_u32 << 20).map(|i| (i % 251) as u8).collect();
    for class in CLASSES {
        let post = request(Method::POST, "/", Body::full(large.clone()));
        let answer = setup.send(post, class).await.expect("an answer");
        let back = answer.into_body().collect().await.expect("a body");
        assert!(back.to_bytes() == large, "{class:?}");
    }
}

#[tokio::test]
async fn trailers_go_both_ways_over_http2() {
    let pki = Pki::new();
    let member = echo(&pki).await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    let (sender, body) = channel();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().expect("a value"));
    sender.send(Frame::data(Bytes::from("x"))).expect("open");
    sender.send(Frame::trailers(trailers)).expect("open");
    drop(sender);
    let post = request(Method::POST, "/", body);
    let answer = setup.send(post, Class::LongRunning).await;
    let body = answer.expect("an answer").into_body().collect().await;
    let trailers = body.expect("a body").trailers().cloned();
    assert_eq!(trailers.expect("trailers")["x-sum"], "1");
}

#[tokio::test]
async fn an_answer_that_is_dropped_ends_at_the_member() {
    let pki = Pki::new();
    let streams = Arc::<Mutex<Vec<Chunks>>>::default();
    let opened = Arc::clone(&streams);
    let member = FakeMember::tls(&pki.leaf).start(move |_: &Received| {
        let (answer, chunks) = Answer::stream();
        assert!(chunks.send("first"));
        opened.lock().push(chunks);
        answer
    });
    let member = member.await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for class in CLASSES {
        let answer = setup.get("/", class).await.expect("an answer");
        let mut body = answer.into_body();
        assert!(chunk(&mut body).await.is_some());
        drop(body);
        let chunks = streams.lock().pop().expect("a stream");
        let closed = tokio::time::timeout(PATIENCE, chunks.closed());
        closed.await.expect("the member sees it");
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_ends_at_the_member() {
    let pki = Pki::new();
    let (started, mut waiting) = mpsc::unbounded_channel::<oneshot::Receiver<Infallible>>();
    let member = RawServer::tls(&pki.leaf, &["h2", "http/1.1"], move |_, stream| {
        let started = started.clone();
        let never = service_fn(move |_: Request<Incoming>| {
            let (alive, dropped) = oneshot::channel();
            started.send(dropped).expect("the test waits");
            async move {
                std::future::pending::<()>().await;
                drop(alive);
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        async move {
            Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), never)
                .await
                .unwrap_or_default();
        }
    });
    let member = member.await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    for class in CLASSES {
        let dropped = tokio::select! {
            answer = setup.get("/", class) => panic!("{answer:?}"),
            dropped = waiting.recv() => dropped.expect("a request"),
        };
        let ended = tokio::time::timeout(PATIENCE, dropped).await;
        assert!(ended.expect("the member sees it").is_err());
    }
}

#[tokio::test]
async fn an_answer_cut_off_by_the_member_is_an_error_and_not_an_end() {
    let pki = Pki::new();
    let half = |_: &Received| Answer::CloseMidBody(Bytes::from_static(b"half"));
    let member = FakeMember::tls(&pki.leaf).start(half).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for class in CLASSES {
        let answer = setup.get("/", class).await.expect("an answer");
        assert!(answer.into_body().collect().await.is_err(), "{class:?}");
    }
    setup
        .get("/", Class::Short)
        .await
        .expect("a new connection");
}

#[tokio::test]
async fn a_body_of_no_known_length_reaches_a_member_whatever_the_method() {
    let pki = Pki::new();
    for class in [Class::Short, Class::LongRunning] {
        for method in [Method::GET, Method::HEAD, Method::DELETE, Method::POST] {
            let member = FakeMember::tls(&pki.leaf).echo().await;
            let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
            let pieces = ["ab", "cd"].map(|piece| {
                let piece = Bytes::from_static(piece.as_bytes());
                Ok::<_, Infallible>(Frame::data(piece))
            });
            let body = Body::new(StreamBody::new(futures::stream::iter(pieces)));
            let answer = setup.send(request(method.clone(), "/", body), class).await;
            assert_eq!(answer.expect("an answer").status(), 200);
            let received = member.received().remove(0);
            assert_eq!(received.body(), "abcd", "{method} {class:?}");
        }
    }
}

/// A member that answers half, and resets the stream with NO_ERROR once `half_read`.
async fn half(pki: &Pki, half_read: Arc<Notify>) -> RawServer {
    let server = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| {
        let half_read = Arc::clone(&half_read);
        async move {
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            let Some(Ok((request, mut respond))) = connection.accept().await else {
                return;
            };
            let mut answer = respond
                .send_response(Response::new(()), false)
                .expect("a head");
            answer
                .send_data(Bytes::from_static(b"half"), false)
                .expect("a piece");
            let reset = async move {
                half_read.notified().await;
                answer.send_reset(h2::Reason::NO_ERROR);
                drop(request);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                _ = connection.accept() => {}
                () = reset => {}
            }
        }
    });
    server.await
}

#[tokio::test]
async fn an_answer_is_cut_where_it_is_reset_behind_its_whole_request() {
    for is_whole in [true, false] {
        let (pki, half_read) = (Pki::new(), Arc::<Notify>::default());
        let member = half(&pki, Arc::clone(&half_read)).await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        let (sender, body) = futures::channel::mpsc::unbounded();
        let piece = Frame::data(Bytes::from_static(b"asked"));
        sender
            .unbounded_send(Ok::<_, Infallible>(piece))
            .expect("a reader");
        let sender = (!is_whole).then_some(sender);
        let body = Body::new(StreamBody::new(body));
        let asked = request(Method::POST, "/", body);
        let answer = setup.send(asked, Class::LongRunning).await;
        let mut answer = answer.expect("an answer").into_body();
        assert_eq!(chunk(&mut answer).await.expect("a piece"), "half");
        half_read.notify_one();
        let end = tokio::time::timeout(PATIENCE, answer.frame()).await;
        let end = end.expect("an end");
        assert_eq!(end.is_some_and(|end| end.is_err()), is_whole);
        drop(sender);
    }
}

#[tokio::test]
async fn a_body_of_known_length_says_so() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    let request = request(Method::POST, "/", Body::full("abcd"));
    let answer = setup.send(request, Class::Short).await;
    assert_eq!(answer.expect("an answer").status(), 200);
    let received = member.received().remove(0);
    assert_eq!(received.header("content-length"), "4");
    assert_eq!(received.header("transfer-encoding"), "");
}
