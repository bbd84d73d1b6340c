//! What is presented to a member, and how reaching it fails.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use http::{HeaderValue, header::InvalidHeaderValue};

use crate::{Member, SecretRef};

/// What is presented to one member, and what it is verified by.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The whole `Authorization` header, marked sensitive: the impersonator's token.
    pub authorization: HeaderValue,
    /// PEM certificates of the member's CA (`caBundle`); nothing where the cluster names no
    /// secret, which means the system's roots.
    pub ca_bundle: Option<Arc<[u8]>>,
}

/// One member with what is presented to it: all that a stack is built from.
#[derive(Clone, Debug)]
pub struct Target {
    /// The member.
    pub member: Arc<Member>,
    /// Its credentials.
    pub credentials: Arc<Credentials>,
}

/// How long a request may last, and so on what it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A watch, a log: holds a stream for minutes.
    LongRunning,
    /// Answered and done.
    Short,
    /// Asks to speak something else than HTTP: a connection of its own, HTTP/1.1.
    Upgrade,
}

/// A request on its way to a member. Its URI is the path and query below the endpoint; its headers
/// are as the member is to see them, but for `Host`.
#[derive(Debug)]
pub struct ToMember<B> {
    /// The request.
    pub request: http::Request<B>,
    /// How long it may last.
    pub class: Class,
}

/// Why there are no credentials for a member.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The secret has no such key, or an empty one.
    #[error("secret {}/{} has no {key}", .secret.namespace, .secret.name)]
    MissingKey {
        /// The secret.
        secret: SecretRef,
        /// `token` or `caBundle`.
        key: &'static str,
    },
    /// The token holds bytes that no header may carry.
    #[error("the token in secret {}/{} is not a header value", .0.namespace, .0.name)]
    MalformedToken(SecretRef),
    /// The cluster names no impersonator secret.
    #[error("the cluster has no impersonatorSecretRef")]
    NoImpersonator,
    /// The secret belongs to another cluster, so its token must not go to this one.
    #[error("secret {}/{} belongs to another cluster", .0.namespace, .0.name)]
    NotOwned(SecretRef),
    /// The secret does not exist.
    #[error("secret {}/{} does not exist", .0.namespace, .0.name)]
    NotFound(SecretRef),
    /// The endpoint is plain HTTP, where everyone on the way could read the token.
    #[error("the endpoint is plain http")]
    Plaintext,
    /// The host does not answer.
    #[error("cannot read secret {}/{}", .secret.namespace, .secret.name)]
    Unavailable {
        /// The secret.
        secret: SecretRef,
        /// Why.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
}

/// The part of the way to a member that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hop {
    /// TCP to the member.
    Connect,
    /// Looking up the member's or the forward proxy's name.
    Dns,
    /// The forward proxy: reaching it, or its answer to CONNECT.
    Proxy,
    /// HTTP with the member, after the connection stood.
    Request,
    /// TLS with the member.
    Tls,
}

/// A request could not be brought to a member, or its answer back.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The cluster's own configuration cannot be used, e.g. an endpoint that is no URL.
    #[error("cannot use the cluster's {field}")]
    Config {
        /// The field, as users know it, e.g. `spec.apiEndpoint`.
        field: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A hop failed.
    #[error("{hop} failed")]
    Failed {
        /// Where.
        hop: Hop,
        /// What the caller may be told of the cause: no address, no name; perhaps nothing.
        detail: Option<&'static str>,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The member could not be reached for a while, and is not tried for the moment.
    #[error("given up for now: {hop} failed")]
    GivenUp {
        /// Where it failed last.
        hop: Hop,
        /// As in [`Self::Failed`].
        detail: Option<&'static str>,
        /// When it is tried again, at the earliest.
        retry_after: Duration,
    },
    /// The member said that it has not looked at the request, each time that it was sent (RFC 9113,
    /// section 8.7).
    #[error("the member refused the request")]
    Refused {
        /// As in [`Self::Failed`].
        detail: Option<&'static str>,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A hop did not finish in its time.
    #[error("{hop} took too long")]
    TimedOut {
        /// Where.
        hop: Hop,
    },
    /// The other side does not prove who it is, or speaks no TLS that we accept. Trying again is in
    /// vain until somebody changes that.
    #[error("{hop} is not trusted")]
    Untrusted {
        /// Where: [`Hop::Proxy`] or [`Hop::Tls`].
        hop: Hop,
        /// As in [`Self::Failed`].
        detail: Option<&'static str>,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

// === impl Credentials ===

impl Credentials {
    /// The bearer token `token`, and the certificates of the member's CA in PEM; without these the
    /// system's roots.
    ///
    /// # Errors
    /// If no header may carry the token.
    pub fn bearer(token: &str, ca_bundle: Option<Arc<[u8]>>) -> Result<Self, InvalidHeaderValue> {
        // Lower case, verbatim: Karmada sends it so (contract, 2.12).
        let mut authorization = HeaderValue::try_from(format!("bearer {token}"))?;
        authorization.set_sensitive(true);
        Ok(Self {
            authorization,
            ca_bundle,
        })
    }
}

// === impl Target ===

impl Target {
    /// Whether `other` is the same member, reached in the same way and shown the same. Settings
    /// may differ, and where the credentials are kept.
    pub fn leads_as(&self, other: &Self) -> bool {
        fn way(target: &Target) -> impl PartialEq + '_ {
            let Member {
                name,
                uid,
                endpoint,
                secret: _,
                impersonator_secret: _,
                insecure_skip_tls_verification,
                forward_proxy,
                settings: _,
            } = &*target.member;
            let unverified = insecure_skip_tls_verification;
            (name, uid, endpoint, unverified, forward_proxy)
        }
        self.credentials == other.credentials && way(self) == way(other)
    }
}

// === impl Credentials ===

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

// === impl Hop ===

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Proxy => "proxy",
            Self::Request => "request",
            Self::Tls => "tls",
        })
    }
}
