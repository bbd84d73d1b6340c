//! What a fake member answers.

use std::{convert::Infallible, io, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::upgrade::OnUpgrade;
use serde_json::json;
use tokio::sync::mpsc;

use super::{Received, UpgradeScript, record::Log, upgrade};
use crate::server::Body;

/// An answer to one request.
#[derive(Debug)]
pub enum Answer {
    /// The head, the bytes given and then the end of the connection, with the body incomplete.
    CloseMidBody(Bytes),
    /// 200 with the request as JSON: `method`, `path`, `host`, `headers` (a list of pairs), `body`.
    Echo,
    /// A whole answer.
    Full {
        /// Its status.
        status: StatusCode,
        /// Its headers.
        headers: Vec<(HeaderName, HeaderValue)>,
        /// Its body.
        body: Bytes,
    },
    /// What a gRPC server says to a unary call: its message, none if it fails, and how it went.
    Grpc {
        /// The message, encoded.
        message: Option<Bytes>,
        /// `grpc-status`, `0` for success.
        status: &'static str,
    },
    /// 200 and the first bytes, and then nothing for ever.
    StallAfterHeaders(Bytes),
    /// Nothing for ever.
    StallBeforeHeaders,
    /// A body that comes as the test sends it, made by [`Answer::stream`].
    Stream {
        /// Its status.
        status: StatusCode,
        /// Its headers.
        headers: Vec<(HeaderName, HeaderValue)>,
        /// Where chunks come from.
        chunks: mpsc::UnboundedReceiver<io::Result<Bytes>>,
    },
    /// 101 to the protocol that was asked for, and then as the script says.
    Upgrade(UpgradeScript),
}

/// The test's end of [`Answer::Stream`]. Dropping it ends the body.
#[derive(Debug)]
pub struct Chunks(mpsc::UnboundedSender<io::Result<Bytes>>);

// === impl Answer ===

impl Answer {
    /// A whole answer of JSON.
    pub fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self::Full {
            status,
            headers: vec![(CONTENT_TYPE, json)],
            body: Bytes::from(value.to_string()),
        }
    }

    /// A 200 of JSON whose body comes as the test sends it.
    pub fn stream() -> (Self, Chunks) {
        let (sender, chunks) = mpsc::unbounded_channel();
        let json = HeaderValue::from_static("application/json");
        let headers = vec![(CONTENT_TYPE, json)];
        (
            Self::Stream {
                status: StatusCode::OK,
                headers,
                chunks,
            },
            Chunks(sender),
        )
    }

    pub(super) async fn respond(
        self,
        log: &Arc<Log>,
        received: Received,
        upgrade: OnUpgrade,
    ) -> Response<Body> {
        match self {
            Self::CloseMidBody(first) => {
                let cut = io::Error::other("the script closes the connection");
                in_frames(stream::iter([Ok(first), Err(cut)]))
            }
            Self::Echo => echo(log, &received).await,
            Self::Full {
                status,
                headers,
                body,
            } => {
                let body = Full::new(body).map_err(never).boxed_unsync();
                with_head(Response::new(body), status, headers)
            }
            Self::Grpc { message, status } => grpc(message, status),
            Self::StallAfterHeaders(first) => {
                in_frames(stream::iter([Ok(first)]).chain(stream::pending()))
            }
            Self::StallBeforeHeaders => std::future::pending().await,
            Self::Stream {
                status,
                headers,
                mut chunks,
            } => {
                let body = in_frames(stream::poll_fn(move |cx| chunks.poll_recv(cx)));
                with_head(body, status, headers)
            }
            Self::Upgrade(script) => {
                let log_of_task = log.clone();
                log.spawn(async move { upgrade::run(script, upgrade, &log_of_task).await });
                upgrade::switching(&received, Empty::new().map_err(never).boxed_unsync())
            }
        }
    }
}

fn with_head(
    mut answer: Response<Body>,
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
) -> Response<Body> {
    *answer.status_mut() = status;
    for (name, value) in headers {
        answer.headers_mut().append(name, value);
    }
    answer
}

/// A body of `chunks`. Hyper throws away what it has not yet written when a body fails, so a failure
/// comes one turn later than its chunk.
fn in_frames(
    chunks: impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response<Body> {
    let frames = chunks.then(|chunk| async move {
        if chunk.is_err() {
            tokio::task::yield_now().await;
        }
        chunk.map(Frame::data)
    });
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn grpc(message: Option<Bytes>, status: &'static str) -> Response<Body> {
    let data = message.map(|message| {
        // Not compressed, and how long it is.
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let prefixed = [&[0][..], &length, &message].concat();
        Frame::data(Bytes::from(prefixed))
    });
    let status = (
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(status),
    );
    let trailers = Frame::trailers(HeaderMap::from_iter([status]));
    let frames = stream::iter(data.into_iter().chain([trailers]).map(Ok));
    let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
    let grpc = HeaderValue::from_static("application/grpc");
    answer.headers_mut().insert(CONTENT_TYPE, grpc);
    answer
}

fn never(never: Infallible) -> io::Error {
    match never {}
}

async fn echo(log: &Log, received: &Received) -> Response<Body> {
    log.wait(|_| received.is_complete()).await;
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])
    };
    let text = json!({
        "method": received.method.as_str(),
        "path": received.path,
        "host": received.host,
        "headers": received.headers.iter().map(pair).collect::<Vec<_>>(),
        "body": String::from_utf8_lossy(&received.body()),
    });
    let mut answer = Response::new(Full::from(text.to_string()).map_err(never).boxed_unsync());
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

// === impl Chunks ===

impl Chunks {
    /// Sends one chunk. Returns whether anybody still reads.
    pub fn send(&self, chunk: impl Into<Bytes>) -> bool {
        self.0.send(Ok(chunk.into())).is_ok()
    }

    /// Cuts the answer off without its end.
    pub fn cut(self) {
        self.0
            .send(Err(io::Error::other("the test cuts the answer")))
            .unwrap_or_default();
    }

    /// Waits until nobody reads any more, as when the caller went away.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}
