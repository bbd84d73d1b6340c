//! A program of one's own that serves one cluster below `/prod`, to whoever the gateway in front of
//! it names in `X-User`: `cargo run --example embed -- URL TOKEN CA-FILE`, then
//! `curl -H 'X-User: jane' localhost:8080/prod/version`.

use std::{env, error::Error, fs, future::ready, time::Duration};

use axum::Router;
use fleetgate_model::*;
use fleetgate_proxy::{Config, Metrics, one_cluster};
use fleetgate_upstream::NewUpstream;
use http::request::Parts;
use prometheus_client::registry::Registry;

pub(crate) fn app(target: Target, metrics: &mut Registry) -> Router {
    let config = Config::new(Duration::from_secs(60), Metrics::register(metrics));
    let connections = fleetgate_upstream::Metrics::register(metrics);
    let upstream = NewUpstream::new(Default::default(), connections, config.tasks.clone());
    let authenticate = |parts: &mut Parts| {
        let name = parts.headers.remove("x-user");
        let user = name.and_then(|name| Some(User::named(name.to_str().ok()?)));
        ready(user.ok_or(AuthenticateError::Invalid))
    };
    let authorize = |_: &User, _: &Attributes| ready(Ok::<_, AuthorizeError>(Decision::allow()));
    let prod = one_cluster(config, target, authenticate, authorize, upstream);
    Router::new().nest_service("/prod", prod)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = env::args().skip(1).collect();
    let [url, token, ca] = words.as_slice() else {
        return Err("usage: embed URL TOKEN CA-FILE".into());
    };
    let target = Target {
        member: Member::new(ClusterName::parse("prod")?, url).into(),
        credentials: Credentials::bearer(token, Some(fs::read(ca)?.into()))?.into(),
    };
    let app = app(target, &mut Registry::default());
    Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await?)
}
