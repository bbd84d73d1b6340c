//! Third stage: in whose name. A caller with the right to may act as another.

mod mode;
mod questions;
mod wanted;

use std::sync::Arc;

use fleetgate_apimachinery::request_info::RequestInfo;
use fleetgate_model::{Attributes, Authorize, User};
use fleetgate_stack::Body;
use http::Request;
use moka::future::Cache;

use self::{mode::Mode, questions::Part, wanted::Wanted};
use crate::{Error, Stage, attribute::Attributed, authorize::allowed};

/// Callers of whom it is remembered which way of acting as another they may go.
const CALLERS: u64 = 10_000;

/// A request of which it is known in whose name it is made. It carries no `Impersonate-*` header.
#[derive(Debug)]
pub struct Acting {
    request: Request<Body>,
    user: User,
    info: RequestInfo,
    impersonator: Option<Impersonator>,
}

/// Who makes a request in another's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impersonator {
    /// The caller.
    pub user: User,
    /// The verb that allowed it, e.g. `impersonate:user-info`; nothing for plain `impersonate`
    /// (Kubernetes: `impersonationConstraint` of an audit event).
    pub constraint: Option<&'static str>,
}

/// Whether callers may also be allowed to act as others for some requests alone (Kubernetes'
/// feature gate `ConstrainedImpersonation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstrainedImpersonation {
    /// `impersonate:<mode>` and `impersonate-on:<mode>:<verb>` count, and `impersonate` too.
    Enabled,
    /// `impersonate` alone counts.
    Disabled,
}

/// Honours `Impersonate-*` headers as kube-apiserver does, where an [`Authorize`] port allows it of
/// each user, group, uid and extra that is named
/// (<https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/>).
#[derive(Clone, Debug)]
pub struct Impersonation<A> {
    port: Arc<A>,
    modes: &'static [Mode],
    /// The mode that was allowed last, by the caller's name: asked about first.
    last: Cache<String, Mode>,
}

// === impl Acting ===

impl Acting {
    /// The request, who acts, what is asked for, and who acts in that name.
    pub fn into_parts(self) -> (Request<Body>, User, RequestInfo, Option<Impersonator>) {
        (self.request, self.user, self.info, self.impersonator)
    }

    /// Who acts.
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// What is asked for.
    pub const fn info(&self) -> &RequestInfo {
        &self.info
    }
}

// === impl Impersonation ===

impl<A: Authorize> Impersonation<A> {
    /// A stage that asks `port`.
    pub fn new(port: Arc<A>, constrained: ConstrainedImpersonation) -> Self {
        Self {
            port,
            modes: match constrained {
                ConstrainedImpersonation::Enabled => &Mode::ALL,
                ConstrainedImpersonation::Disabled => &[Mode::Legacy],
            },
            last: Cache::new(CALLERS),
        }
    }

    /// `wanted` as a user, in the first mode that `caller` may go; else what was denied first.
    async fn resolve(
        &self,
        caller: &User,
        wanted: &Wanted,
        asked: &Attributes,
    ) -> Result<(User, Mode), Error> {
        let last = self.last.get(&caller.name).await;
        let others = self
            .modes
            .iter()
            .copied()
            .filter(|&mode| Some(mode) != last);
        let mut denied = None;
        for mode in last.into_iter().chain(others) {
            if !mode.fits(wanted, caller) {
                continue;
            }
            match self.may(mode, caller, wanted, asked).await {
                Ok(()) => {
                    if Some(mode) != last {
                        self.last.insert(caller.name.clone(), mode).await;
                    }
                    return Ok((mode.user(wanted), mode));
                }
                Err(error @ Error::Forbidden { .. }) => denied = denied.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(denied.unwrap_or(Error::Impersonate("nobody may be impersonated".into())))
    }

    async fn may(
        &self,
        mode: Mode,
        caller: &User,
        wanted: &Wanted,
        asked: &Attributes,
    ) -> Result<(), Error> {
        let (port, caller) = (&*self.port, &*mode.caller(caller));
        if let Some(action) = mode.action(asked) {
            allowed(port, caller, &action).await?;
        }
        for part in questions::of(mode, wanted) {
            match part {
                Part::Refused { asked, reason } => {
                    return Err(Error::forbidden(caller, asked, reason));
                }
                Part::Asked { all, each } => {
                    if let Some(all) = all
                        && allowed(port, caller, &all).await.is_ok()
                    {
                        continue;
                    }
                    for one in each {
                        allowed(port, caller, &one).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl<A: Authorize> Stage<Attributed> for Impersonation<A> {
    type Out = Acting;

    async fn pass(&self, attributed: Attributed) -> Result<Acting, Error> {
        let (mut request, caller, info) = attributed.into_parts();
        let wanted = Wanted::take(request.headers_mut())?;
        let (user, impersonator) = match wanted {
            None => (caller, None),
            Some(wanted) => {
                // Boxed: it is long, and most requests do not need it.
                let resolved = Box::pin(self.resolve(&caller, &wanted, &info.attributes));
                let (user, mode) = resolved.await?;
                let constraint = mode.constraint();
                let impersonator = Impersonator {
                    user: caller,
                    constraint,
                };
                (user, Some(impersonator))
            }
        };
        Ok(Acting {
            request,
            user,
            info,
            impersonator,
        })
    }
}
