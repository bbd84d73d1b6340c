//! What lasts after the credentials of its cluster, or the way there, were replaced: it goes on for
//! a time, and not for ever.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_model::{
    CredentialsError, ForwardProxy, Member, Redacted, SecretRef, Settings, Target, ToMember,
};
use fleetgate_stack::{Body, Tasks};
use futures::{StreamExt, stream};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::yield_now,
    time::{Instant, advance, timeout},
};
use tower::service_fn;

use crate::support::{World, credentials};

/// As docs/steadiness.md says.
const GRACE: Duration = Duration::from_mins(10);
const SECOND: Duration = Duration::from_secs(1);
const WATCH: &str = "/api/v1/pods?watch=1";
const LOG: &str = "/api/v1/namespaces/n/pods/p/log?follow=1";

/// A member whose answers last, and for whom its stacks were made.
struct Lasting {
    world: World,
    made: Arc<Mutex<Vec<Target>>>,
    /// Keep the answers open.
    open: Arc<Mutex<Vec<UnboundedSender<Frame<Bytes>>>>>,
}

// === impl Lasting ===

impl Lasting {
    fn new() -> Self {
        let made = Arc::<Mutex<Vec<Target>>>::default();
        let open = Arc::<Mutex<Vec<UnboundedSender<_>>>>::default();
        let (targets, senders) = (Arc::clone(&made), Arc::clone(&open));
        let new_upstream = move |target| {
            targets.lock().push(target);
            let senders = Arc::clone(&senders);
            service_fn(move |_: ToMember<Body>| {
                let (sender, mut frames) = unbounded_channel();
                sender.send(Frame::data("begun".into())).expect("is read");
                senders.lock().push(sender);
                let frames = stream::poll_fn(move |cx| frames.poll_recv(cx));
                let body = StreamBody::new(frames.map(Ok::<_, Infallible>));
                async { Ok(Response::new(Body::new(body))) }
            })
        };
        Self {
            world: World::new("https://member.test", Tasks::default(), new_upstream),
            made,
            open,
        }
    }

    async fn begin(&self, path: &str) -> Body {
        let answer = self.world.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let mut body = answer.into_body();
        body.frame().await.expect("begun").expect("begun");
        body
    }

    fn present(&self, token: &str) {
        let new = Ok(Arc::new(credentials(token)));
        self.world.ports.credentials.store(Arc::new(new));
    }

    fn refuse(&self, error: CredentialsError) {
        self.world.ports.credentials.store(Arc::new(Err(error)));
    }

    fn register(&self, change: impl FnOnce(&mut Member)) {
        self.world.register(change);
    }
}

fn secret() -> SecretRef {
    SecretRef {
        namespace: "n".to_owned(),
        name: "s".to_owned(),
    }
}

/// How `body` ends, and after what time; or that it goes on.
async fn end(body: &mut Body, limit: Duration) -> Option<(Result<(), ()>, Duration)> {
    let since = Instant::now();
    let end = timeout(limit, body.frame()).await.ok()?;
    let end = end.map_or(Ok(()), |frame| frame.map(drop).map_err(drop));
    Some((end, since.elapsed()))
}

