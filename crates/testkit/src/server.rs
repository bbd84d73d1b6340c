//! An HTTP server on loopback for fakes: accepts, counts, and can be cut off.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use rustls::{HandshakeKind, ServerConfig};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// How long a test waits for something that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The body of an answer. An error cuts the connection, or resets the stream.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What happened to a server's connections so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP connections accepted.
    pub accepted: usize,
    /// TLS handshakes that succeeded, resumed ones among them.
    pub handshakes: usize,
    /// TLS handshakes that resumed a session.
    pub resumed: usize,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    counters: Arc<Counters>,
    connections: Arc<parking_lot::Mutex<CancellationToken>>,
    _stop: DropGuard,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicUsize,
    handshakes: AtomicUsize,
    resumed: AtomicUsize,
}

struct Listener<H> {
    tls: Option<TlsAcceptor>,
    handler: H,
    counters: Arc<Counters>,
    connections: Arc<parking_lot::Mutex<CancellationToken>>,
    tasks: TaskTracker,
}

// === impl Server ===

impl Server {
    /// Listens on `address` and answers each request by `handler`.
    pub(crate) async fn start<H, F>(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        handler: H,
    ) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let socket = TcpListener::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        let stop = CancellationToken::new();
        let connections = Arc::new(parking_lot::Mutex::new(stop.child_token()));
        let listener = Listener {
            tls: tls.map(TlsAcceptor::from),
            handler,
            counters: Arc::default(),
            connections: connections.clone(),
            tasks: TaskTracker::new(),
        };
        let counters = listener.counters.clone();
        let tasks = listener.tasks.clone();
        tasks.spawn(
            stop.clone()
                .run_until_cancelled_owned(listener.run(socket, stop.clone())),
        );
        Self {
            address,
            counters,
            connections,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            accepted: self.counters.accepted.load(Ordering::SeqCst),
            handshakes: self.counters.handshakes.load(Ordering::SeqCst),
            resumed: self.counters.resumed.load(Ordering::SeqCst),
        }
    }

    /// Drops every open connection at once and goes on listening.
    pub(crate) fn cut_connections(&self) {
        self.connections.lock().cancel();
    }
}

// === impl Listener ===

impl<H, F> Listener<H>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    async fn run(self, socket: TcpListener, stop: CancellationToken) {
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            self.counters.accepted.fetch_add(1, Ordering::SeqCst);
            let alive = {
                let mut connections = self.connections.lock();
                if connections.is_cancelled() {
                    *connections = stop.child_token();
                }
                connections.clone()
            };
            let served = serve(
                stream,
                self.tls.clone(),
                self.handler.clone(),
                self.counters.clone(),
            );
            self.tasks.spawn(alive.run_until_cancelled_owned(served));
        }
    }
}

async fn serve<H, F>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    handler: H,
    counters: Arc<Counters>,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    stream.set_nodelay(true).unwrap();
    let Some(acceptor) = tls else {
        return serve_http(stream, handler).await;
    };
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    counters.handshakes.fetch_add(1, Ordering::SeqCst);
    if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
        counters.resumed.fetch_add(1, Ordering::SeqCst);
    }
    serve_http(stream, handler).await;
}

async fn serve_http<S, H, F>(stream: S, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |req| {
        let answer = handler(req);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let builder = Builder::new(TokioExecutor::new());
    let served = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
    // A peer that goes away is no failure of the server.
    served.unwrap_or_default();
}
