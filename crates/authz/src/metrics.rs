//! What is counted of authorization.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Counters of one authorizer; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    attempts: Family<Attempt, Counter>,
    cache: Family<Cache, Counter>,
    reviews: Family<Reviewed, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cache {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reviewed {
    code: String,
}

// === impl Metrics ===

impl Metrics {
    /// Counters that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "authorization_attempts",
            "Requests authorized: allowed, denied, error (nobody to ask)",
            metrics.attempts.clone(),
        );
        registry.register(
            "authorization_review_cache_request",
            "Reviews found in the cache (hit) or not (miss)",
            metrics.cache.clone(),
        );
        registry.register(
            "apiserver_delegated_authz_request",
            "Access reviews asked of the host, by status code or <error>",
            metrics.reviews.clone(),
        );
        metrics
    }

    pub(crate) fn attempt(&self, result: &'static str) {
        self.attempts.get_or_create(&Attempt { result }).inc();
    }

    pub(crate) fn cache_hit(&self) {
        self.cache.get_or_create(&Cache { status: "hit" }).inc();
    }

    pub(crate) fn cache_miss(&self) {
        self.cache.get_or_create(&Cache { status: "miss" }).inc();
    }

    pub(crate) fn reviewed(&self, code: String) {
        self.reviews.get_or_create(&Reviewed { code }).inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::Metrics;

    #[test]
    fn counters_show_in_the_registry() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.attempt("denied");
        metrics.reviewed("201".to_owned());
        let mut text = String::new();
        encode(&mut text, &registry).expect("encodes");
        assert!(text.contains("authorization_attempts_total{result=\"denied\"} 1"));
        assert!(text.contains("apiserver_delegated_authz_request_total{code=\"201\"} 1"));
    }
}
