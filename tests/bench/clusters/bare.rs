//! What the bytes of events take on the wire: a server that does nothing but send them.

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use fleetgate_stack::{Corked, Turns};
use fleetgate_testkit::{
    RawServer,
    certs::{self, Ca},
};
use fleetgate_tests::{Credential, connection::Caller};
use futures::stream;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    runtime::{Handle, Runtime},
    sync::watch,
};

use super::watches::MANY;
use crate::watchers::Watchers;

/// How long it takes until [`MANY`] have an event of `size` bytes where there is no more to it than
/// to send it: over TLS and HTTP/2, by the libraries and the cork of the server.
///
/// # Errors
/// If that server cannot be used.
pub(crate) async fn measure(size: usize) -> Result<Duration> {
    // With threads of its own, as a process has.
    let runtime = Runtime::new().context("a runtime")?;
    let took = measure_on(runtime.handle(), size).await;
    runtime.shutdown_background();
    took
}

async fn measure_on(runtime: &Handle, size: usize) -> Result<Duration> {
    let ca = Ca::new("bare");
    let leaf = ca.sign(&certs::server(&["127.0.0.1"]));
    let mut event = vec![b'x'; size];
    event.extend(b"\n");
    let (events, event) = (Arc::new(watch::Sender::new(())), Bytes::from(event));
    let server = runtime.spawn(async move {
        let serve = move |_, stream| serve(stream, Arc::clone(&events), event.clone());
        RawServer::tls(&leaf, &["h2"], serve).await
    });
    let server = server.await?;
    let caller = Caller::trusting(&server.https(), &Credential::Anonymous, ca.pem());
    let mut connection = caller.clone().http2().connect().await?;
    let mut change = async |_| {
        let asked = connection.send(Method::POST, "/", &Value::Null);
        asked.await.map(drop)
    };
    let watchers = Watchers::start(&caller, MANY, "/").await?;
    watchers.time(0, &mut change).await
}

/// Sends `event` to all who GET, each time somebody POSTs.
async fn serve(stream: fleetgate_testkit::Accepted, events: Arc<watch::Sender<()>>, event: Bytes) {
    let service = service_fn(move |request: Request<_>| {
        let body = match *request.method() {
            Method::GET => {
                let receiver = events.subscribe();
                let event = event.clone();
                let frames = stream::unfold((receiver, event), async |(mut receiver, event)| {
                    receiver.changed().await.ok()?;
                    Some((
                        Ok::<_, Infallible>(Frame::data(event.clone())),
                        (receiver, event),
                    ))
                });
                StreamBody::new(frames).boxed_unsync()
            }
            _ => {
                events.send_replace(());
                http_body_util::Empty::new().boxed_unsync()
            }
        };
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    stream.get_ref().0.set_nodelay(true).unwrap_or_default();
    let turns = Turns::default();
    let io = TokioIo::new(Corked::new(stream, turns.clone()));
    let served = http2::Builder::new(TokioExecutor::new()).serve_connection(io, service);
    turns.of(served).await.unwrap_or_default();
}
