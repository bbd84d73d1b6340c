//! A body that can be told to end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use fleetgate_stack::{Body, BoxError};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

pin_project! {
    /// Passes `inner` through until it ends or the token is cancelled; then it ends as if the
    /// member had closed a watch, which clients answer by listing and watching anew.
    pub(crate) struct EndingBody {
        inner: Body,
        #[pin]
        ending: WaitForCancellationFutureOwned,
        ended: bool,
    }
}

// === impl EndingBody ===

impl EndingBody {
    /// `inner`, until `ending` is cancelled.
    pub(crate) fn new(inner: Body, ending: CancellationToken) -> Self {
        Self {
            inner,
            ending: ending.cancelled_owned(),
            ended: false,
        }
    }
}

impl http_body::Body for EndingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if *this.ended || this.ending.poll(cx).is_ready() {
            *this.ended = true;
            return Poll::Ready(None);
        }
        Pin::new(this.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use fleetgate_stack::Body;
    use futures::stream;
    use http_body_util::{BodyExt, StreamBody};
    use tokio_util::sync::CancellationToken;

    use super::EndingBody;

    #[tokio::test]
    async fn a_watch_without_end_ends_when_told() {
        let endless = Body::new(StreamBody::new(stream::pending::<
            Result<http_body::Frame<bytes::Bytes>, std::io::Error>,
        >()));
        let ending = CancellationToken::new();
        let mut watch = Box::pin(EndingBody::new(endless, ending.clone()));
        assert!(futures::poll!(watch.frame()).is_pending());
        ending.cancel();
        assert!(watch.frame().await.is_none());
        assert!(watch.frame().await.is_none());
    }
}
