//! A program of one's own that serves one cluster below `/prod`, to whoever the gateway in front of
//! it names in `X-User`: `cargo run --example embed -- URL TOKEN CA-FILE`, then
//! `curl -H 'X-User: jane' localhost:8080/prod/version`.

use std::{env, error::Error, fs, future::ready, sync::Arc, time::Duration};

use axum::Router;
use fleetgate_model::{Attributes, AuthenticateError, AuthorizeError, ClusterName, Credentials};
use fleetgate_model::{CredentialsError, Decision, Member, Refusal, User};
use fleetgate_proxy::*;
use fleetgate_stack::{Body, Tasks};
use fleetgate_upstream::NewUpstream;
use http::{Request, Response, StatusCode, Uri, request::Parts};
use prometheus_client::registry::Registry;
use tower::{ServiceBuilder, service_fn};

/// The router: `member` below `/prod`, for every user that is named.
pub(crate) fn app(member: Member, credentials: Credentials, metrics: &mut Registry) -> Router {
    let (member, credentials) = (Arc::new(member), Arc::new(credentials));
    let resolve = move |_: &ClusterName| Some(Arc::clone(&member));
    let present = move |_: &Arc<Member>| ready(Ok::<_, CredentialsError>(Arc::clone(&credentials)));
    let authenticate = |parts: &mut Parts| {
        let name = parts.headers.remove("x-user");
        let name = name.and_then(|name| name.to_str().ok().map(str::to_owned));
        let user = name.map(|name| User {
            name,
            ..User::default()
        });
        ready(user.ok_or(AuthenticateError::Invalid))
    };
    let authorize =
        Arc::new(|_: &User, _: &Attributes| ready(Ok::<_, AuthorizeError>(Decision::allow())));
    let tasks = Tasks::default();
    let upstream = fleetgate_upstream::Metrics::register(metrics);
    let upstream = NewUpstream::new(
        fleetgate_upstream::Config::default(),
        upstream,
        tasks.clone(),
    );
    let config = Config {
        request_timeout: Duration::from_secs(60),
        tasks,
        metrics: Metrics::register(metrics),
    };
    let who = SoundHead
        .then(Authentication::new(authenticate))
        .then(Attribution)
        .then(Impersonation::new(
            Arc::clone(&authorize),
            ConstrainedImpersonation::Disabled,
        ))
        .then(Authorization::new(authorize));
    let proxy = ServiceBuilder::new()
        .map_request(below_proxy)
        .layer(RescueLayer::new(|_: &Request<Body>| plain))
        .layer(StageLayer::new(who))
        .layer(RoutingLayer::new(service_fn(nothing_else)))
        .service(Clusters::new(config, resolve, present, upstream));
    Router::new().nest_service("/prod", proxy)
}

/// What is below `/prod` is below the cluster's `proxy`, bytes as they are.
fn below_proxy(request: Request<axum::body::Body>) -> Request<Body> {
    let mut request = request.map(Body::new);
    let path = format!(
        "/apis/cluster.karmada.io/v1alpha1/clusters/prod/proxy{}",
        request.uri()
    );
    if let Ok(uri) = Uri::try_from(path) {
        *request.uri_mut() = uri;
    }
    request
}

async fn nothing_else(_: Authorized) -> Result<Response<Body>, fleetgate_proxy::Error> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NOT_FOUND;
    Ok(answer)
}

fn plain(refusal: &Refusal) -> Response<Body> {
    let mut answer = Response::new(Body::full(refusal.message.clone().into_owned()));
    *answer.status_mut() = refusal.code;
    answer
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let (Some(url), Some(token), Some(ca)) = (words.next(), words.next(), words.next()) else {
        return Err("usage: embed URL TOKEN CA-FILE".into());
    };
    let member = Member::new(ClusterName::parse("prod")?, url);
    let credentials = Credentials {
        authorization: format!("Bearer {token}").try_into()?,
        ca_bundle: Some(fs::read(ca)?.into()),
    };
    let app = app(member, credentials, &mut Registry::default());
    Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await?)
}
