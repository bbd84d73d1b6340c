//! The server with every stage of requests, in front of one member `m`, and callers of both kinds.

mod h1_caller;
mod raw_http2;
mod recording;

use std::{convert::Infallible, future::ready, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_model::{
    Attributes, AuthenticateError, AuthorizeError, ClusterName, Credentials, CredentialsError,
    Decision, Member, User,
};
use fleetgate_proxy::{
    Attribution, Authentication, Authorization, Authorized, Clusters, ConstrainedImpersonation,
    Impersonation, InFlightLayer, InFlightLimits, RescueLayer, RoutingLayer, SoundHead, Stage,
    StageLayer,
};
use fleetgate_stack::{Body, Tasks};
use fleetgate_testkit::{
    RawServer,
    certs::{self, Ca, Leaf},
};
use fleetgate_upstream::NewUpstream;
use h2::client::SendRequest;
use http::{HeaderValue, Request, Response, header, request::Parts};
use prometheus_client::registry::Registry;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tower::{Service, ServiceBuilder, service_fn};

pub(super) use h1_caller::{End, Http1, Seen};
pub(super) use raw_http2::{END, GOAWAY, HEADERS, RST_STREAM, RawHttp2, frame, get_block};
pub(super) use recording::Recording;

use crate::serve::Server;

/// How long a test waits for what should happen at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Streams of one connection at a time.
pub(super) const MAX_STREAMS: u32 = 250;
/// The way to the member in every test.
pub(super) const PROXY: &str = "/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy";

/// A running server.
pub(super) struct World {
    address: SocketAddr,
    ca: Ca,
    _tasks: Tasks,
    connections: TaskTracker,
    _stop: DropGuard,
}

/// Time limits of a [`World`].
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) answer: Duration,
}

/// How one side ends a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ends {
    /// With RST.
    Abruptly,
    /// With FIN.
    InOrder,
}

/// A caller of HTTP/2.
pub(super) struct Http2 {
    pub(super) sender: SendRequest<Bytes>,
}

// === impl World ===

impl World {
    /// A server in front of the member at `endpoint`, whose certificate nobody checks.
    pub(super) async fn start(endpoint: &str) -> Self {
        let limits = Limits {
            connect: PATIENCE,
            answer: PATIENCE,
        };
        Self::limited(endpoint, limits).await
    }

    /// The same with other time limits.
    pub(super) async fn limited(endpoint: &str, limits: Limits) -> Self {
        let tasks = Tasks::default();
        let stack = stack(endpoint, limits, &tasks);
        Self::serving(stack, tasks).await
    }

    /// A server of `service`, which runs `tasks` beside it.
    pub(super) async fn serving<S>(service: S, tasks: Tasks) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let ca = Ca::new("server");
        let leaf = ca.sign(&certs::server(&["127.0.0.1"]));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Server {
            listener,
            tls: server_tls(&leaf),
            max_streams: MAX_STREAMS,
            grace: Duration::ZERO,
        };
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        let stopped = stop.clone();
        connections.spawn(async move {
            let upgrades = std::future::pending();
            server.run(service, stopped, upgrades).await;
        });
        Self {
            address,
            ca,
            _tasks: tasks,
            connections,
            _stop: stop.drop_guard(),
        }
    }

    /// A connection on which `protocol` was agreed upon.
    pub(super) async fn tls(&self, protocol: &str) -> TlsStream<TcpStream> {
        self.tls_over(self.tcp().await, protocol).await
    }

    pub(super) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("listens")
    }

    /// A connection over `io` on which `protocol` was agreed upon.
    pub(super) async fn tls_over<I>(&self, io: I, protocol: &str) -> TlsStream<I>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(self.ca.pem().as_bytes()).expect("PEM");
        roots.add(ca).expect("a CA");
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::from(self.address.ip());
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, io).await.expect("TLS")
    }

    /// A caller of HTTP/1.1.
    pub(super) async fn http1(&self) -> Http1<TlsStream<TcpStream>> {
        Http1::new(self.tls("http/1.1").await)
    }

    /// A caller of HTTP/2.
    pub(super) async fn http2(&self) -> Http2 {
        self.http2_over(self.tcp().await).await
    }

    /// A caller of HTTP/2 whose bytes go over `io`.
    pub(super) async fn http2_over<I>(&self, io: I) -> Http2
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let builder = h2::client::Builder::new();
        let handshake = builder.handshake(self.tls_over(io, "h2").await).await;
        let (sender, driver) = handshake.expect("HTTP/2");
        self.connections
            .spawn(async move { driver.await.unwrap_or_default() });
        let sender = timeout(PATIENCE, sender.ready()).await;
        let sender = sender.expect("in time").expect("a connection");
        Http2 { sender }
    }

    /// The answer to a GET of what follows `/proxy`, over HTTP/1.1 or HTTP/2; nothing where the
    /// connection ended, or the stream was reset, without one.
    pub(super) async fn get(&self, version: http::Version, rest: &str) -> Option<Seen> {
        match version {
            http::Version::HTTP_2 => self.http2().await.get(rest).await,
            _ => {
                let mut caller = self.http1().await;
                let head = format!("GET {PROXY}{rest} HTTP/1.1\r\nHost: server\r\n\r\n");
                caller.write(head.as_bytes()).await;
                caller.answer().await
            }
        }
    }
}

