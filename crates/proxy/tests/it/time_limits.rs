//! What does not last is ended; what lasts is not.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_model::Settings;
use fleetgate_stack::Body;
use futures::{FutureExt, StreamExt, future::pending, stream};
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
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
    let body = http_body_util::BodyExt::collect(answer.into_body());
    let body = tokio::time::timeout(limit, body).await;
    let bytes = body.expect("in time").expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}
