//! Trailers of a request: fields that some servers read as if they stood in the head.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fleetgate_stack::{Body, BoxError, WholeBody};
use http::Version;
use http_body::{Frame, SizeHint};

use crate::identity::strip_trailers;

/// Passes a body through, but for trailers that a caller must not send to a member.
pub(crate) struct OwnTrailers(Body);

// === impl OwnTrailers ===

impl OwnTrailers {
    /// `body` of a request of `version`, as it is where there is nothing to come. One that was
    /// reset is no whole one.
    pub(crate) fn of(body: Body, version: Version) -> Body {
        if http_body::Body::is_end_stream(&body) {
            body
        } else if version == Version::HTTP_2 {
            Body::new(Self(Body::new(WholeBody::new(body))))
        } else {
            Body::new(Self(body))
        }
    }
}

impl http_body::Body for OwnTrailers {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            strip_trailers(trailers);
            if trailers.is_empty() {
                return Poll::Ready(None);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use fleetgate_stack::Body;
    use futures::stream;
    use http::Version;
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};

    use super::OwnTrailers;

    #[tokio::test]
    async fn a_body_of_http2_whose_end_was_not_seen_is_no_whole_one() {
        for (version, whole) in [(Version::HTTP_11, true), (Version::HTTP_2, false)] {
            // As hyper shows a stream that was reset with NO_ERROR or CANCEL.
            let half = Frame::data(Bytes::from_static(b"half"));
            let half = StreamBody::new(stream::iter([Ok::<_, Infallible>(half)]));
            let body = OwnTrailers::of(Body::new(half), version);
            assert_eq!(body.collect().await.is_ok(), whole, "{version:?}");
        }
    }
}
