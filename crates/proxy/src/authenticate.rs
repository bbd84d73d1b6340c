//! First stage: who is calling.

use fleetgate_model::{Authenticate, User};
use fleetgate_stack::Body;
use http::Request;

use crate::{Error, Stage};

/// A request whose caller is known, perhaps as anonymous. Its headers carry no credential and no
/// claim of an identity any more, but for `Impersonate-*`, which the next stage but one takes.
#[derive(Debug)]
pub struct Authenticated {
    request: Request<Body>,
    user: User,
}

/// Asks an [`Authenticate`] port who sent each request.
#[derive(Clone, Debug)]
pub struct Authentication<A> {
    port: A,
}

// === impl Authenticated ===

impl Authenticated {
    /// The request and its caller.
    pub fn into_parts(self) -> (Request<Body>, User) {
        (self.request, self.user)
    }
}

// === impl Authentication ===

impl<A> Authentication<A> {
    /// A stage that asks `port`.
    pub const fn new(port: A) -> Self {
        Self { port }
    }
}

impl<A: Authenticate> Stage<Request<Body>> for Authentication<A> {
    type Out = Authenticated;

    async fn pass(&self, request: Request<Body>) -> Result<Authenticated, Error> {
        let (mut parts, body) = request.into_parts();
        let user = self.port.authenticate(&mut parts).await;
        let user = user.map_err(Error::Authenticate)?;
        let request = Request::from_parts(parts, body);
        Ok(Authenticated { request, user })
    }
}
