//! Bodies of requests that are answered before they were read.
//!
//! Whoever still sends must not be cut off at once: over HTTP/2 curl takes the reset behind an
//! answer for a failure, and over HTTP/1.1 an answer is lost with a connection that is closed over
//! unread bytes. So what is left is read on for nothing, for a while.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use fleetgate_stack::Body;
use futures::FutureExt;
use http::{Request, header::EXPECT};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Time and bytes for which a caller is listened to: less than a second is enough to read an answer.
const TIME: Duration = Duration::from_secs(1);
const BYTES: usize = 4 << 20;

/// A body that is read on when it is dropped before its end.
struct ReadOn {
    /// Present until this is dropped.
    body: Option<Incoming>,
    /// The caller sends nothing before somebody wants to read (RFC 9110, section 10.1.1).
    waits: bool,
    tasks: TaskTracker,
}

/// `request`, the rest of whose body `tasks` read if nobody else does.
pub(super) fn read_on(request: Request<Incoming>, tasks: &TaskTracker) -> Request<Body> {
    if request.body().is_end_stream() {
        return request.map(Body::new);
    }
    let waits = request.headers().contains_key(EXPECT);
    request.map(|body| {
        Body::new(ReadOn {
            body: Some(body),
            waits,
            tasks: tasks.clone(),
        })
    })
}

async fn drain(mut body: Incoming) {
    let mut left = BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

impl http_body::Body for ReadOn {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits = false;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

impl Drop for ReadOn {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !self.waits
            && !body.is_end_stream()
        {
            self.tasks.spawn(timeout(TIME, drain(body)).map(drop));
        }
    }
}
