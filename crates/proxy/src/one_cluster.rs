//! One cluster of one's own, for programs that embed the proxy and register none.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
};

use bytes::Bytes;
use fleetgate_apimachinery::{json, status::Status};
use fleetgate_model::{
    Attributes, Authenticate, Authorize, AuthorizeError, ClusterName, CredentialsError, Decision,
    Member, Refusal, Target, ToMember, UpstreamError, User,
};
use fleetgate_stack::{Body, BoxError, NewService};
use http::{
    HeaderMap, HeaderValue, Request, Response, Uri,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
    uri::PathAndQuery,
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::{
    Attribution, Authentication, Authorization, Authorized, Clusters, Config,
    ConstrainedImpersonation, Error, HeadError, Impersonation, RescueLayer, RoutingLayer,
    SoundHead, Stage, StageLayer, attribute::proxy_path,
};

/// Puts the path of the cluster's subresource `proxy` in front of a request's own.
struct BelowProxy(Arc<str>);

/// A service whose requests go to the member of `target`, over connections of `new_upstream`: path
/// and query as they are, in the name that `authenticate` finds, if `authorize` lets it, which is
/// asked for the subresource `proxy` of `clusters`, with the verb of the method and the name of the
/// cluster. Nobody may act as another (`Impersonate-User`).
///
/// A refusal is a `Status` (`metav1.Status`) in JSON. A `Location` that leads to the member itself is
/// told relative to what was asked for, as it is not known here where the service is mounted (below
/// it: what is asked for without a slash behind the mount point is not told from it). The
/// service fits `Router::nest_service` of axum; what is to stand between its stages needs them put
/// together by oneself, as the [crate]'s own example does.
pub fn one_cluster<A, Z, N, B>(
    config: Config,
    target: Target,
    authenticate: A,
    authorize: Z,
    new_upstream: N,
) -> impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ use<A, Z, N, B>
where
    A: Authenticate,
    Z: Authorize,
    N: NewService<Target> + Send + Sync + 'static,
    N::Service: Service<ToMember<Body>, Response = Response<Body>, Error = UpstreamError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let Target {
        member,
        credentials,
    } = target;
    let name = member.name.clone();
    let resolve = move |name: &ClusterName| (*name == member.name).then(|| Arc::clone(&member));
    let present = move |_: &Arc<Member>| ready(Ok::<_, CredentialsError>(Arc::clone(&credentials)));
    let as_another = Impersonation::new(Arc::new(nobody), ConstrainedImpersonation::Disabled);
    let below: Arc<str> = proxy_path(&name).into();
    let stages = BelowProxy(Arc::clone(&below))
        .then(SoundHead)
        .then(Authentication::new(authenticate))
        .then(Attribution)
        .then(as_another)
        .then(Authorization::new(Arc::new(authorize)));
    let elsewhere = service_fn(move |_: Authorized| {
        ready(Err(Error::ClusterNotFound(name.as_str().to_owned())))
    });
    let stack = ServiceBuilder::new()
        .layer(RescueLayer::new(|_: &Request<Body>| status))
        .layer(StageLayer::new(stages))
        .layer(RoutingLayer::new(elsewhere))
        .service(Clusters::new(config, resolve, present, new_upstream));
    service_fn(move |request: Request<B>| {
        let (stack, below) = (stack.clone(), Arc::clone(&below));
        async move {
            let asked = request.uri().clone();
            let mut answer = stack.oneshot(request.map(Body::new)).await?;
            relate(answer.headers_mut(), &below, asked.path());
            Ok(answer)
        }
    })
}

/// Makes a `Location` below `below` one that is relative to `asked` (RFC 3986, section 4.2).
fn relate(headers: &mut HeaderMap, below: &str, asked: &str) {
    let Some(location) = headers.get_mut(LOCATION) else {
        return;
    };
    let text = location.to_str().unwrap_or_default();
    let Some(path) = text.strip_prefix(below) else {
        return;
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    let up = match asked.matches('/').count() {
        0 | 1 => "./".to_owned(),
        segments => "../".repeat(segments - 1),
    };
    if let Ok(relative) = HeaderValue::try_from(up + path) {
        *location = relative;
    }
}

fn nobody(_: &User, _: &Attributes) -> Ready<Result<Decision, AuthorizeError>> {
    let reason = "nobody may act as another here".to_owned();
    ready(Ok(Decision::Deny { reason }))
}

// === impl BelowProxy ===

impl Stage<Request<Body>> for BelowProxy {
    type Out = Request<Body>;

    async fn pass(&self, mut request: Request<Body>) -> Result<Request<Body>, Error> {
        let target = request.uri().path_and_query();
        let target = target.map_or("/", PathAndQuery::as_str);
        let target = format!("{}{target}", self.0);
        let mut parts = request.uri().clone().into_parts();
        // What is too long for a URI must not go on as it came: it could name another cluster.
        let too_large = || Error::Head(HeadError::TooLarge);
        parts.path_and_query = Some(target.try_into().map_err(|_| too_large())?);
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| too_large())?;
        Ok(request)
    }
}

fn status(refusal: &Refusal) -> Response<Body> {
    let body = json::to_vec(&Status::from(refusal.clone())).unwrap_or_default();
    let mut answer = Response::new(Body::full(body));
    *answer.status_mut() = refusal.code;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(time) = refusal.retry_after {
        headers.insert(RETRY_AFTER, time.as_secs().into());
    }
    answer
}
