//! Bodies pass piece by piece, over real connections of both kinds.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use fleetgate_model::ToMember;
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, Chunks, FakeMember, Received};
use futures::{FutureExt, StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::support::{PATIENCE, Served, World, chunk, request};

/// A body that comes as the test sends it.
fn channel() -> (mpsc::UnboundedSender<Frame<Bytes>>, Body) {
    let (sender, mut frames) = mpsc::unbounded_channel();
    let frames = stream::poll_fn(move |cx| frames.poll_recv(cx)).map(Ok::<_, Infallible>);
    (sender, Body::new(StreamBody::new(frames)))
}

/// `request`, in the form that HTTP/2 or HTTP/1.1 wants.
fn of_version(mut request: Request<Body>, served: &Served, version: Version) -> Request<Body> {
    let host = served.address.to_string();
    if version == Version::HTTP_2 {
        let uri = format!("http://{host}{}", request.uri());
        *request.uri_mut() = uri.parse().expect("a URL");
    } else {
        let host = HeaderValue::try_from(host).expect("a host");
        request.headers_mut().insert(header::HOST, host);
    }
    request
}

#[tokio::test]
async fn a_watch_comes_event_by_event_and_ends_with_its_caller() {
    let streams = Arc::<Mutex<Vec<Chunks>>>::default();
    let opened = Arc::clone(&streams);
    let member = FakeMember::plain().start(move |_: &Received| {
        let (answer, chunks) = Answer::stream();
        opened.lock().push(chunks);
        answer
    });
    let member = member.await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut client = served.client(version).await;
        for rest in ["/api/v1/pods?watch=1", "/api/v1/namespaces/n/pods/p/log"] {
            let request = of_version(request(Method::GET, rest), &served, version);
            let answer = client.send(request).await;
            assert_eq!(answer.status(), 200);
            let mut body = answer.into_body();
            let chunks = streams.lock().pop().expect("a stream");
            for event in ["one", "two", "three"] {
                assert!(chunks.send(event));
                assert_eq!(chunk(&mut body).await.as_deref(), Some(event.as_bytes()));
            }
            if rest.contains("log") {
                drop(body);
                let left = tokio::time::timeout(PATIENCE, chunks.closed());
                left.await.expect("the member sees it");
            } else {
                drop(chunks);
                assert_eq!(chunk(&mut body).await, None);
            }
        }
    }
    assert_eq!(member.received().len(), 4);
}

#[tokio::test]
async fn a_request_body_comes_piece_by_piece() {
    let echo = |to_member: ToMember<Body>| {
        let body = to_member.request.into_body();
        futures::future::ready(Ok(Response::new(body))).boxed()
    };
    let world = World::of_fn(echo);
    let served = Served::start(&world).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (sender, body) = channel();
        let post = request(Method::POST, "/api").map(|_| body);
        let post = of_version(post, &served, version);
        let mut client = served.client(version).await;
        let mut body = client.send(post).await.into_body();
        for piece in ["one", "two", "three"] {
            let frame = Frame::data(Bytes::from_static(piece.as_bytes()));
            sender.send(frame).expect("somebody reads");
            assert_eq!(chunk(&mut body).await.as_deref(), Some(piece.as_bytes()));
        }
        drop(sender);
        assert_eq!(chunk(&mut body).await, None);
    }
}

#[tokio::test]
async fn trailers_come_with_the_answer() {
    let world = World::of_fn(|_| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        let frames = [
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))),
            Ok(Frame::trailers(trailers)),
        ];
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        let answer = Response::builder().header(header::TRAILER, "x-sum");
        futures::future::ready(Ok(answer.body(body).expect("an answer"))).boxed()
    });
    let served = Served::start(&world).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for rest in ["/api", "/api/v1/pods?watch=1"] {
            let mut get = of_version(request(Method::GET, rest), &served, version);
            let te = HeaderValue::from_static("trailers");
            get.headers_mut().insert(header::TE, te);
            let mut client = served.client(version).await;
            let body = client.send(get).await.into_body().collect().await;
            let body = body.expect("a body");
            let trailers = body.trailers().cloned().expect("trailers");
            assert_eq!(trailers["x-sum"], "42", "{version:?} {rest}");
        }
    }
}

#[tokio::test]
async fn the_answer_to_head_has_a_length_and_no_body() {
    let member = FakeMember::plain().start(|_: &Received| Answer::Full {
        status: StatusCode::OK,
        headers: vec![(header::ETAG, HeaderValue::from_static("\"e\""))],
        body: "twelve bytes".into(),
    });
    let member = member.await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut client = served.client(version).await;
        for _ in 0..2 {
            let head = of_version(request(Method::HEAD, "/api"), &served, version);
            let answer = client.send(head).await;
            assert_eq!(answer.headers()[header::CONTENT_LENGTH], "12");
            assert_eq!(answer.headers()[header::ETAG], "\"e\"");
            let body = answer.into_body().collect().await.expect("an end");
            assert!(body.to_bytes().is_empty());
        }
    }
    assert_eq!(member.counts().accepted, 1, "the connection is kept");
    assert!(member.received().iter().all(|r| r.method == Method::HEAD));
}

#[tokio::test]
async fn a_length_that_is_known_stays_known() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    for rest in ["/api", "/api/v1/namespaces/n/pods/p/log"] {
        let post = request(Method::POST, rest).map(|_| Body::full("hello"));
        let answer = client
            .send(of_version(post, &served, Version::HTTP_11))
            .await;
        let length = answer.headers()[header::CONTENT_LENGTH].clone();
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        assert_eq!(length, body.len().to_string());
    }
    for received in member.received() {
        assert_eq!(received.header("content-length"), "5");
        assert_eq!(received.body(), "hello");
        assert!(!received.headers.contains_key("transfer-encoding"));
    }
}
