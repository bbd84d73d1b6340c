//! One stack a cluster: kept while nothing changes, replaced without a dropped call, ended with
//! the cluster.

use std::sync::Arc;

use fleetgate_model::{Target, UpstreamError};
use fleetgate_stack::{Body, Tasks};
use fleetgate_testkit::{Answer, Chunks, FakeMember, Received};
use futures::future::join_all;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tower::service_fn;

use crate::support::{PATIENCE, World, credentials, text};

/// Streams to watches, echoes to the rest.
async fn member() -> (FakeMember, Arc<Mutex<Vec<Chunks>>>) {
    let streams = Arc::<Mutex<Vec<Chunks>>>::default();
    let opened = Arc::clone(&streams);
    let member = FakeMember::plain().start(move |received: &Received| {
        if !received.path.contains("watch") {
            return Answer::Echo;
        }
        let (answer, chunks) = Answer::stream();
        opened.lock().push(chunks);
        answer
    });
    (member.await, streams)
}

async fn watch(world: &World) -> Body {
    let answer = world.get("/api/v1/pods?watch=1").await;
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

/// The next piece of `body`, or nothing at its proper end.
async fn next(body: &mut Body) -> Option<String> {
    let frame = tokio::time::timeout(PATIENCE, body.frame()).await;
    let frame = frame.expect("in time")?.expect("no failure");
    let data = frame.into_data().expect("data");
    Some(String::from_utf8(data.to_vec()).expect("text"))
}

fn rotate(world: &World, token: &str) {
    let new = Arc::new(credentials(token));
    world.ports.credentials.store(Arc::new(Ok(new)));
}

#[tokio::test]
async fn a_stack_is_made_once_while_nothing_changes() {
    let made = Arc::<Mutex<Vec<Target>>>::default();
    let log = Arc::clone(&made);
    let world = World::new("https://member.test", Tasks::default(), move |target| {
        log.lock().push(target);
        service_fn(|_| async { Ok::<_, UpstreamError>(Response::new(Body::empty())) })
    });
    join_all((0..10).map(|_| world.get("/api"))).await;
    assert_eq!(made.lock().len(), 1);
    rotate(&world, "new");
    join_all((0..10).map(|_| world.get("/api"))).await;
    assert_eq!(made.lock().len(), 2);
    world.register(|member| "https://elsewhere.test".clone_into(&mut member.endpoint));
    join_all((0..10).map(|_| world.get("/api"))).await;
    assert_eq!(made.lock().len(), 3);
    assert_eq!(made.lock()[2].member.endpoint, "https://elsewhere.test");
    assert_eq!(made.lock()[2].credentials.authorization, "bearer new");
}

#[tokio::test]
async fn a_rotated_token_is_used_by_the_next_request_and_drops_no_call() {
    let (member, streams) = member().await;
    let world = World::of(&member);
    let mut before = watch(&world).await;
    rotate(&world, "new");
    let mut after = watch(&world).await;
    assert_eq!(world.get("/api").await.status(), 200);
    for (index, body) in [&mut before, &mut after].into_iter().enumerate() {
        assert!(streams.lock()[index].send("late"));
        assert_eq!(next(body).await.as_deref(), Some("late"));
    }
    let tokens: Vec<_> = member.received();
    let tokens: Vec<_> = tokens.iter().map(|r| r.header("authorization")).collect();
    assert_eq!(tokens, ["bearer ours", "bearer new", "bearer new"]);
}

#[tokio::test]
async fn a_deleted_cluster_ends_its_watches_also_those_of_an_earlier_token() {
    let (member, streams) = member().await;
    let world = World::of(&member);
    let mut before = watch(&world).await;
    rotate(&world, "new");
    let mut after = watch(&world).await;
    world.retain.retain(&|_| true);
    assert!(streams.lock().iter().all(|chunks| chunks.send("kept")));
    for body in [&mut before, &mut after] {
        assert_eq!(next(body).await.as_deref(), Some("kept"));
    }
    world.delete();
    for body in [&mut before, &mut after] {
        assert_eq!(next(body).await, None);
    }
    assert_eq!(world.get("/api").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_cluster_registered_anew_is_another_one() {
    let (member, _streams) = member().await;
    let world = World::of(&member);
    let mut old = watch(&world).await;
    world.register(|member| "2".clone_into(&mut member.uid));
    let mut new = watch(&world).await;
    assert_eq!(next(&mut old).await, None);
    world.delete();
    assert_eq!(next(&mut new).await, None);
}

#[tokio::test]
async fn a_cluster_registered_anew_ends_what_was_before_it_also_where_nobody_asks_for_it() {
    let (member, _streams) = member().await;
    let world = World::of(&member);
    let mut old = watch(&world).await;
    world.retain.retain(&|member| member.uid == "2");
    assert_eq!(next(&mut old).await, None);
}

#[tokio::test]
async fn a_cluster_deleted_while_a_request_comes_in_gets_no_stack() {
    let (member, _streams) = member().await;
    let world = World::of(&member);
    world
        .ports
        .deletes_meanwhile
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let answer = world.get("/api/v1/pods?watch=1").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn watches_end_in_order_when_the_server_stops() {
    let (member, streams) = member().await;
    let world = World::of(&member);
    let mut body = watch(&world).await;
    assert!(streams.lock()[0].send("last"));
    assert_eq!(next(&mut body).await.as_deref(), Some("last"));
    world.tasks.stop().await;
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test]
async fn answers_are_counted_by_what_they_were() {
    let (member, _streams) = member().await;
    let world = World::of(&member);
    world.get("/api").await;
    world.get("/api").await;
    let count = world.metric("proxy_requests_total{cluster=\"m\",code=\"200\"}");
    assert!(count.ends_with(" 2"), "{count}");
    let count = world.metric("proxy_request_duration_seconds_count{cluster=\"m\"}");
    assert!(count.ends_with(" 2"), "{count}");

    world.register(|member| "https://u:p@h".clone_into(&mut member.endpoint));
    let refused = world.get("/api").await;
    assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!text(refused).await.is_empty());
    let count = world.metric("proxy_requests_total{cluster=\"m\",code=\"500\"}");
    assert!(count.ends_with(" 1"), "{count}");
}
