//! What does not last is ended; what lasts is not.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_model::Settings;
use fleetgate_stack::Body;
use futures::{FutureExt, StreamExt, future::pending, stream};
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::time::{Instant, sleep};

use crate::support::{World, member, request, text};

const LIMIT: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn silent() -> World {
    World::of_fn(|_| pending().boxed())
}

#[tokio::test(start_paused = true)]
async fn a_member_that_never_answers_is_given_up_after_a_minute() {
    let since = Instant::now();
    for rest in ["/api", "/api/v1/pods"] {
        let before = since.elapsed();
        let answer = silent().get(rest).await;
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
        let body = text(answer).await;
        assert!(
            body.contains("\"message\":\"cluster m: request: timed out\""),
            "{body}"
        );
        assert_eq!((since.elapsed() - before).as_secs(), LIMIT.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_says_how_long_it_may_take() {
    let mut member = member("https://member.test", "1");
    member.settings = Ok(Settings {
        request_timeout: Some(HOUR),
        ..Settings::default()
    });
    let world = silent();
    world.ports.member.store(Arc::new(Some(Arc::new(member))));
    let since = Instant::now();
    assert_eq!(
        world.get("/api").await.status(),
        StatusCode::GATEWAY_TIMEOUT
    );
    assert_eq!(since.elapsed().as_secs(), HOUR.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_body_flows_may_take_its_time() {
    const PIECES: u32 = 10;
    // Reads all, and then answers or does not.
    let world = World::of_fn(|to_member| {
        let read = async {
            let answers = to_member.request.uri().path() == "/answers";
            let body = to_member.request.into_body().collect().await;
            let body = body.expect("a body").to_bytes();
            if !answers {
                pending::<()>().await;
            }
            Ok(Response::new(Body::full(body)))
        };
        read.boxed()
    });
    let slow = || {
        let pieces = stream::iter(0..PIECES).then(|_| async {
            sleep(LIMIT * 2 / 3).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
        });
        Body::new(StreamBody::new(pieces))
    };
    let answer = world.send(request(Method::POST, "/answers").map(|_| slow()));
    assert_eq!(text(answer.await).await.len(), PIECES as usize);

    let since = Instant::now();
    let answer = world
        .send(request(Method::POST, "/x").map(|_| slow()))
        .await;
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    let flowed = LIMIT * 2 / 3 * PIECES;
    assert_eq!(since.elapsed().as_secs(), (flowed + LIMIT).as_secs());
}

#[tokio::test(start_paused = true)]
async fn what_lasts_may_take_its_time() {
    let world = silent();
    let lasting = [
        (Method::GET, "/api/v1/pods?watch=1"),
        (Method::GET, "/api/v1/watch/pods"),
        (Method::GET, "/api/v1/namespaces/n/pods/p/log?follow=true"),
        (Method::POST, "/api/v1/namespaces/n/pods/p/exec"),
        (Method::GET, "/api/v1/namespaces/n/services/s/proxy/x"),
    ];
    for (method, rest) in lasting {
        let answer = world.send(request(method, rest));
        let early = tokio::time::timeout(HOUR, answer).await;
        assert!(early.is_err(), "{rest}");
    }
    let mut upgrade = request(Method::GET, "/apis/x/v1/namespaces/n/vms/v/console");
    let headers = upgrade.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let early = tokio::time::timeout(HOUR, world.send(upgrade)).await;
    assert!(early.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_begun_may_take_its_time() {
    let world = World::of_fn(|_| {
        let slow = stream::once(async {
            sleep(HOUR).await;
            Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"late")))
        });
        let answer = Response::new(Body::new(StreamBody::new(slow.boxed())));
        futures::future::ready(Ok(answer)).boxed()
    });
    let answer = world.get("/api").await;
    assert_eq!(text_after(answer, HOUR * 2).await, "late");
}

async fn text_after(answer: Response<Body>, limit: Duration) -> String {
    let body = BodyExt::collect(answer.into_body());
    let body = tokio::time::timeout(limit, body).await;
    let bytes = body.expect("in time").expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}
