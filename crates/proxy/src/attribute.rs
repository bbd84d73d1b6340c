//! Second stage: what is asked for. Computed once, from the raw path, then carried.

use std::task::{Context, Poll};

use fleetgate_apimachinery::request_info::{ProxiedResource, RequestInfo, RequestLine, Upgrade};
use fleetgate_model::User;
use fleetgate_stack::Body;
use futures::future::{Either, Ready, ready};
use http::{
    HeaderMap, Request, Response,
    header::{CONNECTION, UPGRADE},
};
use tower::{Layer, Service};

use crate::{Error, authenticate::Authenticated};

/// The resource whose `proxy` subresource leads to members.
const CLUSTERS: ProxiedResource = ProxiedResource {
    group: "cluster.karmada.io",
    version: "v1alpha1",
    resource: "clusters",
};

/// A request of which it is known who asks for what. Its path may be served.
#[derive(Debug)]
pub struct Attributed {
    request: Request<Body>,
    user: User,
    info: RequestInfo,
}

/// Applies [`Attribution`].
#[derive(Clone, Copy, Debug, Default)]
pub struct AttributionLayer;

/// Reads each request's attributes; refuses a path that could be read in two ways.
#[derive(Clone, Debug)]
pub struct Attribution<S> {
    inner: S,
}

// === impl Attributed ===

impl Attributed {
    /// The request, its caller and what it asks for.
    pub fn into_parts(self) -> (Request<Body>, User, RequestInfo) {
        (self.request, self.user, self.info)
    }
}

// === impl AttributionLayer ===

impl<S> Layer<S> for AttributionLayer {
    type Service = Attribution<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Attribution { inner }
    }
}

// === impl Attribution ===

impl<S> Service<Authenticated> for Attribution<S>
where
    S: Service<Attributed, Response = Response<Body>, Error = Error>,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, authenticated: Authenticated) -> Self::Future {
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
        match RequestInfo::of(line, &CLUSTERS) {
            Ok(info) => Either::Left(self.inner.call(Attributed {
                request,
                user,
                info,
            })),
            Err(error) => Either::Right(ready(Err(Error::Path(error)))),
        }
    }
}

/// Whether a request with `headers` asks for another protocol on its connection (RFC 9110,
/// section 7.8).
pub(crate) fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    let options = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok());
    let mut options = options.flat_map(|v| v.split(','));
    headers.contains_key(UPGRADE)
        && options.any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
}
