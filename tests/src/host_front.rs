//! The host as one server sees it, with a record of what that server asks of it.
//!
//! Speaks plain HTTP with the server and presents the server's certificate to the host, because
//! what is inside TLS cannot be recorded.

use std::{fs, sync::Arc};

use bytes::Bytes;
use futures::{Stream, stream};
use http::{HeaderMap, Request, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Credential,
    connection::{Caller, Connection},
    fleet,
};

/// A front that listens until this is dropped.
#[derive(Debug)]
pub struct HostFront {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

// === impl HostFront ===

impl HostFront {
    /// A front of the fleet's host.
    pub async fn start() -> Self {
        let file = |name: &str| fs::read_to_string(fleet().dir.join("pki").join(name)).unwrap();
        let server = Credential::Certificate {
            certificate: file("server-client.crt"),
            key: file("server-client.key"),
        };
        let host = Caller::new(&fleet().host_url, &server);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stop, asked) = (CancellationToken::new(), Arc::default());
        let this = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::clone(&asked),
            _stop: stop.clone().drop_guard(),
        };
        let tasks = TaskTracker::new();
        let connections = tasks.clone();
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = serve(stream, host.clone(), Arc::clone(&asked));
                connections.spawn(stop.clone().run_until_cancelled_owned(served));
            }
        }));
        this
    }

    /// Where it is, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the host was asked so far: method, path and query of each request.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

async fn serve(stream: TcpStream, host: Caller, asked: Arc<Mutex<Vec<String>>>) {
    let service = service_fn(|request: Request<Incoming>| {
        let asked_now = format!("{} {}", request.method(), request.uri());
        asked.lock().push(asked_now);
        pass_on(request, host.clone())
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    let served = builder
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    // A server that goes away is no failure of the front.
    served.await.unwrap_or_default();
}

async fn pass_on(
    request: Request<Incoming>,
    host: Caller,
) -> anyhow::Result<Response<StreamBody<impl Stream<Item = hyper::Result<Frame<Bytes>>>>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut connection = host.connect().await?;
    let mut onward = connection.request(head.method, &head.uri.to_string());
    if let Some(headers) = onward.headers_mut() {
        headers.extend(without_connection(head.headers));
    }
    let response = connection.start(onward.body(Full::from(body))?).await?;
    let (head, body) = response.into_parts();
    let mut response = Response::new(StreamBody::new(frames(body, connection)));
    *response.status_mut() = head.status;
    *response.headers_mut() = without_connection(head.headers);
    Ok(response)
}

/// `headers` without those that are about one connection.
fn without_connection(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::CONNECTION, header::HOST, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

/// The frames of `body`, which needs its connection until it ends.
fn frames(
    body: Incoming,
    connection: Connection,
) -> impl Stream<Item = hyper::Result<Frame<Bytes>>> {
    stream::unfold((body, connection), async |(mut body, connection)| {
        let frame = body.frame().await?;
        Some((frame, (body, connection)))
    })
}
