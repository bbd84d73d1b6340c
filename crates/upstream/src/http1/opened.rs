//! One HTTP/1.1 connection, driven by the task that waits for its answer.
//!
//! hyper leaves it to its user where a connection is driven. A task of its own would be woken for
//! each request, and wake the one that waits for the answer twice, for head and body, each time
//! perhaps on another thread. Here one task does it all, so that a short answer comes whole in one
//! turn, and goes out in one write.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::{Body, Tasks};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{Builder, Connection, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use tokio::task::coop::unconstrained;

use super::Lease;
use crate::{dial::failed, io::BoxedIo};

/// Longest head of an answer, in bytes (Go's client: 10 MiB).
const MAX_HEAD: usize = 1 << 20;
/// Headers of an answer. Warnings are the most that a member sends: kube-apiserver stops when all
/// together have 4,096 characters, which is some 200 of them.
pub(crate) const MAX_HEADERS: usize = 512;

/// A connection.
pub(crate) struct Opened {
    sender: SendRequest<Body>,
    driver: Driver,
}

/// What reads and writes. Nothing once the connection has ended: what waits for it then is told so
/// because it is dropped.
struct Driver(Option<Box<Connection<TokioIo<BoxedIo>, Body>>>);

/// The body of an answer. Reading it drives the connection, which is free again at its end.
pub(crate) struct Answer {
    // Dropped first: a connection with an answer half read is not free.
    incoming: Incoming,
    lease: Lease,
}

// === impl Opened ===

impl Opened {
    /// HTTP/1.1 over `io`.
    ///
    /// # Errors
    /// If the stream ended at once.
    pub(crate) async fn handshake(io: BoxedIo) -> Result<Self, UpstreamError> {
        let handshake = Builder::new()
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(io))
            .await;
        let (sender, driver) = handshake.map_err(|source| failed(Hop::Request, source))?;
        Ok(Self {
            sender,
            driver: Driver(Some(Box::new(driver))),
        })
    }

    /// Whether the member has closed the connection at rest, or said something on it.
    pub(super) fn is_closed(&mut self) -> bool {
        self.driver.drive(&mut nobody());
        self.driver.0.is_none() || self.sender.is_closed()
    }

    /// Whether the connection may take another request.
    pub(super) fn is_ready(&mut self) -> bool {
        self.driver.drive(&mut nobody());
        self.driver.0.is_some() && self.sender.is_ready()
    }

    /// Sends `request`; done when the head of the answer is there.
    ///
    /// # Errors
    /// With the request, if nothing of it was sent.
    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        let Self { sender, driver } = self;
        // It becomes ready while the connection is driven and at no other time, so that nobody need
        // be woken for it. Tokio's budget would have it wait for a turn that nobody is woken for.
        let mut answer = pin!(unconstrained(sender.try_send_request(request)));
        let answer = poll_fn(|cx| {
            for mut turn in turns(cx) {
                driver.drive(&mut turn);
                let answer = answer.as_mut().poll(&mut nobody());
                if answer.is_ready() {
                    return answer;
                }
            }
            Poll::Pending
        });
        answer.await
    }

    /// Sends `request`, after which the connection is perhaps not HTTP any more: a task of `tasks`
    /// drives it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn send_upgrade(
        mut self,
        request: Request<Body>,
        tasks: &Tasks,
    ) -> Result<(Response<Incoming>, SendRequest<Body>), hyper::Error> {
        if let Some(driver) = self.driver.0.take() {
            tasks.spawn_until_stopped(async move {
                if let Err(error) = driver.with_upgrades().await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "connection ended");
                }
            });
        }
        let response = self.sender.send_request(request).await?;
        Ok((response, self.sender))
    }
}

/// What to drive a connection with: in the first turn for nobody, and only if there is still
/// something to wait for, in the second for the task of `cx`. Connection and body wake each other
/// with what they were last polled with; after one turn that would be the very task that polls
/// them, which then would be queued, and perhaps taken over by another thread, for nothing.
fn turns<'w>(cx: &Context<'w>) -> [Context<'w>; 2] {
    [nobody(), Context::from_waker(cx.waker())]
}

/// For what need not be woken, because it is polled again before anybody waits.
fn nobody<'w>() -> Context<'w> {
    Context::from_waker(Waker::noop())
}

// === impl Driver ===

impl Driver {
    /// Reads and writes as much as can be done now.
    fn drive(&mut self, cx: &mut Context<'_>) {
        let Some(connection) = &mut self.0 else {
            return;
        };
        if let Poll::Ready(ended) = Pin::new(connection).poll(cx) {
            if let Err(error) = ended {
                tracing::debug!(error = &error as &dyn std::error::Error, "connection ended");
            }
            self.0 = None;
        }
    }
}

// === impl Answer ===

impl Answer {
    /// The body `incoming` of the connection in `lease`.
    pub(crate) const fn new(incoming: Incoming, lease: Lease) -> Self {
        Self { incoming, lease }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        for mut turn in turns(cx) {
            if let Some(opened) = self.lease.opened() {
                opened.driver.drive(&mut turn);
            }
            let frame = Pin::new(&mut self.incoming).poll_frame(&mut nobody());
            if frame.is_ready() {
                return frame;
            }
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Poll, Wake, Waker},
    };

    use fleetgate_stack::Body;
    use http::Request;
    use http_body::Body as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::{Opened, nobody};

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_short_answer_is_woken_once() {
        let (ours, mut member) = duplex(4096);
        let mut opened = Opened::handshake(Box::new(ours)).await.expect("HTTP/1.1");
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);

        let mut answer = pin!(opened.send(Request::new(Body::empty())));
        assert!(answer.as_mut().poll(&mut cx).is_pending());
        let mut request = [0; 4096];
        let sent = member.read(&mut request).await.expect("a request");
        assert!(sent > 0);
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        member.write_all(whole).await.expect("written");
        let Poll::Ready(Ok(response)) = answer.as_mut().poll(&mut cx) else {
            panic!("the answer is there");
        };
        let mut body = response.into_body();
        let frame = Pin::new(&mut body).poll_frame(&mut nobody());
        assert!(matches!(frame, Poll::Ready(Some(Ok(_)))), "with its body");
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    }
}
