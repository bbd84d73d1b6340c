//! The body of a request on its way to a member: without trailers that a caller must not send, as
//! some servers read them as if they stood in the head; and it is known whether it broke off.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fleetgate_stack::{Body, BoxError, WholeBody};
use http::Version;
use http_body::{Frame, SizeHint};

use crate::identity::strip_trailers;

/// Passes a body through, but for trailers that a caller must not send to a member.
pub(crate) struct OwnTrailers {
    inner: Body,
    broken: Arc<AtomicBool>,
}

/// Whether the caller's own body broke off.
#[derive(Debug, Default)]
pub(crate) struct Broken(Option<Arc<AtomicBool>>);

// === impl OwnTrailers ===

impl OwnTrailers {
    /// `body` of a request of `version`, as it is where there is nothing to come. One that was
    /// reset is no whole one.
    pub(crate) fn of(body: Body, version: Version) -> (Body, Broken) {
        if http_body::Body::is_end_stream(&body) {
            return (body, Broken::default());
        }
        let inner = match version {
            Version::HTTP_2 => Body::new(WholeBody::new(body)),
            _ => body,
        };
        let broken = Arc::<AtomicBool>::default();
        let told = Broken(Some(Arc::clone(&broken)));
        (Body::new(Self { inner, broken }), told)
    }
}

// === impl Broken ===

impl Broken {
    pub(crate) fn get(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|told| told.load(Ordering::Relaxed))
    }
}

impl http_body::Body for OwnTrailers {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if matches!(frame, Some(Err(_))) {
            self.broken.store(true, Ordering::Relaxed);
        }
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
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
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
            let (body, broken) = OwnTrailers::of(Body::new(half), version);
            assert_eq!(body.collect().await.is_ok(), whole, "{version:?}");
            assert_eq!(broken.get(), !whole, "{version:?}");
        }
    }
}
