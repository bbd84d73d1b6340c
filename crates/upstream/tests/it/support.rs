//! What the tests share: an upstream with its metrics, requests, and raw members.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_model::{
    Class, ClusterName, Credentials, ForwardProxy, Hop, Member, SettingError, Settings, Target,
    ToMember, UpstreamError,
};
use fleetgate_stack::{Body, NewService, Tasks};
use fleetgate_testkit::certs::{self, Ca, Leaf};
use fleetgate_upstream::{Config, Metrics, NewUpstream, Upstream};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prometheus_client::registry::Registry;
use tower::ServiceExt;

pub(crate) use fleetgate_testkit::{Accepted, RawServer};

/// How long a test waits for what should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An upstream under test.
pub(crate) struct Setup {
    pub(crate) upstream: Upstream,
    pub(crate) tasks: Tasks,
    registry: Registry,
    new_upstream: NewUpstream,
    target: Target,
}

/// What the upstream is made from.
pub(crate) struct SetupBuilder {
    member: Member,
    ca_bundle: Option<Arc<[u8]>>,
    pub(crate) config: Config,
}

/// The CA of a member, and a leaf for loopback.
pub(crate) struct Pki {
    pub(crate) ca: Ca,
    pub(crate) leaf: Leaf,
}

// === impl Pki ===

impl Pki {
    pub(crate) fn new() -> Self {
        let ca = Ca::new("members");
        let leaf = ca.sign(&certs::server(&["127.0.0.1", "localhost", "member.test"]));
        Self { ca, leaf }
    }
}

// === impl Setup ===

impl Setup {
    /// An upstream to the member at `endpoint`, which `ca` vouches for.
    pub(crate) fn to(endpoint: &str, ca: Option<&Ca>) -> SetupBuilder {
        let second = Duration::from_secs(1);
        SetupBuilder {
            member: Member::new(ClusterName::parse("m").expect("a name"), endpoint),
            ca_bundle: ca.map(|ca| Arc::from(ca.pem().as_bytes())),
            config: Config {
                connect_timeout: 10 * second,
                tls_timeout: 10 * second,
                idle_timeout: 60 * second,
                tcp_keepalive: 30 * second,
                prewarm: false,
            },
        }
    }

    /// Another upstream in place of the one before, with another token.
    pub(crate) fn rotate(&mut self) {
        self.target.credentials = Arc::new(Credentials {
            authorization: HeaderValue::from_static("bearer another"),
            ca_bundle: self.target.credentials.ca_bundle.clone(),
        });
        self.upstream = self.new_upstream.new_service(self.target.clone());
    }

    /// Sends a GET.
    pub(crate) async fn get(
        &self,
        path: &str,
        class: Class,
    ) -> Result<Response<Body>, UpstreamError> {
        self.send(request(Method::GET, path, Body::empty()), class)
            .await
    }

    /// Sends `request`.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        class: Class,
    ) -> Result<Response<Body>, UpstreamError> {
        let answer = self.upstream.clone().oneshot(ToMember { request, class });
        tokio::time::timeout(PATIENCE, answer)
            .await
            .expect("an answer in time")
    }

    /// A GET, answered with 200 and read to its end.
    pub(crate) async fn get_text(&self, path: &str, class: Class) -> String {
        let answer = self.get(path, class).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        text(answer).await
    }

    /// The value of the metric `name` of the member.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("encodes");
        let line = text.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        assert!(line.contains("{cluster=\"m\"}"), "{line}");
        let (_, value) = line.rsplit_once(' ').expect("a value");
        value.parse().expect("a number")
    }
}

impl SetupBuilder {
    pub(crate) fn insecure(mut self) -> Self {
        self.member.insecure_skip_tls_verification = true;
        self
    }

    pub(crate) fn ca_bundle(mut self, pem: &str) -> Self {
        self.ca_bundle = Some(Arc::from(pem.as_bytes()));
        self
    }

    pub(crate) fn through(mut self, proxy: ForwardProxy) -> Self {
        self.member.forward_proxy = Some(proxy);
        self
    }

    pub(crate) fn settings(mut self, settings: Result<Settings, SettingError>) -> Self {
        self.member.settings = settings;
        self
    }

    pub(crate) fn timeouts(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self.config.tls_timeout = timeout;
        self
    }

    pub(crate) fn build(self) -> Setup {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let tasks = Tasks::default();
        let target = Target {
            member: Arc::new(self.member),
            credentials: Arc::new(Credentials {
                authorization: HeaderValue::from_static("bearer token"),
                ca_bundle: self.ca_bundle,
            }),
        };
        let new_upstream = NewUpstream::new(self.config, metrics, tasks.clone());
        Setup {
            upstream: new_upstream.new_service(target.clone()),
            tasks,
            registry,
            new_upstream,
            target,
        }
    }
}

pub(crate) fn request(method: Method, path: &str, body: Body) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.body(body).expect("a request")
}

/// The body of `answer`.
pub(crate) async fn text(answer: Response<Body>) -> String {
    let body = answer.into_body().collect();
    let body = tokio::time::timeout(PATIENCE, body).await;
    let bytes = body.expect("in time").expect("a whole body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The next piece of `body`. An empty one may stand at its end.
pub(crate) async fn chunk(body: &mut Body) -> Option<Bytes> {
    loop {
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await;
        let frame = frame.expect("in time")?.expect("a frame");
        let data = frame.into_data().expect("data");
        if !data.is_empty() {
            return Some(data);
        }
    }
}

/// Serves HTTP/2, and answers with the method.
pub(crate) async fn serve_http2(stream: Accepted, max_streams: u32) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let method = request.method().to_string();
        Ok::<_, Infallible>(Response::new(Body::full(method)))
    });
    http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(max_streams)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .unwrap_or_default();
}

/// An address at which nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address")
}

/// Waits until `done`, as others go on.
pub(crate) async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "waited in vain: {what}");
}

#[track_caller]
pub(crate) fn assert_failed(
    result: Result<Response<Body>, UpstreamError>,
    want: (Hop, Option<&'static str>),
) -> String {
    match result.expect_err("a failure") {
        UpstreamError::Failed {
            hop,
            detail,
            source,
        } => {
            assert_eq!((hop, detail), want, "{source:?}");
            chain(&*source)
        }
        error @ (UpstreamError::Config { .. }
        | UpstreamError::GivenUp { .. }
        | UpstreamError::Refused { .. }
        | UpstreamError::TimedOut { .. }
        | UpstreamError::Untrusted { .. }) => panic!("{error:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_untrusted(
    result: Result<Response<Body>, UpstreamError>,
    want: (Hop, &'static str),
) {
    match result.expect_err("a failure") {
        UpstreamError::Untrusted { hop, detail, .. } => {
            assert_eq!((hop, detail), (want.0, Some(want.1)));
        }
        error @ (UpstreamError::Config { .. }
        | UpstreamError::Failed { .. }
        | UpstreamError::GivenUp { .. }
        | UpstreamError::Refused { .. }
        | UpstreamError::TimedOut { .. }) => panic!("{error:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_timed_out(result: Result<Response<Body>, UpstreamError>, want: Hop) {
    match result.expect_err("a failure") {
        UpstreamError::TimedOut { hop } => assert_eq!(hop, want),
        error @ (UpstreamError::Config { .. }
        | UpstreamError::Failed { .. }
        | UpstreamError::GivenUp { .. }
        | UpstreamError::Refused { .. }
        | UpstreamError::Untrusted { .. }) => panic!("{error:?}"),
    }
}

/// An error with all its causes.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}
