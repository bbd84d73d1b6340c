//! First stage: who is calling.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use fleetgate_model::{Authenticate, User};
use fleetgate_stack::Body;
use futures::future::BoxFuture;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::Error;

/// A request whose caller is known, perhaps as anonymous. Its headers carry no credential and no
/// claim of an identity any more, but for `Impersonate-*`, which the next stage but one takes.
#[derive(Debug)]
pub struct Authenticated {
    request: Request<Body>,
    user: User,
}

/// Applies [`Authentication`].
#[derive(Clone, Debug)]
pub struct AuthenticationLayer<A> {
    port: Arc<A>,
}

/// Asks an [`Authenticate`] port who sent each request.
#[derive(Debug)]
pub struct Authentication<A, S> {
    port: Arc<A>,
    inner: S,
}

// === impl Authenticated ===

impl Authenticated {
    /// The request and its caller.
    pub fn into_parts(self) -> (Request<Body>, User) {
        (self.request, self.user)
    }
}

// === impl AuthenticationLayer ===

impl<A> AuthenticationLayer<A> {
    /// A layer that asks `port`.
    pub fn new(port: A) -> Self {
        Self {
            port: Arc::new(port),
        }
    }
}

impl<A, S> Layer<S> for AuthenticationLayer<A> {
    type Service = Authentication<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let port = Arc::clone(&self.port);
        Authentication { port, inner }
    }
}

// === impl Authentication ===

impl<A, S: Clone> Clone for Authentication<A, S> {
    fn clone(&self) -> Self {
        Self {
            port: Arc::clone(&self.port),
            inner: self.inner.clone(),
        }
    }
}

impl<A, S> Service<Request<Body>> for Authentication<A, S>
where
    A: Authenticate,
    S: Service<Authenticated, Response = Response<Body>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let port = Arc::clone(&self.port);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let user = port.authenticate(&mut parts).await;
            let user = user.map_err(Error::Authenticate)?;
            let request = Request::from_parts(parts, body);
            inner.call(Authenticated { request, user }).await
        })
    }
}
