//! Asks one way of authorization after the other.

use std::time::Duration;

use fleetgate_model::{Attributes, Authorize, AuthorizeError, Decision, MASTERS, User};

use crate::{
    AlwaysAllowedPaths, Metrics, ReviewAccess,
    review::{AccessReview, Reviews},
};

/// How an [`Authorizer`] goes about it.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long an allowance is remembered (`--authorization-webhook-cache-authorized-ttl`).
    pub allowed_ttl: Duration,
    /// How long a refusal is remembered (`--authorization-webhook-cache-unauthorized-ttl`).
    pub denied_ttl: Duration,
    /// `--authorization-always-allow-paths`.
    pub always_allowed_paths: AlwaysAllowedPaths,
    /// How many reviews may be asked of the host at a time; further ones wait their turn. It
    /// stands for the rate limit of Kubernetes (200 a second, bursts of 400): a host that answers
    /// in 10 ms gets no more from 4 at a time, and a slow one is not overrun.
    pub max_reviews_at_a_time: usize,
}

/// Decides what callers may do, by Kubernetes' rules.
#[derive(Debug)]
pub struct Authorizer<R> {
    always_allowed_paths: AlwaysAllowedPaths,
    reviews: Reviews<R>,
    metrics: Metrics,
}

// === impl Authorizer ===

impl<R: ReviewAccess> Authorizer<R> {
    /// An authorizer that asks `reviewer`.
    pub fn new(config: Config, reviewer: R, metrics: Metrics) -> Self {
        let always_allowed_paths = config.always_allowed_paths.clone();
        let reviews = Reviews::new(&config, reviewer, metrics.clone());
        Self {
            always_allowed_paths,
            reviews,
            metrics,
        }
    }

    fn needs_no_review(&self, user: &User, attributes: &Attributes) -> bool {
        user.is_in(MASTERS)
            || attributes.resource.is_none() && self.always_allowed_paths.contain(&attributes.path)
    }
}

impl<R: ReviewAccess> Authorize for Authorizer<R> {
    async fn authorize(
        &self,
        user: &User,
        attributes: &Attributes,
    ) -> Result<Decision, AuthorizeError> {
        if self.needs_no_review(user, attributes) {
            self.metrics.attempt("allowed");
            return Ok(Decision::allow());
        }
        let verdict = self.reviews.review(AccessReview { user, attributes }).await;
        self.metrics.attempt(match &verdict {
            Ok(Decision::Allow { .. }) => "allowed",
            Ok(Decision::Deny { .. }) => "denied",
            Err(_) => "error",
        });
        verdict.map_err(|error| AuthorizeError(Box::new(error)))
    }
}

#[cfg(test)]
mod tests;
