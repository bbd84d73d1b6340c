//! TokenReview at a Kubernetes host.

use std::{sync::Arc, time::Duration};

use fleetgate_model::{BearerToken, User};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::{Api, Client, Error, api::PostParams};

use super::{Review, ReviewError, ReviewToken};
use crate::Metrics;

/// How long a review may take, with all its attempts.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The pauses before further attempts, as long as the host's answer may change by itself.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(800),
];

/// Asks a host by `authentication.k8s.io/v1` TokenReview, with the server's own rights.
#[derive(Clone)]
pub struct KubeTokenReview {
    client: Client,
    metrics: Metrics,
}

// === impl KubeTokenReview ===

impl KubeTokenReview {
    /// Asks through `client`.
    pub fn new(client: Client, metrics: Metrics) -> Self {
        Self { client, metrics }
    }

    async fn attempts(&self, token: &BearerToken) -> Result<TokenReview, Error> {
        for pause in PAUSES {
            match self.attempt(token).await {
                Err(error) if may_pass(&error) => tokio::time::sleep(pause).await,
                answer => return answer,
            }
        }
        self.attempt(token).await
    }

    async fn attempt(&self, token: &BearerToken) -> Result<TokenReview, Error> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.expose().clone(),
                audiences: None,
            },
            ..TokenReview::default()
        };
        let api = Api::<TokenReview>::all(self.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        self.metrics.reviewed(match &answer {
            Ok(_) => "201".to_owned(),
            Err(Error::Api(status)) => status.code.to_string(),
            Err(_) => "<error>".to_owned(),
        });
        answer
    }
}

impl ReviewToken for KubeTokenReview {
    async fn review_token(&self, token: &BearerToken) -> Result<Review, ReviewError> {
        let answer = tokio::time::timeout(TIMEOUT, self.attempts(token))
            .await
            .map_err(|_| ReviewError::TimedOut)?
            .map_err(|error| ReviewError::Host(Arc::new(error)))?;
        Ok(review(answer.status.unwrap_or_default()))
    }
}

impl std::fmt::Debug for KubeTokenReview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubeTokenReview").finish_non_exhaustive()
    }
}

/// Whether the same question may be answered later: the host was not reached, is overloaded or
/// broken. A host that forbids us to ask will go on to do so.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::HyperError(_) | Error::Service(_))
        || matches!(error, Error::Api(status) if status.code == 429 || status.code >= 500)
}

fn review(status: TokenReviewStatus) -> Review {
    let user = status
        .user
        .filter(|_| status.authenticated == Some(true))
        .unwrap_or_default();
    match user.username.filter(|name| !name.is_empty()) {
        Some(name) => Review::Known(User {
            name,
            uid: user.uid.unwrap_or_default(),
            groups: user.groups.unwrap_or_default(),
            extra: user.extra.unwrap_or_default().into_iter().collect(),
        }),
        None => Review::Invalid,
    }
}
