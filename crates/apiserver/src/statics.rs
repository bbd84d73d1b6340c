//! What is no resource: discovery, health, metrics, the version and the index of all these.

mod cache;
mod discovery;
mod openapi;
mod statusz;

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::StatusCode,
    routing::{any, get},
};
use fleetgate_apimachinery::{
    json,
    negotiation::{self, Format},
    query::Query,
    status::Status,
};
use fleetgate_stack::Body;
use http::{
    Response,
    header::{ACCEPT, USER_AGENT},
};
use prometheus_client::{encoding::text::encode, registry::Registry as Metrics};
use serde::Serialize;

use crate::{
    Config,
    health::{Checks, Slis},
    respond,
};
use discovery::Discovery;
use jiff::Timestamp;
use openapi::OpenApi;
use statusz::Statusz;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What `/version` says: the fields of Kubernetes' `version.Info`, where clients look for the API
/// conventions that are served.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Major version of Kubernetes.
    pub major: &'static str,
    /// Minor version of Kubernetes.
    pub minor: &'static str,
    /// The major version whose behaviour is emulated.
    pub emulation_major: &'static str,
    /// The minor version whose behaviour is emulated.
    pub emulation_minor: &'static str,
    /// The oldest major version that this one goes with.
    pub min_compatibility_major: &'static str,
    /// The oldest minor version that this one goes with.
    pub min_compatibility_minor: &'static str,
    /// Version of this server, as `v1.36.0-fleetgate-0.1.0`.
    pub git_version: String,
    /// The commit that this server was built from.
    pub git_commit: &'static str,
    /// Whether there were changes beyond that commit.
    pub git_tree_state: &'static str,
    /// When it was built.
    pub build_date: &'static str,
    /// Kubernetes: the version of Go.
    pub go_version: &'static str,
    /// The compiler.
    pub compiler: &'static str,
    /// Operating system and processor, `linux/amd64`.
    pub platform: String,
}

/// `/`: the paths that are served.
#[derive(Serialize)]
struct Index {
    paths: Vec<String>,
}

struct Statics {
    version: Version,
    checks: Vec<Checks>,
    metrics: Metrics,
    slis: Slis,
    sli_metrics: Metrics,
    discovery: Discovery,
    index: Index,
    openapi: OpenApi,
    statusz: Statusz,
}

type Shared = State<Arc<Statics>>;
type Answer = Response<axum::body::Body>;

/// The routes of all that `config` names.
pub(crate) fn router(config: Config) -> Router {
    let mut router = Router::new()
        .route("/", get(index))
        .route("/apis", get(apis))
        .route("/apis/", get(apis))
        .route("/apis/{group}", get(group))
        .route("/apis/{group}/", get(group))
        .route("/apis/{group}/{version}", get(resources))
        .route("/apis/{group}/{version}/", get(resources))
        .route("/openapi/v2", any(openapi_v2))
        .route("/openapi/v3", any(openapi_index))
        .route("/openapi/v3/{*key}", any(openapi_v3))
        .route("/metrics", any(metrics_page))
        .route("/metrics/slis", any(slis_page))
        .route("/statusz", any(statusz_page))
        .route("/version", get(version_page))
        .route("/version/", get(version_page));
    for endpoint in config.checks.iter().map(Checks::endpoint) {
        router = router
            .route(&format!("/{endpoint}"), any(health))
            .route(&format!("/{endpoint}/{{*check}}"), any(health));
    }
    router
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async || answer(respond::page_not_found()))
        .with_state(Arc::new(statics(config)))
}

fn statics(config: Config) -> Statics {
    let Config {
        groups,
        title,
        address,
        version,
        checks,
        metrics,
        request_timeout: _,
    } = config;
    let discovery = Discovery::new(groups, address);
    let mut paths = discovery.paths();
    paths.extend(checks.iter().flat_map(Checks::paths));
    let others = [
        "/metrics",
        "/metrics/slis",
        "/openapi/v2",
        "/openapi/v3",
        "/statusz",
        "/version",
    ];
    paths.extend(others.map(str::to_owned));
    paths.sort();
    paths.dedup();
    let number = format!("{}.{}", version.major, version.minor);
    let statusz = Statusz::new(number, version.compiler, &paths);
    let mut sli_metrics = Metrics::default();
    Statics {
        openapi: OpenApi::new(groups, title, &version),
        version,
        checks,
        metrics,
        slis: Slis::register(&mut sli_metrics),
        sli_metrics,
        discovery,
        index: Index { paths },
        statusz,
    }
}

