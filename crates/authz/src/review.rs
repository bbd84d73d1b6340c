//! What the host says that a caller may do, remembered for a while.

mod key;
mod kube;

use std::{future::Future, sync::Arc, time::Duration};

use fleetgate_model::{Attributes, Decision, User};
use fleetgate_stack::Together;
use futures::FutureExt;
use moka::future::Cache;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::{Config, Metrics};
use key::Key;

pub use self::kube::KubeAccessReview;

/// How many verdicts are remembered. Past it, the ones least used are asked for again.
const CAPACITY: u64 = 32_768;

/// How long a question waits for its turn: as long as the one before may take.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// One question: may `user` do what `attributes` say?
#[derive(Clone, Copy, Debug)]
pub struct AccessReview<'a> {
    /// Who.
    pub user: &'a User,
    /// What.
    pub attributes: &'a Attributes,
}

/// Asks what a caller may do.
pub trait ReviewAccess: Send + Sync + 'static {
    /// The host's verdict.
    fn review_access(
        &self,
        review: AccessReview<'_>,
    ) -> impl Future<Output = Result<Verdict, ReviewError>> + Send;
}

/// What the host says: `status` of a SubjectAccessReview.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// It is allowed.
    pub allowed: bool,
    /// It is denied, whatever others say.
    pub denied: bool,
    /// Why, for the caller; may be empty.
    pub reason: String,
}

/// Nobody could say what the caller may do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReviewError {
    /// The host said both yes and no.
    #[error("the host both allowed and denied the request")]
    Contradictory,
    /// The host did not answer, or would not.
    #[error("cannot review the request at the host")]
    Host(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The host took too long.
    #[error("the host took too long to review the request")]
    TimedOut,
}

/// Verdicts that are remembered.
#[derive(Debug)]
pub(crate) struct Reviews<R> {
    host: Arc<Host<R>>,
    by_question: Cache<Key, Remembered>,
    under_way: Together<Key, Remembered>,
    metrics: Metrics,
}

/// Whoever is asked, a few questions at a time.
#[derive(Debug)]
struct Host<R> {
    reviewer: R,
    allowed_ttl: Duration,
    denied_ttl: Duration,
    turns: Semaphore,
}

#[derive(Clone, Debug)]
struct Remembered {
    answer: Result<Decision, ReviewError>,
    until: Instant,
}

// === impl ReviewAccess ===

impl<F, Fut> ReviewAccess for F
where
    F: Fn(AccessReview<'_>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Verdict, ReviewError>> + Send,
{
    fn review_access(
        &self,
        review: AccessReview<'_>,
    ) -> impl Future<Output = Result<Verdict, ReviewError>> + Send {
        self(review)
    }
}

// === impl Verdict ===

impl Verdict {
    /// A request that nobody allowed is denied.
    fn decide(self) -> Result<Decision, ReviewError> {
        match (self.allowed, self.denied) {
            (true, true) => Err(ReviewError::Contradictory),
            (true, false) => Ok(Decision::Allow {
                reason: self.reason,
            }),
            (false, _) => Ok(Decision::Deny {
                reason: self.reason,
            }),
        }
    }
}

// === impl Reviews ===

impl<R: ReviewAccess> Reviews<R> {
    pub(crate) fn new(config: &Config, reviewer: R, metrics: Metrics) -> Self {
        let &Config {
            allowed_ttl,
            denied_ttl,
            max_reviews_at_a_time,
            ..
        } = config;
        // The cache's own clock only frees memory; what counts is `until`, on tokio's clock.
        let longest = allowed_ttl.max(denied_ttl);
        Self {
            host: Arc::new(Host {
                reviewer,
                allowed_ttl,
                denied_ttl,
                turns: Semaphore::new(max_reviews_at_a_time.max(1)),
            }),
            by_question: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(longest)
                .build(),
            under_way: Together::default(),
            metrics,
        }
    }

    /// The decision about `review`. Requests that ask the same at the same time share one look-up,
    /// which goes on while one of them waits. A failed look-up is told to those who waited for it
    /// and then forgotten.
    pub(crate) async fn review(&self, review: AccessReview<'_>) -> Result<Decision, ReviewError> {
        let Some(key) = Key::of(review) else {
            self.metrics.cache_miss();
            return Box::pin(self.host.look_up(review)).await.answer;
        };
        match self.by_question.get(&key).await {
            Some(known) if !known.is_over() => {
                self.metrics.cache_hit();
                known.answer
            }
            // Boxed: it is long, and requests that were asked about need no room for it.
            Some(_) | None => Box::pin(self.look_up_once(key, review)).await,
        }
    }

    async fn look_up_once(
        &self,
        key: Key,
        review: AccessReview<'_>,
    ) -> Result<Decision, ReviewError> {
        let mut is_first = false;
        let begin = || {
            is_first = true;
            let (host, by_question) = (Arc::clone(&self.host), self.by_question.clone());
            let AccessReview { user, attributes } = review;
            let (user, attributes) = (user.clone(), attributes.clone());
            let look_up = async move {
                let user = &user;
                let attributes = &attributes;
                let found = host.look_up(AccessReview { user, attributes }).await;
                if !found.is_over() {
                    by_question.insert(key, found.clone()).await;
                }
                found
            };
            look_up.boxed()
        };
        let found = self.under_way.share(key, begin).await;
        match is_first {
            true => self.metrics.cache_miss(),
            false => self.metrics.cache_hit(),
        }
        found.answer
    }
}

// === impl Host ===

impl<R: ReviewAccess> Host<R> {
    async fn look_up(&self, review: AccessReview<'_>) -> Remembered {
        let answer = match timeout(TURN_TIMEOUT, self.turns.acquire()).await {
            Err(_) => Err(ReviewError::TimedOut),
            Ok(turn) => {
                let _turn = turn.expect("the semaphore is never closed");
                let answer = self.reviewer.review_access(review).await;
                answer.and_then(Verdict::decide)
            }
        };
        let ttl = match &answer {
            Ok(Decision::Allow { .. }) => self.allowed_ttl,
            Ok(Decision::Deny { .. }) => self.denied_ttl,
            Err(_) => Duration::ZERO,
        };
        Remembered {
            answer,
            until: Instant::now() + ttl,
        }
    }
}

// === impl Remembered ===

impl Remembered {
    fn is_over(&self) -> bool {
        self.until <= Instant::now()
    }
}

#[cfg(test)]
mod tests;
