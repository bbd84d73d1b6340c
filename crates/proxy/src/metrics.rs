//! What is counted about requests to members.

use std::{fmt, sync::Arc, time::Duration};

use fleetgate_model::Class;
use http::StatusCode;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Request metrics: of all members, and of what is served at a time.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Answer, Counter>,
    durations: Family<Cluster, Histogram>,
    in_flight: Family<InFlight, Gauge>,
    places: Family<Place, Gauge>,
    queued: Family<Cluster, Gauge>,
    rejected: Family<Place, Counter>,
}

/// Request metrics of one member.
#[derive(Debug)]
pub(crate) struct MemberMetrics {
    cluster: Arc<str>,
    requests: Family<Answer, Counter>,
    duration: Histogram,
}

/// What is counted about the places for one class of requests to one member.
#[derive(Clone, Debug)]
pub(crate) struct PlaceMetrics {
    taken: Gauge,
    rejected: Counter,
}

/// Counts for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    cluster: Arc<str>,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cluster {
    cluster: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Place {
    cluster: Arc<str>,
    class: ClassLabel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ClassLabel(Class);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InFlight {
    request_kind: RequestKind,
}

/// Which limit a request counts against, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RequestKind {
    Mutating,
    ReadOnly,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        // 0.5 ms to 65 s, by four: the shape of short requests, and what lasts in the last.
        let histogram = || Histogram::new(exponential_buckets(0.0005, 4.0, 9));
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            in_flight: Family::default(),
            places: Family::default(),
            queued: Family::default(),
            rejected: Family::default(),
        };
        registry.register(
            "proxy_requests",
            "Requests brought to members, by what they answered",
            metrics.requests.clone(),
        );
        registry.register(
            "proxy_request_duration_seconds",
            "Time until a member's answer began",
            metrics.durations.clone(),
        );
        registry.register(
            "apiserver_current_inflight_requests",
            "Requests that count against the limits of those served at a time",
            metrics.in_flight.clone(),
        );
        registry.register(
            "proxy_current_inflight_requests",
            "Requests under way to a member, until their answers were read to the end",
            metrics.places.clone(),
        );
        registry.register(
            "proxy_current_inqueue_requests",
            "Requests that wait because as many as may are under way to the member",
            metrics.queued.clone(),
        );
        registry.register(
            "proxy_rejected_requests",
            "Requests refused because as many as may were under way to the member, and waiting",
            metrics.rejected.clone(),
        );
        metrics
    }

    pub(crate) fn places(&self, cluster: &str, class: Class) -> PlaceMetrics {
        let label = Place {
            cluster: Arc::from(cluster),
            class: ClassLabel(class),
        };
        PlaceMetrics {
            taken: self.places.get_or_create(&label).clone(),
            rejected: self.rejected.get_or_create(&label).clone(),
        }
    }

    pub(crate) fn queued(&self, cluster: &str) -> Gauge {
        let cluster = Arc::from(cluster);
        self.queued.get_or_create(&Cluster { cluster }).clone()
    }

    pub(crate) fn in_flight(&self, request_kind: RequestKind) -> Gauge {
        let label = InFlight { request_kind };
        self.in_flight.get_or_create(&label).clone()
    }

    pub(crate) fn member(&self, cluster: &str) -> MemberMetrics {
        let cluster: Arc<str> = Arc::from(cluster);
        let label = Cluster {
            cluster: Arc::clone(&cluster),
        };
        MemberMetrics {
            cluster,
            requests: self.requests.clone(),
            duration: self.durations.get_or_create(&label).clone(),
        }
    }
}

// === impl PlaceMetrics ===

impl PlaceMetrics {
    /// Counts a request that has a place.
    pub(crate) fn taken(&self) -> Counted {
        Counted::of(&self.taken)
    }

    /// Counts a request that got none.
    pub(crate) fn rejected(&self) {
        self.rejected.inc();
    }
}

// === impl Counted ===

impl Counted {
    pub(crate) fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

// === impl ClassLabel ===

impl EncodeLabelValue for ClassLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        let text = match self.0 {
            Class::LongRunning => "long-running",
            Class::Short => "short",
            Class::Upgrade => "upgrade",
        };
        text.encode(encoder)
    }
}

// === impl RequestKind ===

impl EncodeLabelValue for RequestKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        let text = match self {
            Self::Mutating => "mutating",
            Self::ReadOnly => "readOnly",
        };
        text.encode(encoder)
    }
}

// === impl MemberMetrics ===

impl MemberMetrics {
    /// Counts one answer that began after `elapsed`.
    pub(crate) fn observe(&self, code: StatusCode, elapsed: Duration) {
        let answer = Answer {
            cluster: Arc::clone(&self.cluster),
            code: code.as_u16(),
        };
        self.requests.get_or_create(&answer).inc();
        self.duration.observe(elapsed.as_secs_f64());
    }
}
