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
    circuits: Family<ClusterLabel, Gauge>,
    circuits_opened: Family<ClusterLabel, Counter>,
    refused: Family<ClusterLabel, Counter>,
}

/// Connection metrics of one member.
#[derive(Clone, Debug)]
pub(crate) struct MemberMetrics {
    cluster: Arc<str>,
    opened: Counter,
    open: Gauge,
    circuit: Gauge,
    circuit_opened: Counter,
    refused: Counter,
}

/// Counts one connection as open until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge<i64, AtomicI64>);

/// Counts a circuit as open until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenCircuit(Gauge<i64, AtomicI64>);

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
        registry.register(
            "upstream_circuit_open",
            "1 while a member cannot be connected to and is given up but for a trial now and then",
            metrics.circuits.clone(),
        );
        registry.register(
            "upstream_circuit_opened",
            "How often a member was given up",
            metrics.circuits_opened.clone(),
        );
        registry.register(
            "upstream_circuit_refused",
            "Requests that were refused because the member was given up",
            metrics.refused.clone(),
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
            circuit: self.circuits.get_or_create(&label).clone(),
            circuit_opened: self.circuits_opened.get_or_create(&label).clone(),
            refused: self.refused.get_or_create(&label).clone(),
            cluster: label.cluster,
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

    /// Counts that the member was given up.
    pub(crate) fn open_circuit(&self) -> OpenCircuit {
        self.circuit_opened.inc();
        self.circuit.inc();
        OpenCircuit(self.circuit.clone())
    }

    /// Counts a request that was refused for it.
    pub(crate) fn refused(&self) {
        self.refused.inc();
    }

    /// The member's name.
    pub(crate) fn cluster(&self) -> &str {
        &self.cluster
    }
}

// === impl OpenConnection ===

impl Drop for OpenCircuit {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
