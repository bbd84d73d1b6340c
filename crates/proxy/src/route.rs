//! Where to, at the end of the stages. A member, or this server's own API.

use std::task::{Context, Poll};

use fleetgate_apimachinery::request_info::{ProxyTarget, RequestInfo};
use fleetgate_model::{Attributes, ClusterName, User};
use fleetgate_stack::Body;
use futures::future::{Either, Ready, ready};
use http::{Method, Request, Response};
use tower::{Layer, Service};

use crate::{Error, authorize::Authorized};

/// A request that may go to one member.
#[derive(Debug)]
pub struct Routed {
    request: Request<Body>,
    user: User,
    cluster: ClusterName,
    inner: Attributes,
}

/// Applies [`Routing`].
#[derive(Clone, Debug)]
pub struct RoutingLayer<L> {
    local: L,
}

/// Sends what goes to a member to `inner`, all else to `local`.
#[derive(Clone, Debug)]
pub struct Routing<L, S> {
    local: L,
    inner: S,
}

// === impl Routed ===

impl Routed {
    /// The cluster that the request goes to.
    pub const fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// The request, who acts, and what the member is asked, its path the raw one below `proxy`.
    pub fn into_parts(self) -> (Request<Body>, User, Attributes) {
        (self.request, self.user, self.inner)
    }
}

// === impl RoutingLayer ===

impl<L> RoutingLayer<L> {
    /// A layer whose `local` serves what is not for a member.
    pub const fn new(local: L) -> Self {
        Self { local }
    }
}

impl<L: Clone, S> Layer<S> for RoutingLayer<L> {
    type Service = Routing<L, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let local = self.local.clone();
        Routing { local, inner }
    }
}

// === impl Routing ===

impl<L, S> Service<Authorized> for Routing<L, S>
where
    L: Service<Authorized, Response = Response<Body>, Error = Error>,
    S: Service<Routed, Response = Response<Body>, Error = Error>,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = Either<L::Future, Either<S::Future, Ready<Result<Response<Body>, Error>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.local.poll_ready(cx) {
            Poll::Ready(Ok(())) => self.inner.poll_ready(cx),
            unready @ (Poll::Pending | Poll::Ready(Err(_))) => unready,
        }
    }

    fn call(&mut self, authorized: Authorized) -> Self::Future {
        if authorized.info().proxy.is_none() {
            return Either::Left(self.local.call(authorized));
        }
        Either::Right(match routed(authorized) {
            Ok(routed) => Either::Left(self.inner.call(routed)),
            Err(error) => Either::Right(ready(Err(error))),
        })
    }
}

fn routed(authorized: Authorized) -> Result<Routed, Error> {
    let (request, user, RequestInfo { attributes, proxy }) = authorized.into_parts();
    let name = || attributes.resource.map(|r| r.name).unwrap_or_default();
    let Some(proxy) = proxy else {
        return Err(Error::ClusterNotFound(name()));
    };
    if !is_served(request.method()) {
        return Err(Error::MethodNotAllowed);
    }
    match proxy.target {
        ProxyTarget::One(cluster) => Ok(Routed {
            request,
            user,
            cluster,
            inner: proxy.inner,
        }),
        ProxyTarget::All | ProxyTarget::NoCluster => Err(Error::ClusterNotFound(name())),
    }
}

/// The seven methods of a connect subresource.
fn is_served(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE
            | Method::OPTIONS
    )
}
