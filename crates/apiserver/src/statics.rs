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
    routing::any,
};
use fleetgate_apimachinery::{
    json,
    negotiation::{self, Format, NotAcceptable, StatusPage},
    query::Query,
    status::Status,
};
use fleetgate_stack::Body;
use http::{
    Method, Response,
    header::{ACCEPT, USER_AGENT},
};
use prometheus_client::{encoding::text::encode, registry::Registry as Metrics};
use serde::Serialize;

use crate::{
    Config,
    health::{Checks, Slis},
    respond,
};
use discovery::{Discovery, header};
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
        .route("/", any(index))
        .route("/index.html", any(index))
        .route("/apis", any(apis))
        .route("/apis/", any(apis))
        .route("/apis/{group}", any(group))
        .route("/apis/{group}/", any(group))
        .route("/apis/{group}/{version}", any(resources))
        .route("/apis/{group}/{version}/", any(resources))
        .route("/openapi/v2", any(openapi_v2))
        .route("/openapi/v3", any(openapi_index))
        .route("/openapi/v3/", any(openapi_index))
        .route("/openapi/v3/{*key}", any(openapi_v3))
        .route("/metrics", any(metrics_page))
        .route("/metrics/slis", any(slis_page))
        .route("/statusz", any(statusz_page))
        .route("/version", any(version_page))
        .route("/version/", any(version_page));
    for endpoint in config.checks.iter().map(Checks::endpoint) {
        router = router
            .route(&format!("/{endpoint}"), any(health))
            .route(&format!("/{endpoint}/{{*check}}"), any(health));
    }
    router
        .fallback(async |State(statics): Shared| not_found(&statics))
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
        "/openapi/v3/",
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
    answer(indented(StatusCode::OK, &statics.index))
}

/// What is said of paths that nobody serves: those that somebody does.
fn not_found(statics: &Statics) -> Answer {
    answer(indented(StatusCode::NOT_FOUND, &statics.index))
}

async fn statusz_page(State(statics): Shared, request: Request) -> Answer {
    let (headers, now) = (request.headers(), Timestamp::now());
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let pretty = negotiation::pretty(query.first("pretty"), header(headers, &USER_AGENT));
    let accept = header(headers, &ACCEPT);
    answer(
        match negotiation::negotiate_page(accept, pretty, statusz::KIND) {
            Ok(StatusPage::Text) => respond::text(StatusCode::OK, statics.statusz.page(now)),
            Ok(StatusPage::Object(format, version)) => {
                let object = statics.statusz.object(now, version);
                respond::versioned(format, object.into(), (statusz::KIND, version))
            }
            Err(NotAcceptable { status, format }) => respond::status(&status, format),
        },
    )
}

async fn version_page(State(statics): Shared, request: Request) -> Answer {
    let refused = read_only(&request)
        .or_else(|| negotiation::check_json(header(request.headers(), &ACCEPT)).err());
    match refused {
        Some(refused) => refuse(&refused, &request),
        None => answer(indented(StatusCode::OK, &statics.version)),
    }
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
        Some(checks) => match checks.answer(check, query, &statics.slis).await {
            Some(answered) => answer(answered),
            None => not_found(&statics),
        },
        None => not_found(&statics),
    }
}

async fn apis(State(statics): Shared, request: Request) -> Answer {
    let (headers, query) = (request.headers(), request.uri().query());
    match read_only(&request) {
        Some(refused) => refuse(&refused, &request),
        None => answer(statics.discovery.groups(headers, query)),
    }
}

async fn group(State(statics): Shared, Path(group): Path<String>, request: Request) -> Answer {
    let (headers, query) = (request.headers(), request.uri().query());
    match (
        statics.discovery.group(&group, headers, query),
        read_only(&request),
    ) {
        (None, _) => not_found(&statics),
        (Some(_), Some(refused)) => refuse(&refused, &request),
        (Some(found), None) => answer(found),
    }
}

async fn resources(
    State(statics): Shared,
    Path((group, version)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let (headers, query) = (request.headers(), request.uri().query());
    let found = statics
        .discovery
        .resources(&group, &version, headers, query);
    match (found, read_only(&request)) {
        (None, _) => not_found(&statics),
        (Some(found), Some(refused)) if found.status() != StatusCode::NOT_FOUND => {
            refuse(&refused, &request)
        }
        (Some(found), _) => answer(found),
    }
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
    match statics.openapi.v3(&key, hash, request.headers()) {
        Some(found) => answer(found),
        None => not_found(&statics),
    }
}

/// 405 for all but GET: Kubernetes does not serve HEAD either.
fn read_only(request: &Request) -> Option<Status> {
    (*request.method() != Method::GET).then(Status::method_not_allowed)
}

/// `refused`, in a form that the caller accepts.
fn refuse(refused: &Status, request: &Request) -> Answer {
    let headers = request.headers();
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let pretty = negotiation::pretty(query.first("pretty"), header(headers, &USER_AGENT));
    let format = negotiation::negotiate_status(header(headers, &ACCEPT), pretty);
    answer(respond::status(refused, format))
}

/// JSON for people, as Kubernetes writes what is no API object.
fn indented<T: Serialize>(code: StatusCode, value: &T) -> Response<Body> {
    let compact = json::to_vec(value).unwrap_or_default();
    respond::document(code, Format::PrettyJson, compact.into())
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
