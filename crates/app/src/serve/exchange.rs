//! Where a connection stands between a request and its answer, for who writes the bytes: what comes
//! between two answers of HTTP/1.1 is written by the parser itself.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use fleetgate_stack::{Body, GuardedBody};
use http::{Method, Request, Response, StatusCode, Version};

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

/// What the body of an answer holds until all of it was handed over.
pub(super) struct UnderWay {
    exchange: Exchange,
    /// Which request this is the answer to: the next may have begun when it is dropped.
    request: usize,
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
    pub(super) fn answer(&self, response: Response<Body>) -> Response<GuardedBody<Body, UnderWay>> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.set(ALWAYS);
        }
        let under_way = UnderWay {
            exchange: self.clone(),
            request: self.requests(),
        };
        response.map(|body| GuardedBody::new(body, under_way))
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

    fn requests(&self) -> usize {
        self.0.requests.load(Ordering::Relaxed)
    }

    fn is(&self, state: u8) -> bool {
        self.0.state.load(Ordering::Relaxed) == state
    }

    fn set(&self, state: u8) {
        self.0.state.store(state, Ordering::Relaxed);
    }
}

// === impl UnderWay ===

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.exchange.is(BUSY) && self.exchange.requests() == self.request {
            self.exchange.set(ANSWERED);
        }
    }
}
