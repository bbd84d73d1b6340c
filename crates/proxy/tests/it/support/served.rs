//! The stack behind a real listener, and clients that speak to it.

use std::net::SocketAddr;

use bytes::Bytes;
use fleetgate_model::PeerAddress;
use fleetgate_stack::Body;
use http::{Request, Response, Version};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{PATIENCE, World};

/// A listener in front of a [`World`]'s stack.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
}

/// A connection to a [`Served`] stack.
pub(crate) enum Client {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

// === impl Served ===

impl Served {
    pub(crate) async fn start(world: &World) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, tasks, stack) = (
            CancellationToken::new(),
            TaskTracker::new(),
            world.stack.clone(),
        );
        let (stopped, connections) = (stop.clone(), tasks.clone());
        tasks.spawn(async move {
            while let Some(Ok((stream, peer))) =
                stopped.run_until_cancelled(listener.accept()).await
            {
                let stack = stack.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let mut request = request.map(Body::new);
                    request.extensions_mut().insert(PeerAddress(peer));
                    stack.clone().oneshot(request)
                });
                let served = async move {
                    let builder = Builder::new(TokioExecutor::new());
                    let io = TokioIo::new(stream);
                    let served = builder.serve_connection_with_upgrades(io, service).await;
                    served.unwrap_or_default();
                };
                connections.spawn(stopped.clone().run_until_cancelled_owned(served));
            }
        });
        Self { address, stop }
    }

    /// A client that speaks `version`.
    pub(crate) async fn client(&self, version: Version) -> Client {
        let stream = TcpStream::connect(self.address).await.expect("listens");
        match version {
            Version::HTTP_2 => Client::http2(stream).await,
            _ => Client::http1(stream).await,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

// === impl Client ===

impl Client {
    async fn http1(stream: TcpStream) -> Self {
        let connection = http1::handshake(TokioIo::new(stream)).await;
        let (sender, driver) = connection.expect("HTTP/1.1");
        TaskTracker::new().spawn(driver.with_upgrades());
        Self::Http1(sender)
    }

    async fn http2(stream: TcpStream) -> Self {
        let connection = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, driver) = connection.expect("HTTP/2");
        TaskTracker::new().spawn(driver);
        Self::Http2(sender)
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Response<Incoming> {
        let answer = async {
            match self {
                Self::Http1(sender) => sender.send_request(request).await,
                Self::Http2(sender) => sender.send_request(request).await,
            }
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.expect("in time").expect("an answer")
    }
}

/// The next piece of `body`. An empty one may stand at its end.
pub(crate) async fn chunk(body: &mut Incoming) -> Option<Bytes> {
    loop {
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await;
        let frame = frame.expect("in time")?.expect("a frame");
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => return Some(data),
            Err(trailers) => panic!("{trailers:?}"),
        }
    }
}
