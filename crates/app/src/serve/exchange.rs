//! Where a connection stands between a request and its answer, for who writes the bytes: what comes
//! between two answers of HTTP/1.1 is written by the parser itself.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use fleetgate_stack::{Body, BoxError};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};

/// No answer is under way.
const IDLE: u8 = 0;
/// A request is served.
const BUSY: u8 = 1;
/// The whole answer was handed over, and may not be written out yet.
const ANSWERED: u8 = 2;
/// Answers are under way at any time, or something else than HTTP/1.1 is.
const ALWAYS: u8 = 3;

/// What is under way on one connection. Clones tell of the same.
///
/// One task reads, serves and writes a connection of HTTP/1.1, so that the order is its own; and
/// hyper flushes only once it has written all that it was handed over.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange(Arc<Now>);

#[derive(Debug, Default)]
struct Now {
    state: AtomicU8,
    /// How many requests were begun.
    requests: AtomicUsize,
}

/// The body of an answer, which is handed over as a whole when it is dropped.
pub(super) struct Answer {
    body: Body,
    exchange: Exchange,
    /// Which request this is the answer to: the next may have begun when it is dropped.
    request: usize,
    last: u8,
}

// === impl Exchange ===

impl Exchange {
    /// `request` is served from now on.
    pub(super) fn begin<B>(&self, request: &Request<B>) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.set(match request.version() {
            Version::HTTP_2 => ALWAYS,
            _ if request.method() == Method::CONNECT => ALWAYS,
            _ => BUSY,
        });
    }

    /// `response`, of which it is known when all of it was handed over.
    pub(super) fn answer(&self, response: Response<Body>) -> Response<Answer> {
        let last = match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => ALWAYS,
            _ if self.is(ALWAYS) => ALWAYS,
            _ => ANSWERED,
        };
        response.map(|body| Answer {
            body,
            exchange: self.clone(),
            request: self.0.requests.load(Ordering::Relaxed),
            last,
        })
    }

    /// All that was handed over is written.
    pub(super) fn written_out(&self) {
        if self.is(ANSWERED) {
            self.set(IDLE);
        }
    }

    /// Whether no byte of an answer is to be written.
    pub(super) fn is_idle(&self) -> bool {
        self.is(IDLE)
    }

    fn is(&self, state: u8) -> bool {
        self.0.state.load(Ordering::Relaxed) == state
    }

    fn set(&self, state: u8) {
        self.0.state.store(state, Ordering::Relaxed);
    }
}

// === impl Answer ===

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.exchange.0.requests.load(Ordering::Relaxed) == self.request {
            self.exchange.set(self.last);
        }
    }
}
