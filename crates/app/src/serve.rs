//! Accept, TLS, HTTP: one task a connection, each request with what is known of its connection.

mod bodiless;
mod edge;
mod exchange;
mod unread;

use std::{convert::Infallible, error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use fleetgate_model::{PeerAddress, PeerCertificates};
use fleetgate_proxy::{MAX_FIELDS, MAX_HEAD, takes_trailers};
use fleetgate_stack::{Body, Corked, Turns};
use futures::{
    FutureExt,
    future::{BoxFuture, join},
};
use http::{Method, Request, Response, Version, header::TRAILER};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use self::{bodiless::bodiless, edge::Edge, exchange::Exchange, unread::read_on};

/// A TLS handshake takes no longer, or the connection is closed.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The head of an HTTP/1.1 request takes no longer, from the end of the one before (Go's server in
/// Kubernetes: 32 s).
const HEAD_TIMEOUT: Duration = Duration::from_secs(32);
/// What HTTP/2 itself refuses, without a `Status`, is larger than what the first stage refuses.
const MAX_HEADER_LIST: u32 = 2 << 20;
/// Bytes that one request body may send unread: as kube-apiserver grants.
const STREAM_WINDOW: u32 = 256 << 10;
/// h2 closes a connection on which small DATA frames wait unread: half of this window is for their
/// overhead, up to 255 bytes each. So it is as large as that a body, sent by the byte to a member
/// that reads nothing, ends no other request of a hub's connection. It is no larger, because each
/// such frame takes some hundred bytes of memory, whoever sent it.
const CONNECTION_WINDOW: u32 = 144 << 20;
/// Streams that were reset before they were looked at, for each that there may be at a time: more
/// of them close the connection, which may be that of all callers of the host. Go's server lets so
/// many wait.
const WAITING_RESETS: usize = 4;
/// A silent HTTP/2 connection is asked for a sign of life.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause after a failed accept: mostly too many open files, which does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time for what was told to end to be written out.
const FLUSH: Duration = Duration::from_secs(2);

/// Serves connections from a listener.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) max_streams: u32,
    /// How long requests may go on after the word to stop.
    pub(crate) grace: Duration,
}

/// Connections that may not have finished at the end of the grace period.
pub(crate) struct Remaining(Option<BoxFuture<'static, ()>>);

#[derive(Clone)]
struct Shared<S> {
    acceptor: TlsAcceptor,
    builder: Arc<Builder<TokioExecutor>>,
    service: S,
    /// Runs connections, and what outlasts a request of theirs.
    connections: TaskTracker,
}

// === impl Server ===

impl Server {
    /// The port that is listened on: of `--secure-port=0`, the one that the system gave.
    pub(crate) fn port(&self) -> u16 {
        self.listener
            .local_addr()
            .map_or(0, |address| address.port())
    }

    /// Serves with `service` until `stop`; then accepts no more and lets requests and `upgrades`
    /// finish within the grace period. What remains is to be told to end.
    pub(crate) async fn run<S>(
        self,
        service: S,
        stop: CancellationToken,
        upgrades: impl Future<Output = ()> + Send + 'static,
    ) -> Remaining
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let connections = TaskTracker::new();
        let graceful = GracefulShutdown::new();
        let shared = Shared {
            acceptor: TlsAcceptor::from(Arc::clone(&self.tls)),
            builder: Arc::new(builder(self.max_streams)),
            service,
            connections: connections.clone(),
        };
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    let (shared, watcher) = (shared.clone(), graceful.watcher());
                    connections.spawn(shared.connection(stream, peer, watcher));
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn Error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        // An upgraded connection is no longer one of HTTP, and so not among the graceful ones.
        let mut finished = join(graceful.shutdown(), upgrades).map(|_| ()).boxed();
        let in_time = timeout(self.grace, &mut finished).await;
        Remaining(in_time.is_err().then_some(finished))
    }
}

// === impl Remaining ===

impl Remaining {
    /// Waits, not for long, until the end of what lasted was written out.
    pub(crate) async fn written_out(self) {
        if let Some(finished) = self.0
            && timeout(FLUSH, finished).await.is_err()
        {
            tracing::warn!("connections were closed with requests under way");
        }
    }
}

fn builder(max_streams: u32) -> Builder<TokioExecutor> {
    let max_resets =
        usize::try_from(max_streams).map_or(usize::MAX, |n| n.saturating_mul(WAITING_RESETS));
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        // Space for as many is taken for each head.
        .max_headers(MAX_FIELDS)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(max_streams)
        .max_pending_accept_reset_streams(max_resets)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_header_list_size(MAX_HEADER_LIST)
        .enable_connect_protocol();
    builder
}

// === impl Shared ===

impl<S> Shared<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    async fn connection(self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let ended = async {
            stream.set_nodelay(true)?;
            let handshake = timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)).await;
            let stream = handshake.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            let certificates = certificates(&stream);
            let turns = Turns::default();
            let io = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Corked::new(stream, turns.clone()),
                _ => Corked::open(stream),
            };
            let http = self.http(io, PeerAddress(peer), certificates, watcher);
            turns.of(http).await
        };
        let ended: Result<(), Box<dyn Error + Send + Sync>> = ended.await;
        if let Err(error) = ended {
            tracing::debug!(error = &*error as &dyn Error, %peer, "connection ended");
        }
    }

    async fn http<I>(
        &self,
        io: I,
        peer: PeerAddress,
        certificates: Option<PeerCertificates>,
        watcher: Watcher,
    ) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let exchange = Exchange::default();
        let io = TokioIo::new(Edge::new(io, HEAD_TIMEOUT, exchange.clone()));
        let service = service_fn(|request: Request<Incoming>| {
            exchange.begin(&request);
            let mut request = read_on(request, &self.connections);
            let is_bodiless = *request.method() == Method::HEAD;
            let drops_trailers = drops_trailers(&request);
            let extensions = request.extensions_mut();
            extensions.insert(peer);
            if let Some(certificates) = &certificates {
                extensions.insert(certificates.clone());
            }
            let (mut service, exchange) = (self.service.clone(), exchange.clone());
            async move {
                let mut response = service.call(request).await?;
                if drops_trailers {
                    response.headers_mut().remove(TRAILER);
                }
                let response = match is_bodiless {
                    true => bodiless(response),
                    false => response,
                };
                Ok::<_, Infallible>(exchange.answer(response))
            }
        });
        let connection = self.builder.serve_connection_with_upgrades(io, service);
        watcher.watch(connection).await
    }
}

/// Whether hyper leaves out the trailers of the answer: of HTTP/1.1, it sends them to those alone
/// who say that they take them. They must not be announced then.
fn drops_trailers<B>(request: &Request<B>) -> bool {
    match request.version() {
        Version::HTTP_2 => false,
        Version::HTTP_11 => !takes_trailers(request.headers()),
        _ => true,
    }
}

fn certificates(stream: &TlsStream<TcpStream>) -> Option<PeerCertificates> {
    let chain = stream.get_ref().1.peer_certificates()?;
    let chain = chain
        .iter()
        .map(|certificate| certificate.clone().into_owned());
    Some(PeerCertificates(chain.collect()))
}

#[cfg(test)]
mod tests;
