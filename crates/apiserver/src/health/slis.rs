//! What each check found last, and how often, for `/metrics/slis` (Kubernetes: component SLIs).

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::Health;

/// The metrics of all checks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slis {
    last: Family<Check, Gauge>,
    found: Family<Found, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Check {
    name: &'static str,
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    name: &'static str,
    r#type: &'static str,
    status: &'static str,
}

// === impl Slis ===

impl Slis {
    /// Registers the metrics.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let slis = Self::default();
        let last = "What a health check found last: 1 for well, 0 for not";
        registry.register("kubernetes_healthcheck", last, slis.last.clone());
        let found = "What health checks have found";
        registry.register("kubernetes_healthchecks", found, slis.found.clone());
        slis
    }

    /// Notes what the check `name` of `endpoint` found.
    pub(super) fn note(&self, endpoint: &'static str, name: &'static str, health: &Health) {
        let (well, status) = match health {
            Ok(()) => (1, "success"),
            Err(_) => (0, "error"),
        };
        let check = Check {
            name,
            r#type: endpoint,
        };
        self.last.get_or_create(&check).set(well);
        let found = Found {
            name,
            r#type: endpoint,
            status,
        };
        self.found.get_or_create(&found).inc();
    }
}