/// `change` lets a watch of before end [`GRACE`] later, as watches do, and one of after go on.
async fn check_replaced(change: impl FnOnce(&Lasting)) {
    let lasting = Lasting::new();
    let mut before = lasting.begin(WATCH).await;
    change(&lasting);
    let mut after = lasting.begin(WATCH).await;
    assert_eq!(lasting.made.lock().len(), 2);
    assert_eq!(end(&mut before, GRACE - SECOND).await, None);
    let (ended, took) = end(&mut before, SECOND * 2).await.expect("an end");
    assert_eq!(ended, Ok(()));
    assert!(took <= SECOND + Duration::from_millis(2), "{took:?}");
    assert_eq!(end(&mut after, GRACE * 10).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_outlives_what_was_replaced_by_the_grace_period() {
    check_replaced(|lasting| lasting.present("new")).await;
    let elsewhere = "https://elsewhere.test";
    check_replaced(|l| l.register(|member| elsewhere.clone_into(&mut member.endpoint))).await;
    check_replaced(|l| l.register(|member| member.insecure_skip_tls_verification = false)).await;
    let proxy = || ForwardProxy {
        url: Redacted::new("http://proxy.test".to_owned()),
        headers: Vec::new(),
    };
    check_replaced(|l| l.register(|member| member.forward_proxy = Some(proxy()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_does_not_look_whole_when_the_grace_period_is_over() {
    let lasting = Lasting::new();
    let mut before = lasting.begin(LOG).await;
    lasting.present("new");
    lasting.begin(LOG).await;
    let (ended, _) = end(&mut before, GRACE + SECOND).await.expect("an end");
    assert_eq!(ended, Err(()));
}

/// `change` ends nothing that was begun, and makes so many stacks more.
async fn check_kept(change: impl FnOnce(&Lasting), stacks: usize) {
    let lasting = Lasting::new();
    let mut before = lasting.begin(WATCH).await;
    change(&lasting);
    lasting.world.review().await;
    let mut after = lasting.begin(WATCH).await;
    assert_eq!(lasting.made.lock().len(), 1 + stacks);
    assert_eq!(end(&mut before, GRACE * 10).await, None);
    // They are of one kind: what replaces the credentials later ends both.
    lasting.present("new");
    lasting.world.review().await;
    assert_eq!(end(&mut before, GRACE - SECOND).await, None);
    for body in [&mut before, &mut after] {
        assert!(end(body, SECOND * 2).await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_leads_to_the_same_member_in_the_same_way_ends_nothing() {
    check_kept(|lasting| lasting.present("ours"), 0).await;
    check_kept(|lasting| lasting.register(|_| {}), 0).await;
    let settings = || Settings {
        idle_timeout: Some(SECOND),
        ..Settings::default()
    };
    check_kept(|l| l.register(|m| m.settings = Ok(settings())), 1).await;
    check_kept(|l| l.register(|m| m.secret = Some(secret())), 1).await;
}

/// A watch ends [`GRACE`] after `change` though nobody sends a request, if the stacks are reviewed.
async fn check_reviewed(change: impl FnOnce(&Lasting), ends: bool) {
    let lasting = Lasting::new();
    let mut watch = lasting.begin(WATCH).await;
    change(&lasting);
    // More often than once: the time does not begin anew.
    for _ in 0..5 {
        lasting.world.review().await;
        assert_eq!(end(&mut watch, GRACE / 5 - SECOND).await, None);
    }
    let ended = end(&mut watch, SECOND * 6).await;
    assert_eq!(ended.is_some(), ends, "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_also_where_nobody_asks_any_more() {
    check_reviewed(|_| {}, false).await;
    check_reviewed(|lasting| lasting.present("new"), true).await;
    check_reviewed(
        |lasting| lasting.refuse(CredentialsError::NotFound(secret())),
        true,
    )
    .await;
    check_reviewed(|l| l.register(|member| member.endpoint.clear()), true).await;
    let source = Arc::from(Box::from("no route to host"));
    let (secret, away) = (secret(), |lasting: &Lasting, secret, source| {
        lasting.refuse(CredentialsError::Unavailable { secret, source });
    });
    check_reviewed(|lasting| away(lasting, secret, source), false).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_begins_anew_on_what_ends() {
    let lasting = Lasting::new();
    let before = lasting.world.ports.credentials.load_full();
    let mut old = lasting.begin(WATCH).await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let idle = tasks();
    lasting.refuse(CredentialsError::NotFound(secret()));
    for _ in 0..3 {
        lasting.world.review().await;
    }
    assert_eq!(tasks(), idle + 1, "one that waits");
    // The very same are there again.
    lasting.world.ports.credentials.store(before);
    let mut new = lasting.begin(WATCH).await;
    assert!(end(&mut old, GRACE + SECOND).await.is_some());
    assert_eq!(end(&mut new, GRACE * 10).await, None);
    // And they belong to the same cluster.
    lasting.world.delete();
    assert!(end(&mut new, SECOND).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_cluster_does_not_wait_for_the_grace_period() {
    let lasting = Lasting::new();
    let mut before = lasting.begin(WATCH).await;
    lasting.present("new");
    lasting.begin(WATCH).await;
    lasting.world.delete();
    let (_, took) = end(&mut before, GRACE).await.expect("an end");
    assert!(took < SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_end_of_what_has_ended() {
    let lasting = Lasting::new();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let idle = tasks();
    let before = lasting.begin(WATCH).await;
    lasting.present("new");
    lasting.begin(WATCH).await;
    yield_now().await;
    assert_eq!(tasks(), idle + 1);
    drop(before);
    lasting.open.lock().clear();
    advance(SECOND).await;
    yield_now().await;
    assert_eq!(tasks(), idle);
}