// === impl Http2 ===

impl Http2 {
    /// A GET of what follows `/proxy`.
    pub(super) fn request(rest: &str) -> http::request::Builder {
        Request::get(format!("https://server{PROXY}{rest}"))
    }

    pub(super) async fn get(&mut self, rest: &str) -> Option<Seen> {
        let request = Self::request(rest).body(()).expect("a request");
        self.exchange(request, b"").await
    }

    /// A POST of `one` with `trailers`, which is to be answered with 200.
    pub(super) async fn post_with(&mut self, trailers: http::HeaderMap) {
        let names: Vec<_> = trailers.keys().map(http::HeaderName::as_str).collect();
        let request = Self::request("/x").method("POST");
        let request = request.header("trailer", names.join(", ")).body(());
        let request = request.expect("a request");
        let sent = self.sender.send_request(request, false);
        let (answer, mut send) = sent.expect("sent");
        send.send_data(Bytes::from_static(b"one"), false)
            .expect("sent");
        send.send_trailers(trailers).expect("sent");
        let answer = timeout(PATIENCE, answer).await.expect("in time");
        assert_eq!(answer.expect("an answer").status(), 200);
    }

    /// What `request` with `body` was answered with.
    pub(super) async fn exchange(
        &mut self,
        request: Request<()>,
        body: &'static [u8],
    ) -> Option<Seen> {
        let exchange = async {
            let ends = body.is_empty();
            let (answer, mut send) = self.sender.send_request(request, ends).ok()?;
            if !ends {
                send.send_data(Bytes::from_static(body), true).ok()?;
            }
            let (head, mut body) = answer.await.ok()?.into_parts();
            let (mut read, mut end) = (Vec::new(), End::Whole);
            while let Some(piece) = body.data().await {
                match piece {
                    Ok(piece) => {
                        let count = piece.len();
                        body.flow_control()
                            .release_capacity(count)
                            .expect("was read");
                        read.extend_from_slice(&piece);
                    }
                    Err(_) => {
                        end = End::Cut;
                        break;
                    }
                }
            }
            let trailers = match end {
                End::Whole => body.trailers().await.ok()?,
                End::Cut => None,
            };
            Some(Seen {
                version: head.version,
                code: head.status.as_u16(),
                headers: head.headers,
                body: read,
                trailers: trailers.unwrap_or_default(),
                end,
            })
        };
        timeout(PATIENCE, exchange).await.expect("in time")
    }
}

fn server_tls(leaf: &Leaf) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der.clone()], key)
        .expect("a certificate");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// The stages as the program puts them together, every caller is `jane`, and may do all things.
