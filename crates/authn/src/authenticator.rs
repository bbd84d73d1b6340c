//! Asks one way of authentication after the other.

use std::{sync::Arc, time::Duration};

use fleetgate_model::{
    ANONYMOUS, AUTHENTICATED, Authenticate, AuthenticateError, BearerToken, PeerCertificates,
    UNAUTHENTICATED, User,
};
use http::request::Parts;

use crate::{
    Metrics, Review, ReviewToken, bearer, client_certificate, front_proxy,
    review::Reviews,
    trust::{Trust, TrustConfig, TrustError, TrustKeeper, TrustedNow},
};

/// Finds out who is calling, by Kubernetes' rules.
#[derive(Debug)]
pub struct Authenticator<R> {
    trusted: Arc<TrustedNow>,
    reviews: Reviews<R>,
    metrics: Metrics,
}

/// A credential was presented that is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadCredential;

/// What a request shows of its caller, taken out of it.
#[derive(Debug, Default)]
struct Presented {
    /// The user that headers or a certificate name. Nothing else is asked then.
    user: Option<User>,
    tokens: Vec<BearerToken>,
    bad: Option<BadCredential>,
}

// === impl Authenticator ===

impl<R: ReviewToken> Authenticator<R> {
    /// An authenticator that trusts what `trust` says and asks `reviewer` about tokens, whose
    /// answers it keeps for `token_ttl` (`--authentication-token-webhook-cache-ttl`).
    ///
    /// The [`TrustKeeper`] must run for as long as the authenticator is used.
    ///
    /// # Errors
    /// [`TrustError`] if a CA file cannot be read or used.
    pub async fn new(
        trust: TrustConfig,
        reviewer: R,
        token_ttl: Duration,
        metrics: Metrics,
    ) -> Result<(Self, TrustKeeper), TrustError> {
        let (trusted, keeper) = TrustKeeper::new(trust).await?;
        let reviews = Reviews::new(reviewer, token_ttl, metrics.clone());
        Ok((
            Self {
                trusted,
                reviews,
                metrics,
            },
            keeper,
        ))
    }

    /// Whether the CAs that the host publishes have been read, or need not be.
    pub fn is_synced(&self) -> bool {
        self.trusted.is_synced()
    }

    /// Waits until [`Self::is_synced`].
    pub async fn synced(&self) {
        self.trusted.synced().await;
    }

    async fn review(&self, presented: Presented) -> Result<User, AuthenticateError> {
        let mut unavailable = None;
        let mut bad = presented.bad;
        for token in presented.tokens {
            match self.reviews.review(token).await {
                Ok(Review::Known(user)) => return Ok(user),
                Ok(Review::Invalid) => bad = Some(BadCredential),
                Err(error) => unavailable = Some(error),
            }
        }
        match (unavailable, bad) {
            (Some(error), _) => Err(AuthenticateError::Unavailable(Box::new(error))),
            (None, Some(BadCredential)) => Err(AuthenticateError::Invalid),
            (None, None) => Ok(User::anonymous()),
        }
    }
}

impl<R: ReviewToken> Authenticate for Authenticator<R> {
    async fn authenticate(&self, parts: &mut Parts) -> Result<User, AuthenticateError> {
        let mut presented = Presented::take(parts, &self.trusted.now());
        let result = match presented.user.take() {
            Some(user) => Ok(user),
            None => self.review(presented).await,
        };
        let result = result.map(with_authenticated_group);
        self.metrics.attempt(&result);
        result
    }
}

/// `user` in `system:authenticated` as well, unless it is anonymous or in either group already, as
/// when a front proxy passed it on.
fn with_authenticated_group(mut user: User) -> User {
    if user.name != ANONYMOUS && !user.is_in(AUTHENTICATED) && !user.is_in(UNAUTHENTICATED) {
        user.groups.push(AUTHENTICATED.to_owned());
    }
    user
}

// === impl Presented ===

impl Presented {
    /// Reads what `parts` show and removes it from them, believed or not.
    fn take(parts: &mut Parts, trust: &Trust) -> Self {
        let mut presented = Self::default();
        if let Some(peer) = parts.extensions.get::<PeerCertificates>().cloned() {
            presented.by_certificate(parts, trust, &peer);
        }
        presented.by_tokens(bearer::take(&mut parts.headers));
        front_proxy::strip(&mut parts.headers, trust.header_names());
        presented
    }

    fn by_certificate(&mut self, parts: &Parts, trust: &Trust, peer: &PeerCertificates) {
        let by_headers = trust
            .front_proxy()
            .map(|proxy| proxy.identify(peer, &parts.headers));
        let by_subject = || {
            trust
                .client_ca()
                .map(|ca| client_certificate::identify(ca, peer))
        };
        match by_headers.unwrap_or(Ok(None)) {
            Ok(Some(user)) => return self.user = Some(user),
            Ok(None) => {}
            Err(bad) => self.bad = Some(bad),
        }
        match by_subject().unwrap_or(Ok(None)) {
            Ok(user) => self.user = user,
            Err(bad) => self.bad = Some(bad),
        }
    }

    fn by_tokens(&mut self, taken: bearer::Taken) {
        let bearer::Taken {
            header,
            subprotocol,
        } = taken;
        self.tokens.extend(header);
        match subprotocol {
            Ok(token) => self.tokens.extend(token),
            Err(bad) => self.bad = Some(bad),
        }
    }
}

#[cfg(test)]
mod tests;
