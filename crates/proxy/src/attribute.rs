//! Second stage: what is asked for. Computed once, from the raw path, then carried.

use fleetgate_apimachinery::request_info::{ProxiedResource, RequestInfo, RequestLine, Upgrade};
use fleetgate_model::{ClusterName, User};
use fleetgate_stack::{Body, asks_for_upgrade};
use http::Request;

use crate::{Error, Stage, authenticate::Authenticated};

/// The resource whose `proxy` subresource leads to members.
pub(crate) const CLUSTERS: ProxiedResource = ProxiedResource {
    group: "cluster.karmada.io",
    version: "v1alpha1",
    resource: "clusters",
};

/// The path of the subresource `proxy` of `cluster`, without a slash at its end.
pub(crate) fn proxy_path(cluster: &ClusterName) -> String {
    let ProxiedResource {
        group,
        version,
        resource,
    } = CLUSTERS;
    format!("/apis/{group}/{version}/{resource}/{cluster}/proxy")
}

/// A request of which it is known who asks for what. Its path may be served.
#[derive(Debug)]
pub struct Attributed {
    request: Request<Body>,
    user: User,
    info: RequestInfo,
}

/// Reads each request's attributes; refuses a path that could be read in two ways.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attribution;

// === impl Attributed ===

impl Attributed {
    /// The request, its caller and what it asks for.
    pub fn into_parts(self) -> (Request<Body>, User, RequestInfo) {
        (self.request, self.user, self.info)
    }
}

// === impl Attribution ===

impl Stage<Authenticated> for Attribution {
    type Out = Attributed;

    async fn pass(&self, authenticated: Authenticated) -> Result<Attributed, Error> {
        let (request, user) = authenticated.into_parts();
        let upgrade = match asks_for_upgrade(request.headers()) {
            true => Upgrade::Asked,
            false => Upgrade::No,
        };
        let line = RequestLine {
            method: request.method(),
            path: request.uri().path(),
            query: request.uri().query(),
            upgrade,
        };
        let info = RequestInfo::of(line, &CLUSTERS).map_err(Error::Path)?;
        Ok(Attributed {
            request,
            user,
            info,
        })
    }
}