fn stack(
    endpoint: &str,
    limits: Limits,
    tasks: &Tasks,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let mut registry = Registry::default();
    let metrics = fleetgate_proxy::Metrics::register(&mut registry);
    let upstream = fleetgate_upstream::Config {
        connect_timeout: limits.connect,
        tls_timeout: limits.connect,
        tcp_keepalive: PATIENCE,
        idle_timeout: PATIENCE,
        prewarm: true,
    };
    let upstream_metrics = fleetgate_upstream::Metrics::register(&mut registry);
    let new_upstream = NewUpstream::new(upstream, upstream_metrics, tasks.clone());
    let in_flight = InFlightLimits {
        reading: 0,
        mutating: 0,
    };
    let in_flight = InFlightLayer::new(in_flight, &metrics);
    let member = Arc::new(member(endpoint));
    let credentials = Arc::new(Credentials {
        authorization: HeaderValue::from_static("bearer ours"),
        ca_bundle: None,
    });
    let config = fleetgate_proxy::Config {
        request_timeout: limits.answer,
        tasks: tasks.clone(),
        metrics,
    };
    let clusters = Clusters::new(
        config,
        move |name: &ClusterName| Some(Arc::clone(&member)).filter(|m| m.name == *name),
        move |_: &Arc<Member>| ready(Ok::<_, CredentialsError>(Arc::clone(&credentials))),
        new_upstream,
    );
    let authorizer = Arc::new(authorize);
    let who = SoundHead
        .then(Authentication::new(authenticate))
        .then(Attribution)
        .then(Impersonation::new(
            Arc::clone(&authorizer),
            ConstrainedImpersonation::Enabled,
        ));
    ServiceBuilder::new()
        .layer(RescueLayer::new(fleetgate_apiserver::renderer))
        .layer(StageLayer::new(who))
        .layer(in_flight)
        .layer(StageLayer::new(Authorization::new(authorizer)))
        .layer(RoutingLayer::new(service_fn(local)))
        .service(clusters)
}

fn authenticate(parts: &mut Parts) -> std::future::Ready<Result<User, AuthenticateError>> {
    parts.headers.remove(header::AUTHORIZATION);
    ready(Ok(User {
        name: "jane".to_owned(),
        ..User::default()
    }))
}

fn authorize(_: &User, _: &Attributes) -> std::future::Ready<Result<Decision, AuthorizeError>> {
    ready(Ok(Decision::allow()))
}

async fn local(_: Authorized) -> Result<Response<Body>, fleetgate_proxy::Error> {
    Ok(Response::new(Body::full("local")))
}

fn member(endpoint: &str) -> Member {
    let name = ClusterName::parse("m").expect("a name");
    Member {
        insecure_skip_tls_verification: true,
        ..Member::new(name, endpoint)
    }
}

/// Ends a connection, without a word of what it carries.
pub(super) fn end(stream: TcpStream, ends: Ends) {
    match ends {
        Ends::Abruptly => {
            let stream = stream.into_std().expect("a socket");
            let socket = socket2::Socket::from(stream);
            socket.set_linger(Some(Duration::ZERO)).expect("a socket");
        }
        Ends::InOrder => drop(stream),
    }
}

/// A member of HTTP/1.1 that says `answer` to the first request of each connection, and then nothing
/// more.
pub(super) async fn answering(answer: impl Into<String>) -> RawServer {
    let answer: Arc<str> = answer.into().into();
    RawServer::tcp(move |_, mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            read_request(&mut stream).await;
            let sent = stream.write_all(answer.as_bytes()).await;
            sent.unwrap_or_default();
            std::future::pending().await
        }
    })
    .await
}

/// A serving certificate for members.
pub(super) fn member_leaf() -> Leaf {
    Ca::new("members").sign(&certs::server(&["127.0.0.1"]))
}

/// Reads the head of a request, and of HTTP/2 as far as its first HEADERS frame.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut read = Vec::new();
    loop {
        let mut piece = [0; 4 << 10];
        match stream.read(&mut piece).await {
            Ok(count) if count > 0 => read.extend_from_slice(&piece[..count]),
            Ok(_) | Err(_) => return read,
        }
        let is_http2 = read.starts_with(b"PRI ");
        let whole = match is_http2 {
            true => has_headers(&read),
            false => read.windows(4).any(|w| w == b"\r\n\r\n"),
        };
        if whole {
            return read;
        }
    }
}

/// Whether a whole HEADERS frame is among the frames behind the preface.
fn has_headers(read: &[u8]) -> bool {
    let mut rest = read.get(24..).unwrap_or_default();
    while let [a, b, c, kind, ..] = *rest {
        let length = u32::from_be_bytes([0, a, b, c]) as usize + 9;
        if rest.len() < length {
            return false;
        }
        if kind == 1 {
            return true;
        }
        rest = &rest[length..];
    }
    false
}

/// TLS that no test speaks.
pub(super) fn any_tls() -> ServerConfig {
    let tls = server_tls(&member_leaf());
    ServerConfig::clone(&tls)
}
