//! One cluster gets no more requests at a time than its limits say, and no user all of them.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_model::LimitSettings;
use fleetgate_stack::Body;
use futures::{FutureExt, future::join_all, stream};
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::Instant;

use crate::support::{World, credentials, request, text};

/// A member whose answers begin at once and never end.
fn world(limits: LimitSettings) -> World {
    let world = World::of_fn(|_| {
        let endless = stream::pending::<io::Result<Frame<Bytes>>>();
        let answer = Response::new(Body::new(StreamBody::new(endless)));
        futures::future::ready(Ok(answer)).boxed()
    });
    world.limit(limits);
    world
}

fn two(queued_requests: u32, requests_per_user: u32) -> LimitSettings {
    LimitSettings {
        queued_requests: Some(queued_requests),
        requests: Some(2),
        requests_per_user: Some(requests_per_user),
        upgrades: Some(1),
        watches: Some(1),
    }
}

async fn get_as(world: &World, user: &str) -> Response<Body> {
    ask_as(world, user, "/api").await
}

async fn ask_as(world: &World, user: &str, rest: &str) -> Response<Body> {
    let mut request = request(Method::GET, rest);
    let token = HeaderValue::try_from(format!("Bearer {user}")).expect("a token");
    request.headers_mut().insert(header::AUTHORIZATION, token);
    world.send(request).await
}

async fn assert_busy(answer: Response<Body>) {
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "1");
    let body = text(answer).await;
    let message = "cluster m: too many requests, please try again later";
    assert!(body.contains(message), "{body}");
}

#[tokio::test]
async fn a_request_has_a_place_until_its_answer_was_read() {
    let world = world(two(0, 2));
    let mut held = vec![world.get("/api").await, world.get("/api").await];
    assert!(held.iter().all(|answer| answer.status() == StatusCode::OK));
    assert_busy(world.get("/api").await).await;
    let short = |name| format!("{name}{{cluster=\"m\",class=\"short\"}}");
    let taken = short("proxy_current_inflight_requests");
    assert_eq!(world.metric(&taken), format!("{taken} 2"));
    let rejected = short("proxy_rejected_requests_total");
    assert_eq!(world.metric(&rejected), format!("{rejected} 1"));
    held.pop();
    assert_eq!(world.get("/api").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_lasts_is_counted_apart() {
    let world = world(two(0, 2));
    let watch = world.get("/api/v1/pods?watch=1").await;
    assert_busy(world.get("/api/v1/pods?watch=1").await).await;
    let held = (world.get("/api").await, world.get("/api").await);
    assert_eq!(held.1.status(), StatusCode::OK);
    drop(watch);
    let watch = world.get("/api/v1/pods?watch=1").await;
    assert_eq!(watch.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_place_waits_for_a_quarter_of_the_time() {
    let world = world(two(1, 2));
    let held = (world.get("/api").await, world.get("/api").await);
    let since = Instant::now();
    assert_busy(world.get("/api").await).await;
    assert_eq!(since.elapsed().as_secs(), 15);
    let free = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(held);
    };
    let (answer, ()) = tokio::join!(world.get("/api"), free);
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_user_leaves_places_to_others() {
    let world = world(two(0, 1));
    let _held = get_as(&world, "heavy").await;
    assert_busy(get_as(&world, "heavy").await).await;
    let answer = get_as(&world, "light").await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_user_leaves_a_quarter_of_what_lasts_to_others() {
    let world = world(LimitSettings {
        watches: Some(4),
        ..two(0, 2)
    });
    let watch = async |user| ask_as(&world, user, "/api/v1/pods?watch=1").await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(watch("heavy").await);
    }
    assert_busy(watch("heavy").await).await;
    held.push(watch("light").await);
    assert!(held.iter().all(|answer| answer.status() == StatusCode::OK));
    assert_busy(watch("light").await).await;
    let taken = "proxy_current_inflight_requests{cluster=\"m\",class=\"long-running\"}";
    assert_eq!(world.metric(taken), format!("{taken} 4"));
}

#[tokio::test(start_paused = true)]
async fn what_lasts_never_waits() {
    let world = world(two(10, 2));
    let _held = world.get("/api/v1/pods?watch=1").await;
    let since = Instant::now();
    assert_busy(world.get("/api/v1/pods?watch=1").await).await;
    assert_eq!(since.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn users_who_wait_are_served_in_turn() {
    let limits = LimitSettings {
        requests: Some(1),
        ..two(10, 1)
    };
    let world = world(limits);
    let held = world.get("/api").await;
    let order = parking_lot::Mutex::new(Vec::new());
    let one = async |user: &'static str| {
        let answer = get_as(&world, user).await;
        assert_eq!(answer.status(), StatusCode::OK);
        order.lock().push(user);
        // Its answer is read, and its place free.
        drop(answer);
    };
    let free = async {
        tokio::task::yield_now().await;
        drop(held);
    };
    let all = join_all(["heavy", "heavy", "heavy", "light"].map(one));
    tokio::join!(all, free);
    assert_eq!(*order.lock(), ["heavy", "light", "heavy", "heavy"]);
}

#[tokio::test]
async fn a_rotation_forgets_nobody_and_new_limits_hold_at_once() {
    let world = world(two(0, 2));
    let held = (world.get("/api").await, world.get("/api").await);
    let rotated = Ok(Arc::new(credentials("new")));
    world.ports.credentials.store(Arc::new(rotated));
    assert_busy(world.get("/api").await).await;
    world.limit(LimitSettings::default());
    assert_eq!(world.get("/api").await.status(), StatusCode::OK);
    drop(held);
}
