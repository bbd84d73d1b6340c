//! What this server answers itself: the Cluster API, discovery, health, metrics.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use fleetgate_api::{PRINTER, SERVED};
use fleetgate_apiserver::{Admitted, ApiServer, Config, MayAlso, Resource, health::Checks};
use fleetgate_model::Authorize;
use fleetgate_proxy::{Authorized, Error, allowed, refusal};
use fleetgate_registry::{ClusterRegistry, ClusterStrategy};
use fleetgate_stack::{Body, Tasks};
use futures::future::BoxFuture;
use http::Response;
use prometheus_client::registry::Registry;
use tower::Service;

/// Kubernetes' limit for what does not last.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Hands a request that may be served to the API server.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    server: ApiServer<ClusterStrategy>,
}

/// What [`Local`] is made of.
pub(crate) struct Parts<'p> {
    pub(crate) clusters: &'p ClusterRegistry,
    pub(crate) checks: Vec<Checks>,
    pub(crate) metrics: Registry,
    /// The port that is listened on.
    pub(crate) port: u16,
    /// Whether a caller may do what a request turns out to do.
    pub(crate) may_also: MayAlso,
    /// Runs what lasts beside requests, and ends watches.
    pub(crate) tasks: Tasks,
}

/// Asks `authorizer`. No answer means no.
pub(crate) fn may_also(authorizer: Arc<impl Authorize>) -> MayAlso {
    Arc::new(move |user, attributes| {
        let authorizer = Arc::clone(&authorizer);
        Box::pin(async move {
            let answer = allowed(&*authorizer, &user, &attributes).await;
            answer.map(|_reason| ()).map_err(|error| refusal(&error))
        })
    })
}

// === impl Local ===

impl Local {
    pub(crate) fn new(parts: Parts<'_>) -> Self {
        let registry = Arc::clone(parts.clusters.registry());
        let config = Config {
            groups: SERVED,
            title: "Karmada",
            address: format!(":{}", parts.port),
            version: crate::version::info(),
            checks: parts.checks,
            metrics: parts.metrics,
            request_timeout: REQUEST_TIMEOUT,
        };
        let resource = Resource::new(registry, PRINTER, parts.may_also, parts.tasks);
        Self {
            server: ApiServer::new(resource, config),
        }
    }
}

impl Service<Authorized> for Local {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, authorized: Authorized) -> Self::Future {
        let server = self.server.clone();
        Box::pin(async move {
            let (request, user, info) = authorized.into_parts();
            let attributes = info.attributes;
            let admitted = Admitted {
                request,
                user,
                attributes,
            };
            Ok(server.serve(admitted).await)
        })
    }
}
