//! A body that can be told to end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use fleetgate_model::Verb;
use fleetgate_stack::{Body, BoxError};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::generation::Generation;

pin_project! {
    /// Passes `inner` through until it ends or its generation has to; then it ends as it is told.
    pub(crate) struct EndingBody {
        inner: Body,
        #[pin]
        ending: WaitForCancellationFutureOwned,
        generation: Generation,
        manner: Manner,
        ended: bool,
    }
}

/// How a body ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With an error, so that nobody takes what came for the whole.
    BreakOff,
    /// As if the member had closed a watch, which clients answer by listing and watching anew.
    End,
}

/// The body was told to end.
#[derive(Debug, thiserror::Error)]
#[error("the answer was broken off: the server stops, or cluster or credentials are gone")]
struct BrokenOff;

// === impl Manner ===

impl Manner {
    /// Only a watch can end at any place and be whole; of anything else the caller must see that the
    /// rest is missing.
    pub(crate) fn of(verb: &Verb) -> Self {
        match verb.as_str() {
            "watch" => Self::End,
            _ => Self::BreakOff,
        }
    }
}

// === impl EndingBody ===

impl EndingBody {
    /// `inner`, until `generation` has to end; then it ends in `manner`.
    pub(crate) fn new(inner: Body, generation: &Generation, manner: Manner) -> Self {
        Self {
            inner,
            ending: generation.ending().clone().cancelled_owned(),
            generation: generation.clone(),
            manner,
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
        if *this.ended {
            return Poll::Ready(None);
        }
        if this.ending.poll(cx).is_ready() {
            *this.ended = true;
            return Poll::Ready(match this.manner {
                Manner::BreakOff => Some(Err(BrokenOff.into())),
                Manner::End => None,
            });
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

    use super::{EndingBody, Manner};
    use crate::generation::Generation;

    fn endless(ending: &CancellationToken, manner: Manner) -> EndingBody {
        let frames = stream::pending::<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>();
        let endless = Body::new(StreamBody::new(frames));
        EndingBody::new(endless, &Generation::first(ending), manner)
    }

    #[tokio::test]
    async fn a_log_that_is_told_to_end_does_not_look_whole() {
        let ending = CancellationToken::new();
        let mut log = Box::pin(endless(&ending, Manner::BreakOff));
        assert!(futures::poll!(log.frame()).is_pending());
        ending.cancel();
        assert!(log.frame().await.expect("a frame").is_err());
        assert!(log.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_watch_without_end_ends_when_told() {
        let ending = CancellationToken::new();
        let mut watch = Box::pin(endless(&ending, Manner::End));
        assert!(futures::poll!(watch.frame()).is_pending());
        ending.cancel();
        assert!(watch.frame().await.is_none());
        assert!(watch.frame().await.is_none());
    }
}
