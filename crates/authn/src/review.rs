//! Whose token this is: asked of the host, remembered for a while.

mod kube;

use std::{future::Future, sync::Arc, time::Duration};

use fleetgate_model::{BearerToken, User};
use fleetgate_stack::Together;
use futures::FutureExt;
use moka::future::Cache;
use sha2::{Digest, Sha256};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::Metrics;

pub use self::kube::KubeTokenReview;

/// How many tokens are remembered. Past it, the ones least used are asked about again.
const CAPACITY: u64 = 16_384;
/// The longest that a refusal is remembered: a token may be new and the host not know it yet.
const REFUSED_TTL: Duration = Duration::from_secs(2);
/// How many are asked about at a time. Anybody can invent tokens; the host, and the connection that
/// all questions to it share, stay free for others.
const MAX_REVIEWS: usize = 32;
/// How long a question waits for its turn: as long as the one before may take.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks whose token this is.
pub trait ReviewToken: Send + Sync + 'static {
    /// The user of `token`.
    fn review_token(
        &self,
        token: &BearerToken,
    ) -> impl Future<Output = Result<Review, ReviewError>> + Send;
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Review {
    /// It is nobody's.
    Invalid,
    /// It is this user's.
    Known(User),
}

/// Nobody could say whose token it is.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReviewError {
    /// The host did not answer, or would not.
    #[error("cannot review the token at the host")]
    Host(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The host took too long.
    #[error("the host took too long to review the token")]
    TimedOut,
}

/// Reviews that are remembered, by the hash of the token: no token is kept.
#[derive(Debug)]
pub(crate) struct Reviews<R> {
    host: Arc<Host<R>>,
    by_token: Cache<[u8; 32], Remembered>,
    under_way: Together<[u8; 32], Remembered>,
    metrics: Metrics,
}

/// Whoever is asked, a few questions at a time.
#[derive(Debug)]
struct Host<R> {
    reviewer: R,
    ttl: Duration,
    turns: Semaphore,
}

#[derive(Clone, Debug)]
struct Remembered {
    answer: Result<Review, ReviewError>,
    until: Instant,
}

// === impl ReviewToken ===

impl<F, Fut> ReviewToken for F
where
    F: Fn(&BearerToken) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Review, ReviewError>> + Send,
{
    fn review_token(
        &self,
        token: &BearerToken,
    ) -> impl Future<Output = Result<Review, ReviewError>> + Send {
        self(token)
    }
}

// === impl Reviews ===

impl<R: ReviewToken> Reviews<R> {
    pub(crate) fn new(reviewer: R, ttl: Duration, metrics: Metrics) -> Self {
        // The cache's own clock only frees memory; what counts is `until`, on tokio's clock.
        let by_token = Cache::builder()
            .max_capacity(CAPACITY)
            .time_to_live(ttl)
            .build();
        Self {
            host: Arc::new(Host {
                reviewer,
                ttl,
                turns: Semaphore::new(MAX_REVIEWS),
            }),
            by_token,
            under_way: Together::default(),
            metrics,
        }
    }

    /// Whose `token` this is. Requests that ask about one token at the same time share one look-up,
    /// which goes on while one of them waits. A failed look-up is told to those who waited for it
    /// and then forgotten.
    pub(crate) async fn review(&self, token: BearerToken) -> Result<Review, ReviewError> {
        let key: [u8; 32] = Sha256::digest(token.expose()).into();
        match self.by_token.get(&key).await {
            Some(known) if !known.is_over() => {
                self.metrics.cache_hit();
                known.answer
            }
            // Boxed: it is long, and requests with known tokens need no room for it.
            Some(_) | None => Box::pin(self.look_up_once(key, token)).await,
        }
    }

    async fn look_up_once(&self, key: [u8; 32], token: BearerToken) -> Result<Review, ReviewError> {
        let mut is_first = false;
        let begin = || {
            is_first = true;
            let (host, by_token) = (Arc::clone(&self.host), self.by_token.clone());
            let look_up = async move {
                let found = host.look_up(&token).await;
                if !found.is_over() {
                    by_token.insert(key, found.clone()).await;
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

impl<R: ReviewToken> Host<R> {
    async fn look_up(&self, token: &BearerToken) -> Remembered {
        let answer = match timeout(TURN_TIMEOUT, self.turns.acquire()).await {
            Err(_) => Err(ReviewError::TimedOut),
            Ok(turn) => {
                let _turn = turn.expect("the semaphore is never closed");
                self.reviewer.review_token(token).await
            }
        };
        let ttl = match &answer {
            Ok(Review::Known(_)) => self.ttl,
            Ok(Review::Invalid) => self.ttl.min(REFUSED_TTL),
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
