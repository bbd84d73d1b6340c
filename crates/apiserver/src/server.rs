//! From an admitted request to its answer.

use std::{fmt, sync::Arc, time::Duration};

use axum::Router;
use fleetgate_apimachinery::{discovery::Group, go::parse_duration, status::Status};
use fleetgate_model::{Attributes, User};
use fleetgate_registry::Strategy;
use fleetgate_stack::Body;
use http::{Request, Response, Uri, uri::PathAndQuery};
use prometheus_client::registry::Registry as Metrics;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::{
    asked::{Asked, Failure},
    compress::compress,
    health::Checks,
    resource::Resource,
    respond,
    statics::{self, Version},
};

/// A request that may be served: who sent it, what it asks for, and that this was allowed. Made by
/// whoever wires the stages of a request together.
#[derive(Debug)]
pub struct Admitted {
    /// The request.
    pub request: Request<Body>,
    /// Who acts.
    pub user: User,
    /// What was authorized.
    pub attributes: Attributes,
}

/// What is served beside the resource.
#[derive(Debug)]
pub struct Config {
    /// Groups, versions and resources, for discovery.
    pub groups: &'static [Group],
    /// What the whole API is called, in OpenAPI.
    pub title: &'static str,
    /// Where callers find this server, `:PORT`, for discovery.
    pub address: String,
    /// What this server calls itself at `/version`.
    pub version: Version,
    /// The health endpoints.
    pub checks: Vec<Checks>,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// How long a request may take that does not last.
    pub request_timeout: Duration,
}

/// This server's own API. Clones share it.
pub struct ApiServer<S: Strategy> {
    resource: Arc<Resource<S>>,
    statics: Router,
    request_timeout: Duration,
}

// === impl ApiServer ===

impl<S: Strategy> ApiServer<S> {
    /// A server of `resource` and of what `config` says.
    pub fn new(resource: Resource<S>, config: Config) -> Self {
        let request_timeout = config.request_timeout;
        Self {
            resource: Arc::new(resource),
            statics: statics::router(config),
            request_timeout,
        }
    }

    /// Answers `admitted`. Whatever goes wrong is an answer too.
    pub async fn serve(&self, admitted: Admitted) -> Response<Body> {
        let Admitted {
            request,
            user,
            attributes,
        } = admitted;
        let is_static = !self.resource.is_of_group(&attributes);
        let asked = Asked::new(request, user, attributes);
        let answer = asked.answer();
        let limit = match self.limit(&asked) {
            Ok(limit) => limit,
            Err(failure) => return respond::failure(&failure, &answer),
        };
        if is_static {
            let (request, attributes) = asked.into_parts();
            return self.serve_static(request, attributes).await;
        }
        let serve = self.resource.serve(asked);
        let served = match limit {
            None => serve.await,
            Some(limit) => timeout(limit, serve).await.unwrap_or_else(|_| {
                let message = "request did not complete within the allotted timeout";
                Err(Status::timeout(message).into())
            }),
        };
        let response = served.unwrap_or_else(|failure| respond::failure(&failure, &answer));
        compress(answer.accept_encoding(), response)
    }

    /// How long `asked` may take: as long as it says itself, if that is less than the limit for
    /// all; nothing for what lasts.
    fn limit(&self, asked: &Asked) -> Result<Option<Duration>, Failure> {
        if asked.answer().is_long_running() {
            return Ok(None);
        }
        let wanted = match asked.query().text("timeout") {
            "" => None,
            text => Some(parse_duration(text).map_err(|error| {
                Status::bad_request(format!(
                    "invalid timeout specified in the request URL - {error}"
                ))
            })?),
        };
        // Zero, and what is less, is no wish.
        let wanted = wanted.and_then(|wanted| Duration::try_from(wanted).ok());
        let shorter = wanted.filter(|wanted| !wanted.is_zero() && *wanted < self.request_timeout);
        Ok(Some(shorter.unwrap_or(self.request_timeout)))
    }

    /// Answers what is no resource, by the path that was authorized.
    async fn serve_static(&self, request: Request<Body>, attributes: Attributes) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        if parts.uri.path() != attributes.path {
            // What cannot stand in a URI is no path that is served.
            parts.uri = with_path(&parts.uri, &attributes.path).unwrap_or_default();
        }
        let request = Request::from_parts(parts, axum::body::Body::new(body));
        match self.statics.clone().oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }
}

impl<S: Strategy> Clone for ApiServer<S> {
    fn clone(&self) -> Self {
        Self {
            resource: Arc::clone(&self.resource),
            statics: self.statics.clone(),
            request_timeout: self.request_timeout,
        }
    }
}

impl<S: Strategy> fmt::Debug for ApiServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiServer").finish_non_exhaustive()
    }
}

/// `uri` with another path; nothing if that path cannot stand in a URI.
fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let path_and_query: PathAndQuery = text.parse().ok()?;
    let is_same = path_and_query.path() == path;
    parts.path_and_query = Some(path_and_query);
    is_same.then(|| Uri::from_parts(parts).ok()).flatten()
}
