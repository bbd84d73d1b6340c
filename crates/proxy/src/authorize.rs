//! Fourth stage: may the caller.

use std::sync::Arc;

use fleetgate_apimachinery::request_info::RequestInfo;
use fleetgate_model::{Attributes, Authorize, Decision, User};
use fleetgate_stack::Body;
use http::Request;

use crate::{
    Error, Stage, audit_id,
    impersonate::{Acting, Impersonator},
};

/// A request that may be served, and what an audit log has to tell of why.
#[derive(Debug)]
pub struct Authorized {
    request: Request<Body>,
    user: User,
    info: RequestInfo,
    impersonator: Option<Impersonator>,
    reason: String,
}

/// Asks an [`Authorize`] port about each request. No answer means no.
#[derive(Clone, Debug)]
pub struct Authorization<A> {
    port: Arc<A>,
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

    /// Who acts in another's name, if somebody does.
    pub const fn impersonator(&self) -> Option<&Impersonator> {
        self.impersonator.as_ref()
    }

    /// Why it is allowed, in the authorizer's words, perhaps none (Kubernetes: the audit annotation
    /// `authorization.k8s.io/reason`; the decision is always `allow` here).
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn log(&self) {
        let impersonator = self.impersonator();
        tracing::debug!(
            audit.id = audit_id::of(self.request.headers()).map(tracing::field::debug),
            user.name = self.user.name,
            impersonator.name = impersonator.map(|by| by.user.name.as_str()),
            impersonator.constraint = impersonator.and_then(|by| by.constraint),
            request.verb = self.info.attributes.verb.as_str(),
            request.path = self.info.attributes.path,
            authorization.decision = "allow",
            authorization.reason = self.reason,
            "request authorized"
        );
    }
}

// === impl Authorization ===

impl<A> Authorization<A> {
    /// A stage that asks `port`.
    pub const fn new(port: Arc<A>) -> Self {
        Self { port }
    }
}

impl<A: Authorize> Stage<Acting> for Authorization<A> {
    type Out = Authorized;

    async fn pass(&self, acting: Acting) -> Result<Authorized, Error> {
        let (request, user, info, impersonator) = acting.into_parts();
        let reason = allowed(&*self.port, &user, &info.attributes).await?;
        let authorized = Authorized {
            request,
            user,
            info,
            impersonator,
            reason,
        };
        authorized.log();
        Ok(authorized)
    }
}

/// Why `user` may do what is `asked`.
///
/// # Errors
/// [`Error::Forbidden`] if the user may not, [`Error::Authorize`] if nobody could say.
pub async fn allowed<A: Authorize>(
    port: &A,
    user: &User,
    asked: &Attributes,
) -> Result<String, Error> {
    match port.authorize(user, asked).await {
        Ok(Decision::Allow { reason }) => Ok(reason),
        Ok(Decision::Deny { reason }) => Err(Error::forbidden(user, asked.clone(), reason)),
        Err(source) => Err(Error::Authorize {
            user: user.name.clone(),
            source,
        }),
    }
}
