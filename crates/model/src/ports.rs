//! The ports that the proxy calls and adapters implement.

use std::{error::Error, future::Future, net::SocketAddr, sync::Arc};

use http::request::Parts;
use rustls::pki_types::CertificateDer;

use crate::{Attributes, ClusterName, Credentials, CredentialsError, Decision, Member, User};

/// The certificates that the caller presented in the TLS handshake, leaf first; not yet verified
/// against any CA. The listener puts it into the extensions of each request.
#[derive(Clone, Debug)]
pub struct PeerCertificates(pub Arc<[CertificateDer<'static>]>);

/// Where the connection comes from. The listener puts it into the extensions of each request.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub SocketAddr);

/// Finds out who is calling.
pub trait Authenticate: Send + Sync + 'static {
    /// Who sent the request with these `parts`. Removes from `parts` every header that carried a
    /// credential or claimed an identity, whether it was believed or not. A caller that presents
    /// nothing is [`User::anonymous`].
    fn authenticate(
        &self,
        parts: &mut Parts,
    ) -> impl Future<Output = Result<User, AuthenticateError>> + Send;
}

/// The caller is not known.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// The credentials were presented and are no good.
    #[error("the presented credentials are not valid")]
    Invalid,
    /// Nobody could be asked.
    #[error("cannot look up the caller")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// Decides whether a caller may do what is asked.
pub trait Authorize: Send + Sync + 'static {
    /// Whether `user` may do what `attributes` say. An error means no.
    fn authorize(
        &self,
        user: &User,
        attributes: &Attributes,
    ) -> impl Future<Output = Result<Decision, AuthorizeError>> + Send;
}

/// Nobody could be asked whether a caller may do what is asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot look up what the caller may do")]
pub struct AuthorizeError(#[source] pub Box<dyn Error + Send + Sync>);

/// Finds a registered cluster. Called once a request: answers from memory.
pub trait ResolveCluster: Send + Sync + 'static {
    /// The cluster called `name`. The same `Arc` as long as nothing changed that a connection
    /// depends on.
    fn resolve_cluster(&self, name: &ClusterName) -> Option<Arc<Member>>;
}

/// Finds what to present to a member. Called once a request: answers from memory wherever the
/// secrets were seen before.
pub trait ResolveCredentials: Send + Sync + 'static {
    /// The credentials for `member`. The same `Arc` as long as they did not change.
    fn resolve_credentials(
        &self,
        member: &Arc<Member>,
    ) -> impl Future<Output = Result<Arc<Credentials>, CredentialsError>> + Send;
}

// === impls for closures and shared adapters ===

impl<F, Fut> Authenticate for F
where
    F: Fn(&mut Parts) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<User, AuthenticateError>> + Send,
{
    fn authenticate(
        &self,
        parts: &mut Parts,
    ) -> impl Future<Output = Result<User, AuthenticateError>> + Send {
        self(parts)
    }
}

impl<P: Authenticate> Authenticate for Arc<P> {
    fn authenticate(
        &self,
        parts: &mut Parts,
    ) -> impl Future<Output = Result<User, AuthenticateError>> + Send {
        P::authenticate(self, parts)
    }
}

impl<F, Fut> Authorize for F
where
    F: Fn(&User, &Attributes) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Decision, AuthorizeError>> + Send,
{
    fn authorize(
        &self,
        user: &User,
        attributes: &Attributes,
    ) -> impl Future<Output = Result<Decision, AuthorizeError>> + Send {
        self(user, attributes)
    }
}

impl<P: Authorize> Authorize for Arc<P> {
    fn authorize(
        &self,
        user: &User,
        attributes: &Attributes,
    ) -> impl Future<Output = Result<Decision, AuthorizeError>> + Send {
        P::authorize(self, user, attributes)
    }
}

impl<F> ResolveCluster for F
where
    F: Fn(&ClusterName) -> Option<Arc<Member>> + Send + Sync + 'static,
{
    fn resolve_cluster(&self, name: &ClusterName) -> Option<Arc<Member>> {
        self(name)
    }
}

impl<P: ResolveCluster> ResolveCluster for Arc<P> {
    fn resolve_cluster(&self, name: &ClusterName) -> Option<Arc<Member>> {
        P::resolve_cluster(self, name)
    }
}

impl<F, Fut> ResolveCredentials for F
where
    F: Fn(&Arc<Member>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Arc<Credentials>, CredentialsError>> + Send,
{
    fn resolve_credentials(
        &self,
        member: &Arc<Member>,
    ) -> impl Future<Output = Result<Arc<Credentials>, CredentialsError>> + Send {
        self(member)
    }
}

impl<P: ResolveCredentials> ResolveCredentials for Arc<P> {
    fn resolve_credentials(
        &self,
        member: &Arc<Member>,
    ) -> impl Future<Output = Result<Arc<Credentials>, CredentialsError>> + Send {
        P::resolve_credentials(self, member)
    }
}
