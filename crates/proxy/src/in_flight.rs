//! How many requests are served at a time: those that read and those that change apart.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use fleetgate_apimachinery::request_info::RequestInfo;
use fleetgate_model::MASTERS;
use fleetgate_stack::{Body, GuardedBody};
use futures::{
    FutureExt,
    future::{BoxFuture, Either, ready},
};
use http::Response;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service};

use crate::{Error, Metrics, impersonate::Acting, metrics::RequestKind};

/// How many requests that do not last are served at a time, as kube-apiserver limits them.
#[derive(Clone, Copy, Debug)]
pub struct InFlightLimits {
    /// Requests to get, list or watch; no limit if 0.
    pub reading: usize,
    /// All other requests; no limit if 0.
    pub mutating: usize,
}

/// Applies [`InFlight`]. Clones share the places.
#[derive(Clone, Debug)]
pub struct InFlightLayer(Arc<ByKind>);

#[derive(Debug)]
struct ByKind {
    reading: Option<Places>,
    mutating: Option<Places>,
}

/// Refuses requests beyond the limits at once, with 429: nothing waits here. What lasts is not
/// counted, and neither is what goes to a member, which has places of its own: to kube-apiserver
/// every request for a `proxy` subresource lasts. Members of `system:masters` are served in any
/// case. A request is counted until its answer was read to the end, or is there whole and small:
/// otherwise whoever reads nothing could keep all places with answers that everybody may ask for.
#[derive(Clone, Debug)]
pub struct InFlight<S> {
    limits: InFlightLayer,
    inner: S,
}

#[derive(Debug)]
struct Places {
    free: Arc<Semaphore>,
    taken: Gauge,
}

/// Counts a request for as long as it lives.
struct Place {
    taken: Gauge,
    _permit: OwnedSemaphorePermit,
}

// === impl InFlightLayer ===

impl InFlightLayer {
    /// A layer that keeps to `limits` and shows in `metrics` how much of them is used.
    pub fn new(limits: InFlightLimits, metrics: &Metrics) -> Self {
        let places = |limit: usize, kind| {
            let free = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
            let taken = metrics.in_flight(kind);
            (limit > 0).then_some(Places { free, taken })
        };
        Self(Arc::new(ByKind {
            reading: places(limits.reading, RequestKind::ReadOnly),
            mutating: places(limits.mutating, RequestKind::Mutating),
        }))
    }

    fn places(&self, info: &RequestInfo) -> Option<&Places> {
        let asked = &info.attributes;
        if asked.long_running || info.proxy.is_some() {
            return None;
        }
        match asked.verb.as_str() {
            "get" | "list" | "watch" => self.0.reading.as_ref(),
            _ => self.0.mutating.as_ref(),
        }
    }

    /// The place of `acting`, if it needs one and one is free.
    fn enter(&self, acting: &Acting) -> Result<Option<Place>, Error> {
        let Some(places) = self.places(acting.info()) else {
            return Ok(None);
        };
        match places.take() {
            None if !acting.user().is_in(MASTERS) => Err(Error::TooManyRequests),
            place => Ok(place),
        }
    }
}

impl<S> Layer<S> for InFlightLayer {
    type Service = InFlight<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let limits = self.clone();
        InFlight { limits, inner }
    }
}

// === impl InFlight ===

impl<S> Service<Acting> for InFlight<S>
where
    S: Service<Acting, Response = Response<Body>, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<Body>, Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, acting: Acting) -> Self::Future {
        let place = match self.limits.enter(&acting) {
            Ok(Some(place)) => place,
            Ok(None) => return Either::Left(self.inner.call(acting)),
            Err(error) => return Either::Right(ready(Err(error)).boxed()),
        };
        let answer = self.inner.call(acting);
        Either::Right(Box::pin(async move {
            let answer = answer.await?;
            if is_small(answer.body()) {
                return Ok(answer);
            }
            Ok(answer.map(|body| Body::new(GuardedBody::new(body, place))))
        }))
    }
}

/// As much as Go keeps for a caller who does not read (4 KiB, `http2`'s buffer of an answer).
fn is_small(body: &Body) -> bool {
    let length = http_body::Body::size_hint(body).exact();
    length.is_some_and(|length| length <= 4 << 10)
}

// === impl Places ===

impl Places {
    fn take(&self) -> Option<Place> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        self.taken.inc();
        Some(Place {
            taken: self.taken.clone(),
            _permit: permit,
        })
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.dec();
    }
}
