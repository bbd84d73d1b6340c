//! How many requests are brought to one member at a time. docs/steadiness.md shows it to operators.

use std::{sync::Arc, time::Duration};

use fleetgate_model::{Class, ClusterName, LimitSettings};
use fleetgate_stack::{Bulkhead, BulkheadLimits, Full, Place};
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::timeout;

use crate::{
    Metrics,
    metrics::{Counted, PlaceMetrics},
};

/// Short requests at a time, where the cluster says nothing: as many as kube-apiserver serves of
/// those that read.
const REQUESTS: u32 = 400;
/// Short requests that wait.
const QUEUED: u32 = 400;
/// Watches and whatever else lasts.
const WATCHES: u32 = 20_000;
/// Upgrades.
const UPGRADES: u32 = 1_000;
/// The part of a request's time limit that it may wait for a place, as in Kubernetes' fair queues.
const QUEUE_PART: u32 = 4;

/// The limits of one member. Clones share the places.
#[derive(Clone, Debug)]
pub(crate) struct Limits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: LimitSettings,
    short: Places,
    long_running: Places,
    upgrades: Places,
    queued: Gauge,
}

/// The places for one class of requests.
#[derive(Debug)]
struct Places {
    bulkhead: Arc<Bulkhead>,
    metrics: PlaceMetrics,
}

/// A request that has a place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    _place: Place,
    _counted: Counted,
}

// === impl Limits ===

impl Limits {
    /// The limits of the cluster `name`.
    pub(crate) fn new(name: &ClusterName, settings: LimitSettings, metrics: &Metrics) -> Self {
        let places = |class, places: u32, per_user: Option<u32>, queue: u32| {
            let places = count(places);
            let bulkhead = Bulkhead::new(BulkheadLimits {
                places,
                // What is left is for others.
                per_user: per_user.map_or_else(|| (places * 3).div_ceil(4), count),
                queue: count(queue),
            });
            let metrics = metrics.places(name.as_str(), class);
            Places { bulkhead, metrics }
        };
        let requests = settings.requests.unwrap_or(REQUESTS);
        let queued = settings.queued_requests.unwrap_or(QUEUED);
        let watches = settings.watches.unwrap_or(WATCHES);
        let upgrades = settings.upgrades.unwrap_or(UPGRADES);
        Self(Arc::new(Shared {
            settings,
            short: places(Class::Short, requests, settings.requests_per_user, queued),
            long_running: places(Class::LongRunning, watches, None, 0),
            upgrades: places(Class::Upgrade, upgrades, None, 0),
            queued: metrics.queued(name.as_str()),
        }))
    }

    /// Whether these are the limits that `settings` say.
    pub(crate) fn are(&self, settings: LimitSettings) -> bool {
        self.0.settings == settings
    }

    /// A place for a request of `user` that may take `time`.
    ///
    /// # Errors
    /// [`Full`] if there is none, even after waiting where that makes sense.
    pub(crate) async fn enter(
        &self,
        class: Class,
        user: &str,
        time: Duration,
    ) -> Result<Entered, Full> {
        let places = match class {
            Class::LongRunning => &self.0.long_running,
            Class::Short => &self.0.short,
            Class::Upgrade => &self.0.upgrades,
        };
        let place = match places.bulkhead.try_enter(user) {
            Some(place) => Ok(place),
            None => {
                let _queued = Counted::of(&self.0.queued);
                let waiting = timeout(time / QUEUE_PART, places.bulkhead.enter(user));
                waiting.await.unwrap_or(Err(Full))
            }
        };
        match place {
            Ok(place) => Ok(Entered {
                _place: place,
                _counted: places.metrics.taken(),
            }),
            Err(Full) => {
                places.metrics.rejected();
                Err(Full)
            }
        }
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
