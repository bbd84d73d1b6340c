//! Bodies without the trailers that must not pass: some servers and clients read them as if they
//! stood in the head. Of a request's it is known whether it broke off.

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
use http::{HeaderMap, Version};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::identity::{strip_members_trailers, strip_trailers};

/// Passes a body through, but for trailers that a caller must not send to a member.
pub(crate) struct OwnTrailers {
    inner: Body,
    broken: Arc<AtomicBool>,
}

pin_project! {
    /// Passes the body of an answer through, but for trailers that a member must not send to a
    /// caller.
    pub(crate) struct MembersTrailers<B> {
        #[pin]
        inner: B,
    }
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
            Version::HTTP_2 => Body::new(WholeBody::new(body, || true)),
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
        Poll::Ready(match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => stripped(frame, strip_trailers).map(Ok),
            Some(Err(error)) => {
                self.broken.store(true, Ordering::Relaxed);
                Some(Err(error))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// `frame` without what `strip` takes off trailers; nothing if none are left.
fn stripped(mut frame: Frame<Bytes>, strip: fn(&mut HeaderMap)) -> Option<Frame<Bytes>> {
    let Some(trailers) = frame.trailers_mut() else {
        return Some(frame);
    };
    strip(trailers);
    (!trailers.is_empty()).then_some(frame)
}

// === impl MembersTrailers ===

impl<B> MembersTrailers<B> {
    pub(crate) const fn of(inner: B) -> Self {
        Self { inner }
    }
}

impl<B: http_body::Body<Data = Bytes>> http_body::Body for MembersTrailers<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Poll::Ready(match ready!(self.project().inner.poll_frame(cx)) {
            Some(Ok(frame)) => stripped(frame, strip_members_trailers).map(Ok),
            end => end,
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
    use std::convert::Infallible;

    use bytes::Bytes;
    use fleetgate_stack::Body;
    use futures::stream;
    use http::{HeaderMap, HeaderName, HeaderValue, Version};
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};

    use super::{MembersTrailers, OwnTrailers};

    /// What the caller gets of trailers called `names`.
    async fn passed(names: &[&'static str]) -> Vec<String> {
        let trailer = |name| (HeaderName::from_static(name), HeaderValue::from_static("1"));
        let frames = [
            Frame::data(Bytes::from_static(b"x")),
            Frame::trailers(names.iter().copied().map(trailer).collect()),
        ];
        let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
        let body = MembersTrailers::of(body).collect().await.expect("a body");
        let trailers = body.trailers().into_iter().flat_map(HeaderMap::keys);
        trailers.map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn trailers_of_a_member_say_nothing_of_the_connection_or_in_our_name() {
        let not_theirs = [
            "connection",
            "transfer-encoding",
            "content-length",
            "upgrade",
        ];
        assert!(passed(&not_theirs).await.is_empty());
        let (ours, theirs) = ("x-fleetgate-error", "grpc-status");
        assert_eq!(passed(&[ours, theirs, "keep-alive"]).await, [theirs]);
    }

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