async fn index(State(statics): Shared) -> Answer {
    answer(indented(&statics.index))
}

async fn statusz_page(State(statics): Shared) -> Answer {
    let page = statics.statusz.page(Timestamp::now());
    answer(respond::text(StatusCode::OK, page))
}

async fn version_page(State(statics): Shared) -> Answer {
    answer(indented(&statics.version))
}

async fn metrics_page(State(statics): Shared) -> Answer {
    metrics(&statics.metrics)
}

async fn slis_page(State(statics): Shared) -> Answer {
    metrics(&statics.sli_metrics)
}

fn metrics(metrics: &Metrics) -> Answer {
    let mut text = String::new();
    answer(match encode(&mut text, metrics) {
        Ok(()) => respond::respond(StatusCode::OK, OPENMETRICS, Body::full(text)),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot write metrics"
            );
            respond::text(StatusCode::INTERNAL_SERVER_ERROR, "cannot write metrics\n")
        }
    })
}

async fn health(State(statics): Shared, request: Request) -> Answer {
    let path = request.uri().path().trim_start_matches('/');
    let (endpoint, check) = path.split_once('/').unwrap_or((path, ""));
    let query = request.uri().query().unwrap_or_default();
    match statics
        .checks
        .iter()
        .find(|checks| checks.endpoint() == endpoint)
    {
        Some(checks) => answer(checks.answer(check, query, &statics.slis).await),
        None => answer(respond::page_not_found()),
    }
}

async fn apis(State(statics): Shared, request: Request) -> Answer {
    answer(
        statics
            .discovery
            .groups(request.headers(), request.uri().query()),
    )
}

async fn group(State(statics): Shared, Path(group): Path<String>, request: Request) -> Answer {
    answer(
        statics
            .discovery
            .group(&group, request.headers(), request.uri().query()),
    )
}

async fn resources(
    State(statics): Shared,
    Path((group, version)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let (headers, query) = (request.headers(), request.uri().query());
    answer(
        statics
            .discovery
            .resources(&group, &version, headers, query),
    )
}

async fn openapi_v2(State(statics): Shared, request: Request) -> Answer {
    answer(statics.openapi.v2(request.headers()))
}

async fn openapi_index(State(statics): Shared, request: Request) -> Answer {
    answer(statics.openapi.index(request.headers()))
}

async fn openapi_v3(State(statics): Shared, Path(key): Path<String>, request: Request) -> Answer {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let hash = query.first("hash").unwrap_or_default();
    answer(statics.openapi.v3(&key, hash, request.headers()))
}

async fn method_not_allowed(request: Request) -> Answer {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let agent = header(USER_AGENT).unwrap_or_default();
    let pretty = negotiation::pretty(query.first("pretty"), agent);
    let format = negotiation::negotiate_status(header(ACCEPT).unwrap_or_default(), pretty);
    answer(respond::status(&Status::method_not_allowed(), format))
}

/// JSON for people, as Kubernetes writes what is no API object.
fn indented<T: Serialize>(value: &T) -> Response<Body> {
    let compact = json::to_vec(value).unwrap_or_default();
    respond::document(StatusCode::OK, Format::PrettyJson, compact.into())
}

fn answer(response: Response<Body>) -> Answer {
    response.map(axum::body::Body::new)
}

// === impl Version ===

impl Version {
    /// A server of the API conventions of Kubernetes `major.minor`, which calls itself
    /// `git_version`.
    pub fn new(major: &'static str, minor: &'static str, git_version: String) -> Self {
        Self {
            major,
            minor,
            emulation_major: major,
            emulation_minor: minor,
            min_compatibility_major: major,
            min_compatibility_minor: minor,
            git_version,
            git_commit: "",
            git_tree_state: "",
            build_date: "",
            go_version: "",
            compiler: "rustc",
            platform: format!("{}/{}", std::env::consts::OS, architecture()),
        }
    }
}

/// The processor, as Go calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

// === impl Statics ===

impl fmt::Debug for Statics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statics").finish_non_exhaustive()
    }
}
