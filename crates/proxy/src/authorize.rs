//! Fourth stage: may the caller.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use fleetgate_apimachinery::request_info::RequestInfo;
use fleetgate_model::{Authorize, Decision, User};
use fleetgate_stack::Body;
use futures::future::BoxFuture;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::{Error, impersonate::Acting};

/// A request that may be served.
#[derive(Debug)]
pub struct Authorized {
    request: Request<Body>,
    user: User,
    info: RequestInfo,
}

/// Applies [`Authorization`].
#[derive(Clone, Debug)]
pub struct AuthorizationLayer<A> {
    port: Arc<A>,
}

/// Asks an [`Authorize`] port about each request. No answer means no.
#[derive(Debug)]
pub struct Authorization<A, S> {
    port: Arc<A>,
    inner: S,
}

// === impl Authorized ===

impl Authorized {
    /// The request, who acts and what is asked for.
    pub fn into_parts(self) -> (Request<Body>, User, RequestInfo) {
        (self.request, self.user, self.info)
    }

    /// What is asked for.
    pub const fn info(&self) -> &RequestInfo {
        &self.info
    }
}

// === impl AuthorizationLayer ===

impl<A> AuthorizationLayer<A> {
    /// A layer that asks `port`.
    pub const fn new(port: Arc<A>) -> Self {
        Self { port }
    }
}

impl<A, S> Layer<S> for AuthorizationLayer<A> {
    type Service = Authorization<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let port = Arc::clone(&self.port);
        Authorization { port, inner }
    }
}

// === impl Authorization ===

impl<A, S: Clone> Clone for Authorization<A, S> {
    fn clone(&self) -> Self {
        Self {
            port: Arc::clone(&self.port),
            inner: self.inner.clone(),
        }
    }
}

impl<A, S> Service<Acting> for Authorization<A, S>
where
    A: Authorize,
    S: Service<Authorized, Response = Response<Body>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, acting: Acting) -> Self::Future {
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let port = Arc::clone(&self.port);
        Box::pin(async move {
            let (request, user, info) = acting.into_parts();
            let decision = port.authorize(&user, &info.attributes).await;
            let authorized = match decision {
                Ok(Decision::Allow) => Authorized {
                    request,
                    user,
                    info,
                },
                Ok(Decision::Deny { reason }) => {
                    return Err(Error::Forbidden {
                        user: user.name,
                        attributes: Box::new(info.attributes),
                        reason,
                    });
                }
                Err(source) => {
                    return Err(Error::Authorize {
                        user: user.name,
                        source,
                    });
                }
            };
            inner.call(authorized).await
        })
    }
}
