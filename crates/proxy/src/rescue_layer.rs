//! Outermost: an error becomes an answer, and a line in the log.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use fleetgate_model::{Fault, Refusal};
use fleetgate_stack::Body;
use futures::future::BoxFuture;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::{Error, refusal};

/// Applies [`Rescue`].
#[derive(Clone, Debug)]
pub struct RescueLayer<F> {
    render: Arc<F>,
}

/// Answers each [`Error`] with what `render` makes of its [`Refusal`]. Never fails.
#[derive(Clone, Debug)]
pub struct Rescue<F, S> {
    render: Arc<F>,
    inner: S,
}

/// An error with all its causes, whatever the log is written as.
struct Chain<'e>(&'e (dyn std::error::Error + 'static));

// === impl RescueLayer ===

impl<F> RescueLayer<F> {
    /// A layer that renders refusals with `render`.
    pub fn new(render: F) -> Self {
        Self {
            render: Arc::new(render),
        }
    }
}

impl<F, S> Layer<S> for RescueLayer<F> {
    type Service = Rescue<F, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let render = Arc::clone(&self.render);
        Rescue { render, inner }
    }
}

// === impl Rescue ===

impl<F, S> Service<Request<Body>> for Rescue<F, S>
where
    F: Fn(&Refusal) -> Response<Body> + Send + Sync + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut inner = self.inner.clone();
        let render = Arc::clone(&self.render);
        Box::pin(async move {
            let answer = async {
                std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
                inner.call(request).await
            };
            Ok(answer.await.unwrap_or_else(|error| {
                let refusal = refusal(&error);
                log(&error, &refusal);
                render(&refusal)
            }))
        })
    }
}

fn log(error: &Error, refusal: &Refusal) {
    let code = refusal.code.as_u16();
    let error = Chain(error);
    match refusal.fault {
        Fault::Caller => tracing::info!(code, %error, "request refused"),
        Fault::Member => tracing::warn!(code, %error, "member not reached"),
        Fault::Server => tracing::error!(code, %error, "request not served"),
    }
}

// === impl Chain ===

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let causes = std::iter::successors(self.0.source(), |cause| cause.source());
        for cause in causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}
