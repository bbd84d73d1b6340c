//! No more requests are served at a time than the limits say.

use std::sync::Arc;

use fleetgate_proxy::{Authorized, Error, InFlightLimits};
use fleetgate_stack::Body;
use futures::{FutureExt, future::BoxFuture};
use http::{Method, Request, Response, StatusCode, header::AUTHORIZATION};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::support::{World, request, text};

const CLUSTERS: &str = "/apis/cluster.karmada.io/v1alpha1/clusters";

/// An answer that somebody has to read, and one that is there whole.
const LARGE: usize = 5000;
const SMALL: usize = 4096;

/// A server that says when a request has come and answers when told.
#[derive(Clone)]
struct Slow {
    came: mpsc::UnboundedSender<()>,
    answer: Arc<Semaphore>,
    length: usize,
}

/// A world with such a server, and limits.
struct Busy {
    world: World,
    came: mpsc::UnboundedReceiver<()>,
    answer: Arc<Semaphore>,
    tasks: TaskTracker,
}

// === impl Slow ===

impl Slow {
    fn answer(self, _: Authorized) -> BoxFuture<'static, Result<Response<Body>, Error>> {
        async move {
            self.came.send(()).expect("the test waits");
            let permit = self.answer.acquire().await.expect("never closed");
            permit.forget();
            Ok(Response::new(Body::full("x".repeat(self.length))))
        }
        .boxed()
    }
}

// === impl Busy ===

impl Busy {
    fn new(reading: usize, mutating: usize) -> Self {
        Self::answering(LARGE, InFlightLimits { reading, mutating })
    }

    /// One whose answers have `length` bytes.
    fn answering(length: usize, limits: InFlightLimits) -> Self {
        let (told, came) = mpsc::unbounded_channel();
        let answer = Arc::new(Semaphore::new(0));
        let slow = Slow {
            came: told,
            answer: Arc::clone(&answer),
            length,
        };
        let world = World::limited(limits, move |asked| slow.clone().answer(asked));
        Self {
            world,
            came,
            answer,
            tasks: TaskTracker::new(),
        }
    }

    /// Sends `request`, and returns when it is being served, or was already.
    async fn send(&mut self, request: Request<Body>) -> tokio::task::JoinHandle<Response<Body>> {
        let answer = self.world.stack.clone().oneshot(request);
        let mut answer = self
            .tasks
            .spawn(answer.map(|answer| answer.expect("never fails")));
        tokio::select! {
            // First, for who is answered at once came too.
            biased;
            came = self.came.recv() => came.expect("the server lives"),
            refused = &mut answer => panic!("{refused:?}"),
        }
        answer
    }

    /// Sends `request`, which must not be served.
    async fn check_refused(&mut self, request: Request<Body>) {
        let answer = tokio::select! {
            answer = self.world.send(request) => answer,
            _ = self.came.recv() => panic!("the request was served"),
        };
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()["retry-after"], "1");
        let body = text(answer).await;
        assert!(body.contains("TooManyRequests"), "{body}");
        assert!(body.contains("Too many requests, please try again later."));
    }

    /// How many requests count, as the metric shows it.
    fn counted(&self, kind: &str) -> String {
        let name = format!("apiserver_current_inflight_requests{{request_kind=\"{kind}\"}} ");
        let line = self.world.metric(&name);
        line.strip_prefix(&name).expect("the start").to_owned()
    }
}

/// A request for this server's own API, as jane.
fn local(method: Method, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(AUTHORIZATION, "Bearer jane");
    request.body(Body::empty()).expect("a request")
}

fn get() -> Request<Body> {
    local(Method::GET, CLUSTERS)
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_refused_before_anybody_is_asked() {
    let mut busy = Busy::new(2, 1);
    let first = busy.send(get()).await;
    let _second = busy.send(get()).await;
    assert_eq!(busy.counted("readOnly"), "2");
    let asked = busy.world.asked();
    busy.check_refused(get()).await;
    assert_eq!(busy.world.asked(), asked);

    // Counted until the answer was read: its head alone frees nothing.
    busy.answer.add_permits(1);
    let answer = first.await.expect("no panic");
    busy.check_refused(get()).await;
    assert_eq!(text(answer).await.len(), LARGE);
    assert_eq!(busy.counted("readOnly"), "1");
    busy.send(get()).await;
}

#[tokio::test]
async fn who_does_not_read_a_small_answer_keeps_no_place() {
    let limits = InFlightLimits {
        reading: 1,
        mutating: 1,
    };
    let mut busy = Busy::answering(SMALL, limits);
    busy.answer.add_permits(1);
    let answered = busy.send(get()).await;
    let unread = answered.await.expect("no panic");
    assert_eq!(busy.counted("readOnly"), "0");
    busy.send(get()).await;
    assert_eq!(text(unread).await.len(), SMALL);
}

#[tokio::test]
async fn reading_and_changing_are_counted_apart() {
    let mut busy = Busy::new(1, 1);
    let _reading = busy.send(get()).await;
    let _mutating = busy.send(local(Method::POST, CLUSTERS)).await;
    assert_eq!(busy.counted("mutating"), "1");
    busy.check_refused(get()).await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        busy.check_refused(local(method, CLUSTERS)).await;
    }
    // No resource, and so the verb is the method: `head`, which Kubernetes counts as a change.
    busy.check_refused(local(Method::HEAD, "/version")).await;
}

#[tokio::test]
async fn what_lasts_is_not_counted() {
    let mut busy = Busy::new(1, 1);
    let watch = || local(Method::GET, &format!("{CLUSTERS}?watch=true"));
    let _first = busy.send(watch()).await;
    assert_eq!(busy.counted("readOnly"), "0");
    let _second = busy.send(get()).await;
    let _third = busy.send(watch()).await;
    busy.check_refused(get()).await;
}

#[tokio::test]
async fn what_goes_to_a_member_is_not_counted_here() {
    let mut busy = Busy::new(1, 1);
    let _held = busy.send(get()).await;
    for method in [Method::GET, Method::POST] {
        let answer = busy.world.send(request(method, "/api/v1/pods")).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert_eq!(busy.counted("readOnly"), "1");
    assert_eq!(busy.counted("mutating"), "0");
}

#[tokio::test]
async fn masters_are_always_served_and_who_acts_as_another_counts_as_that_other() {
    let mut busy = Busy::new(1, 1);
    let _first = busy.send(get()).await;
    let acting = |group: &str| {
        let mut request = get();
        let headers = request.headers_mut();
        headers.insert("impersonate-user", "root".parse().expect("a value"));
        headers.insert("impersonate-group", group.parse().expect("a value"));
        request
    };
    busy.send(acting("system:masters")).await;
    assert_eq!(busy.counted("readOnly"), "1");
    busy.check_refused(acting("others")).await;
}

#[tokio::test]
async fn a_request_that_is_given_up_frees_its_place() {
    let mut busy = Busy::new(1, 1);
    let first = busy.send(get()).await;
    first.abort();
    assert!(first.await.expect_err("aborted").is_cancelled());
    assert_eq!(busy.counted("readOnly"), "0");
    busy.send(get()).await;
}

#[tokio::test]
async fn no_limit_means_no_limit() {
    let mut busy = Busy::new(0, 0);
    for _ in 0..20 {
        busy.send(get()).await;
        busy.send(local(Method::POST, CLUSTERS)).await;
    }
}
