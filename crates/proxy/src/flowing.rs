//! A time limit for an answer that does not count the time in which the request's body flows.

use std::{pin::pin, sync::Arc, time::Duration};

use fleetgate_stack::Body;
use http::Request;
use http_body::Body as _;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tokio::time::{Instant, error::Elapsed, timeout_at};

/// When a request last went on: when it began, or when a piece of its body was taken.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Mutex<Instant>>);

// === impl Progress ===

impl Progress {
    /// Of `request`, whose body tells of each piece from now on.
    pub(crate) fn of(request: Request<Body>) -> (Self, Request<Body>) {
        let progress = Self(Arc::new(Mutex::new(Instant::now())));
        if request.body().is_end_stream() {
            return (progress, request);
        }
        let told = progress.clone();
        let tell = move |_: &_| *told.0.lock() = Instant::now();
        let request = request.map(|body| Body::new(body.inspect_frame(tell)));
        (progress, request)
    }

    fn last(&self) -> Instant {
        *self.0.lock()
    }

    /// What comes of `work`, unless it and the body both rest for `limit`.
    pub(crate) async fn within<W: Future>(
        &self,
        limit: Duration,
        work: W,
    ) -> Result<W::Output, Elapsed> {
        let mut work = pin!(work);
        loop {
            let last = self.last();
            match timeout_at(last + limit, &mut work).await {
                Err(_) if self.last() > last => {}
                done => return done,
            }
        }
    }
}
