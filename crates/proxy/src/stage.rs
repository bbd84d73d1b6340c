//! One step on the way of a request, steps one after the other, and the one service that takes them.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use fleetgate_stack::Body;
use futures::future::BoxFuture;
use http::Response;
use tower::{Layer, Service, ServiceExt};

use crate::Error;

/// Proves something of a request, or refuses it. What is proven is the type that comes out, which
/// only the stage can make: a stage behind another one takes what that one makes, so that stages
/// out of order do not compile.
pub trait Stage<In>: Send + Sync + 'static {
    /// The request with what is proven of it.
    type Out: Send + 'static;

    /// Lets `request` pass.
    fn pass(&self, request: In) -> impl Future<Output = Result<Self::Out, Error>> + Send;

    /// This stage, and `next` behind it.
    fn then<T>(self, next: T) -> Then<Self, T>
    where
        Self: Sized,
        T: Stage<Self::Out>,
    {
        Then {
            first: self,
            second: next,
        }
    }
}

/// Two stages, one behind the other.
#[derive(Clone, Debug)]
pub struct Then<A, B> {
    first: A,
    second: B,
}

/// Puts a [`Stage`] in front of a service.
#[derive(Debug)]
pub struct StageLayer<T> {
    stage: Arc<T>,
}

/// A service behind a [`Stage`]: gets what the stage lets pass. Clones share both.
#[derive(Debug)]
pub struct Staged<T, S> {
    shared: Arc<Shared<T, S>>,
}

#[derive(Debug)]
struct Shared<T, S> {
    stage: Arc<T>,
    inner: S,
}

// === impl Then ===

impl<In, A, B> Stage<In> for Then<A, B>
where
    In: Send + 'static,
    A: Stage<In>,
    B: Stage<A::Out>,
{
    type Out = B::Out;

    async fn pass(&self, request: In) -> Result<B::Out, Error> {
        self.second.pass(self.first.pass(request).await?).await
    }
}

// === impl StageLayer ===

impl<T> StageLayer<T> {
    /// A layer that lets requests through `stage`.
    pub fn new(stage: T) -> Self {
        Self {
            stage: Arc::new(stage),
        }
    }
}

impl<T> Clone for StageLayer<T> {
    fn clone(&self) -> Self {
        Self {
            stage: Arc::clone(&self.stage),
        }
    }
}

impl<T, S> Layer<S> for StageLayer<T> {
    type Service = Staged<T, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let stage = Arc::clone(&self.stage);
        Staged {
            shared: Arc::new(Shared { stage, inner }),
        }
    }
}

// === impl Staged ===

impl<T, S> Clone for Staged<T, S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<In, T, S> Service<In> for Staged<T, S>
where
    In: Send + 'static,
    T: Stage<In>,
    S: Service<T::Out, Response = Response<Body>, Error = Error> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    /// Ready at once: whether the service behind the stage is, is asked when a request has passed.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: In) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let passed = shared.stage.pass(request).await?;
            shared.inner.clone().oneshot(passed).await
        })
    }
}
