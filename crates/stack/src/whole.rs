//! A body that ends where its stream of HTTP/2 did, and nowhere else.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::BoxError;

pin_project! {
    /// Passes `inner` through, the body of a stream of HTTP/2. hyper takes a stream that was reset
    /// with NO_ERROR for one that ended (RFC 9113, section 8.1: an answer may be whole before its
    /// request is); here that is an error, unless the end was seen, or is not due yet.
    #[derive(Debug)]
    pub struct WholeBody<B, F> {
        #[pin]
        inner: B,
        is_due: F,
    }
}

/// The stream was reset before its end.
#[derive(Debug, thiserror::Error)]
#[error("the stream was reset before its end")]
struct Reset;

// === impl WholeBody ===

impl<B, F> WholeBody<B, F> {
    /// `inner`, which knows once its end was seen: [`is_end_stream`](http_body::Body::is_end_stream).
    /// Where `is_due` says no, a reset is an end too: that of an answer whose request has not ended,
    /// unless it is shorter than it said.
    pub const fn new(inner: B, is_due: F) -> Self {
        Self { inner, is_due }
    }
}

impl<B, F> http_body::Body for WholeBody<B, F>
where
    B: http_body::Body,
    F: Fn() -> bool,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        Poll::Ready(match frame {
            Some(frame) => Some(frame.map_err(Into::into)),
            None if this.inner.is_end_stream() => None,
            // A length that was announced tells by itself that something is missing.
            None if !(this.is_due)() && this.inner.size_hint().exact().is_none_or(|l| l == 0) => {
                None
            }
            None => Some(Err(Reset.into())),
        })
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
    use std::{
        convert::Infallible,
        pin::Pin,
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http_body::{Frame, SizeHint};
    use http_body_util::BodyExt;

    use super::WholeBody;

    /// One piece, behind which the end of the stream was seen or not.
    struct Piece {
        left: bool,
        end_seen: bool,
        announced: Option<u64>,
    }

    impl http_body::Body for Piece {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let left = std::mem::take(&mut self.left);
            Poll::Ready(left.then(|| Ok(Frame::data(Bytes::from_static(b"x")))))
        }

        fn is_end_stream(&self) -> bool {
            self.end_seen && !self.left
        }

        fn size_hint(&self) -> SizeHint {
            let sent = u64::from(!self.left);
            self.announced.map_or_else(SizeHint::default, |announced| {
                SizeHint::with_exact(announced - sent)
            })
        }
    }

    #[tokio::test]
    async fn an_end_that_was_not_seen_is_none() {
        let cases = [
            (true, true, None, true),
            (false, true, None, false),
            (false, false, None, true),
            (false, false, Some(1), true),
            (false, false, Some(2), false),
        ];
        for (end_seen, is_due, announced, is_end) in cases {
            let piece = Piece {
                left: true,
                end_seen,
                announced,
            };
            let mut body = WholeBody::new(piece, || is_due);
            assert!(body.frame().await.expect("a piece").is_ok());
            let end = body.frame().await;
            assert_eq!(end.is_none(), is_end, "{announced:?}");
            assert!(end.is_none_or(|end| end.is_err()));
        }
    }
}
