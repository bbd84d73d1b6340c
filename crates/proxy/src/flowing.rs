//! A time limit for an answer that does not count the time in which the request's body flows.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use fleetgate_stack::{Body, BoxError};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, error::Elapsed, timeout_at};

/// When a request last went on: when it began, or when a piece of its body was taken.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Mutex<Instant>>);

/// A body that tells of each piece.
struct Flowing {
    body: Body,
    progress: Progress,
}

// === impl Progress ===

impl Progress {
    /// Of the request with `body`, which tells of it from now on.
    pub(crate) fn of(body: Body) -> (Self, Body) {
        let progress = Self(Arc::new(Mutex::new(Instant::now())));
        if http_body::Body::is_end_stream(&body) {
            return (progress, body);
        }
        let told = progress.clone();
        let body = Flowing {
            body,
            progress: told,
        };
        (progress, Body::new(body))
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

impl http_body::Body for Flowing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        *self.progress.0.lock() = Instant::now();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
