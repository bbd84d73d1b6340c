//! A body that holds something until it has been read or dropped.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// Passes `inner` through and drops `guard` at the end of the body: the moment when the
    /// stream, connection or permit that the body needed is free again.
    #[derive(Debug)]
    pub struct GuardedBody<B, G> {
        #[pin]
        inner: B,
        guard: Option<G>,
    }
}

// === impl GuardedBody ===

impl<B, G> GuardedBody<B, G> {
    /// `inner`, holding `guard`.
    pub const fn new(inner: B, guard: G) -> Self {
        Self {
            inner,
            guard: Some(guard),
        }
    }
}

impl<B: http_body::Body, G> http_body::Body for GuardedBody<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            *this.guard = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;

    use super::GuardedBody;
    use crate::Body;

    #[tokio::test]
    async fn the_guard_is_free_when_the_body_has_ended() {
        let guard = Arc::new(());
        let mut body = GuardedBody::new(Body::full("x"), Arc::clone(&guard));
        assert!(body.frame().await.is_some());
        assert_eq!(Arc::strong_count(&guard), 2);
        assert!(body.frame().await.is_none());
        assert_eq!(Arc::strong_count(&guard), 1);
    }
}
