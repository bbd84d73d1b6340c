//! What this server answers itself.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use fleetgate_apiserver::health::Checks;
use fleetgate_proxy::{Authorized, Error};
use fleetgate_registry::ClusterRegistry;
use fleetgate_stack::Body;
use futures::future::BoxFuture;
use http::{Response, StatusCode};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tower::Service;

#[derive(Clone)]
pub(crate) struct Local {
    checks: Arc<Vec<Checks>>,
    metrics: Arc<Registry>,
}

impl Local {
    pub(crate) fn new(
        checks: Vec<Checks>,
        metrics: Registry,
        _clusters: &ClusterRegistry,
        _ending: CancellationToken,
    ) -> Self {
        Self {
            checks: Arc::new(checks),
            metrics: Arc::new(metrics),
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
        let this = self.clone();
        Box::pin(async move {
            let (request, _user, info) = authorized.into_parts();
            let path = info.attributes.path.trim_start_matches('/').to_owned();
            let query = request.uri().query().unwrap_or_default();
            for checks in this.checks.iter() {
                let own = checks.paths().next().unwrap_or_default();
                if let Some(rest) = path.strip_prefix(&own[1..]) {
                    return Ok(checks.answer(rest.trim_start_matches('/'), query).await);
                }
            }
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        })
    }
}
