//! What is counted about connections to members.

use std::sync::{Arc, atomic::AtomicI64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// Connection metrics of all members.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    opened: Family<ClusterLabel, Counter>,
    open: Family<ClusterLabel, Gauge>,
}

/// Connection metrics of one member.
#[derive(Clone, Debug)]
pub(crate) struct MemberMetrics {
    opened: Counter,
    open: Gauge,
}

/// Counts one connection as open until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge<i64, AtomicI64>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterLabel {
    cluster: Arc<str>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "upstream_connections_opened",
            "Connections made to members, one TLS handshake each where the member speaks TLS",
            metrics.opened.clone(),
        );
        registry.register(
            "upstream_connections",
            "Connections to members that are open",
            metrics.open.clone(),
        );
        metrics
    }

    /// The metrics of the member called `cluster`.
    pub(crate) fn member(&self, cluster: &str) -> MemberMetrics {
        let label = ClusterLabel {
            cluster: Arc::from(cluster),
        };
        MemberMetrics {
            opened: self.opened.get_or_create(&label).clone(),
            open: self.open.get_or_create(&label).clone(),
        }
    }
}

// === impl MemberMetrics ===

impl MemberMetrics {
    /// Counts a new connection.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.opened.inc();
        self.open.inc();
        OpenConnection(self.open.clone())
    }
}

// === impl OpenConnection ===

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
