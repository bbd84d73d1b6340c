//! Third stage: in whose name. A caller with the right to may act as another.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use fleetgate_apimachinery::request_info::RequestInfo;
use fleetgate_model::{Attributes, Authorize, Decision, User};
use fleetgate_stack::Body;
use futures::future::BoxFuture;
use http::{Request, Response};
use tower::{Layer, Service};

use self::requested::Requested;
use crate::{Error, attribute::Attributed};

mod requested;

/// A request of which it is known in whose name it is made. It carries no `Impersonate-*` header.
#[derive(Debug)]
pub struct Acting {
    request: Request<Body>,
    user: User,
    info: RequestInfo,
}

/// Applies [`Impersonation`].
#[derive(Clone, Debug)]
pub struct ImpersonationLayer<A> {
    port: Arc<A>,
}

/// Honours `Impersonate-*` headers as kube-apiserver does, where an [`Authorize`] port allows the
/// verb `impersonate` on each user, group, uid and extra that is named
/// (<https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/>).
#[derive(Debug)]
pub struct Impersonation<A, S> {
    port: Arc<A>,
    inner: S,
}

// === impl Acting ===

impl Acting {
    /// The request, who acts and what is asked for.
    pub fn into_parts(self) -> (Request<Body>, User, RequestInfo) {
        (self.request, self.user, self.info)
    }
}

// === impl ImpersonationLayer ===

impl<A> ImpersonationLayer<A> {
    /// A layer that asks `port`.
    pub const fn new(port: Arc<A>) -> Self {
        Self { port }
    }
}

impl<A, S> Layer<S> for ImpersonationLayer<A> {
    type Service = Impersonation<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let port = Arc::clone(&self.port);
        Impersonation { port, inner }
    }
}

// === impl Impersonation ===

impl<A, S: Clone> Clone for Impersonation<A, S> {
    fn clone(&self) -> Self {
        Self {
            port: Arc::clone(&self.port),
            inner: self.inner.clone(),
        }
    }
}

impl<A, S> Service<Attributed> for Impersonation<A, S>
where
    A: Authorize,
    S: Service<Acting, Response = Response<Body>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, attributed: Attributed) -> Self::Future {
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let port = Arc::clone(&self.port);
        Box::pin(async move {
            let (mut request, caller, info) = attributed.into_parts();
            let user = match Requested::take(request.headers_mut())? {
                None => caller,
                Some(requested) => {
                    for attributes in requested.attributes() {
                        allowed(&*port, &caller, attributes).await?;
                    }
                    requested.into_user()
                }
            };
            inner
                .call(Acting {
                    request,
                    user,
                    info,
                })
                .await
        })
    }
}

async fn allowed<A: Authorize>(
    port: &A,
    caller: &User,
    attributes: Attributes,
) -> Result<(), Error> {
    let user = caller.name.clone();
    match port.authorize(caller, &attributes).await {
        Ok(Decision::Allow) => Ok(()),
        Ok(Decision::Deny { reason }) => Err(Error::Forbidden {
            user,
            attributes: Box::new(attributes),
            reason,
        }),
        Err(source) => Err(Error::Authorize { user, source }),
    }
}
