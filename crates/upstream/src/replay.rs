//! A request kept to be sent again, with a body that is not long.

use std::{
    collections::VecDeque,
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fleetgate_stack::{Body, BoxError};
use http::{HeaderMap, Method, Request, Uri};
use http_body::{Body as _, Frame, SizeHint};
use parking_lot::Mutex;

/// Bytes of a body that are kept: most objects of Kubernetes are smaller.
const KEPT: usize = 64 << 10;
/// As so many bytes counts a piece that has fewer: it takes memory by itself.
const LEAST: usize = 64;
/// A piece that is smaller is copied: it may be a small part of a buffer that would be kept with it.
const SMALL: usize = 4 << 10;

/// A request that is being sent, and can be sent again.
pub(crate) struct Replay {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// Nothing where there is none.
    body: Option<Arc<Mutex<Kept>>>,
    has_ended: Ended,
}

/// Whether the body of a request was read to its end, if there is one. Clones tell of the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended(Option<Arc<AtomicBool>>);

/// A body, and what was taken of it.
struct Kept {
    rest: Body,
    /// Nothing once it was too much.
    taken: Option<VecDeque<Piece>>,
    bytes: usize,
    has_ended: Ended,
    /// Who reads it: what is sent no more must not take anything away.
    reader: usize,
}

enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// The body of one attempt.
struct Reader {
    kept: Arc<Mutex<Kept>>,
    number: usize,
    /// What the attempt before took, and is to be sent again first.
    again: VecDeque<Piece>,
}

#[derive(Debug, thiserror::Error)]
#[error("the request is sent again elsewhere")]
struct Superseded;

/// Whether what is asked with `method` may be done twice, because it changes nothing (RFC 9110,
/// section 9.2.1).
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

// === impl Replay ===

impl Replay {
    /// Keeps `request`, which is to be sent in the form that it comes back in.
    pub(crate) fn of(request: Request<Body>) -> (Self, Request<Body>) {
        let (parts, body) = request.into_parts();
        let mut replay = Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            body: None,
            has_ended: Ended::default(),
        };
        if body.is_end_stream() {
            return (replay, Request::from_parts(parts, body));
        }
        replay.has_ended = Ended(Some(Arc::default()));
        let kept = Kept {
            rest: body,
            taken: Some(VecDeque::new()),
            bytes: 0,
            has_ended: replay.has_ended.clone(),
            reader: 0,
        };
        let kept = replay.body.insert(Arc::new(Mutex::new(kept)));
        let body = Reader::first(kept);
        (replay, Request::from_parts(parts, Body::new(body)))
    }

    /// Whether the request was read to its end, now and later.
    pub(crate) fn ended(&self) -> Ended {
        self.has_ended.clone()
    }

    /// Whether it may be done twice.
    pub(crate) fn is_safe(&self) -> bool {
        is_safe(&self.method)
    }

    /// The request once more; nothing if its body was too long to be kept.
    pub(crate) fn into_request(mut self) -> Option<Request<Body>> {
        let body = match self.body.take() {
            None => Body::empty(),
            Some(kept) => Body::new(Reader::again(kept)?),
        };
        let mut request = Request::new(body);
        *request.method_mut() = mem::take(&mut self.method);
        *request.uri_mut() = mem::take(&mut self.uri);
        *request.headers_mut() = mem::take(&mut self.headers);
        Some(request)
    }
}

impl Drop for Replay {
    /// It is not sent again: what was kept is not needed any more, and nothing more is.
    fn drop(&mut self) {
        if let Some(kept) = &self.body {
            kept.lock().taken = None;
        }
    }
}

// === impl Ended ===

impl Ended {
    pub(crate) fn get(&self) -> bool {
        let has_ended = |told: &Arc<AtomicBool>| told.load(Ordering::Relaxed);
        self.0.as_ref().is_none_or(has_ended)
    }

    fn set(&self) {
        if let Some(told) = &self.0 {
            told.store(true, Ordering::Relaxed);
        }
    }
}

// === impl Kept ===

impl Kept {
    /// The next frame that nobody has taken yet.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.has_ended.get() {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.rest).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.keep(frame),
            Some(Err(_)) => self.taken = None,
            None => {}
        }
        if frame.is_none() || self.rest.is_end_stream() {
            self.has_ended.set();
        }
        Poll::Ready(frame)
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        let Some(taken) = &mut self.taken else {
            return;
        };
        if let Some(data) = frame.data_ref() {
            self.bytes += data.len().max(LEAST);
            taken.push_back(Piece::Data(match data.len() {
                ..SMALL => Bytes::copy_from_slice(data),
                _ => data.clone(),
            }));
        } else if let Some(trailers) = frame.trailers_ref() {
            taken.push_back(Piece::Trailers(trailers.clone()));
        }
        if self.bytes > KEPT {
            self.taken = None;
        }
    }
}

// === impl Piece ===

impl Piece {
    fn into_frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(trailers),
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Data(data) => data.len() as u64,
            Self::Trailers(_) => 0,
        }
    }
}

// === impl Reader ===

impl Reader {
    fn first(kept: &Arc<Mutex<Kept>>) -> Self {
        Self {
            kept: Arc::clone(kept),
            number: 0,
            again: VecDeque::new(),
        }
    }

    /// Who reads `kept` from its beginning, in place of who did so before. Nothing more is kept
    /// there: who sends this again keeps it anew.
    fn again(kept: Arc<Mutex<Kept>>) -> Option<Self> {
        let (again, number) = {
            let mut kept = kept.lock();
            let again = kept.taken.take()?;
            kept.reader += 1;
            (again, kept.reader)
        };
        Some(Self {
            kept,
            number,
            again,
        })
    }
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(piece) = self.again.pop_front() {
            return Poll::Ready(Some(Ok(piece.into_frame())));
        }
        let mut kept = self.kept.lock();
        if kept.reader != self.number {
            return Poll::Ready(Some(Err(Superseded.into())));
        }
        kept.poll_rest(cx)
    }

    fn is_end_stream(&self) -> bool {
        let kept = self.kept.lock();
        self.again.is_empty() && (kept.has_ended.get() || kept.rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let again: u64 = self.again.iter().map(Piece::len).sum();
        let rest = self.kept.lock().rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(again));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(again));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use bytes::Bytes;
    use fleetgate_stack::Body;
    use futures::channel::mpsc::{UnboundedSender, unbounded};
    use http::{HeaderMap, HeaderName, HeaderValue, Request};
    use http_body::{Body as _, Frame};
    use http_body_util::{BodyExt, StreamBody};

    use super::{KEPT, LEAST, Replay};

    type Sender = UnboundedSender<io::Result<Frame<Bytes>>>;

    /// A request whose body comes from the sender.
    fn streamed() -> (Sender, Request<Body>) {
        let (sender, body) = unbounded();
        (sender, Request::new(Body::new(StreamBody::new(body))))
    }

    fn send(sender: &Sender, text: &'static str) {
        let frame = Frame::data(Bytes::from_static(text.as_bytes()));
        sender.unbounded_send(Ok(frame)).expect("a reader");
    }

    async fn next(body: &mut Body) -> Result<String, String> {
        let frame = body.frame().await.expect("a frame");
        let data = frame.map_err(|error| error.to_string())?.into_data();
        Ok(String::from_utf8(data.expect("data").to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn an_attempt_that_is_over_takes_nothing_away() {
        let (sender, request) = streamed();
        let (replay, first) = Replay::of(request);
        let mut first = first.into_body();
        send(&sender, "one");
        assert_eq!(next(&mut first).await.as_deref(), Ok("one"));
        let second = replay.into_request().expect("it was short");
        send(&sender, "two");
        drop(sender);
        assert!(next(&mut first).await.is_err());
        let all = second.into_body().collect().await.expect("a body");
        assert_eq!(all.to_bytes(), "onetwo");
    }

    #[tokio::test]
    async fn trailers_are_sent_again_too() {
        let (sender, request) = streamed();
        let (replay, first) = Replay::of(request);
        send(&sender, "one");
        let trailer = (
            HeaderName::from_static("x-last"),
            HeaderValue::from_static("1"),
        );
        let trailers = Frame::trailers(HeaderMap::from_iter([trailer]));
        sender.unbounded_send(Ok(trailers)).expect("a reader");
        drop(sender);
        let first = first.into_body().collect().await.expect("a body");
        let second = replay.into_request().expect("it was short");
        let second = second.into_body().collect().await.expect("a body");
        assert_eq!(second.trailers(), first.trailers());
        assert!(second.trailers().is_some());
        assert_eq!(second.to_bytes(), "one");
    }

    #[tokio::test]
    async fn the_length_of_what_is_sent_again_is_known() {
        let (replay, first) = Replay::of(Request::new(Body::full("four")));
        let mut first = first.into_body();
        assert_eq!(first.size_hint().exact(), Some(4));
        assert_eq!(next(&mut first).await.as_deref(), Ok("four"));
        assert!(first.is_end_stream());
        let mut second = replay.into_request().expect("it was short").into_body();
        assert_eq!(second.size_hint().exact(), Some(4));
        assert!(!second.is_end_stream());
        assert_eq!(next(&mut second).await.as_deref(), Ok("four"));
        assert!(second.is_end_stream());
        assert!(second.frame().await.is_none());
    }

    #[tokio::test]
    async fn nothing_is_kept_once_it_is_not_sent_again() {
        let (sender, request) = streamed();
        let (replay, body) = Replay::of(request);
        let kept = std::sync::Arc::clone(replay.body.as_ref().expect("a body"));
        let mut body = body.into_body();
        send(&sender, "one");
        assert_eq!(next(&mut body).await.as_deref(), Ok("one"));
        assert!(kept.lock().taken.is_some());
        drop(replay);
        send(&sender, "two");
        assert_eq!(next(&mut body).await.as_deref(), Ok("two"));
        assert!(kept.lock().taken.is_none());
    }

    #[tokio::test]
    async fn many_small_pieces_are_too_much() {
        let (sender, request) = streamed();
        let (replay, body) = Replay::of(request);
        for _ in 0..=KEPT / LEAST {
            send(&sender, "x");
        }
        drop(sender);
        body.into_body().collect().await.expect("a body");
        assert!(replay.into_request().is_none());
    }

    #[tokio::test]
    async fn what_cannot_be_sent_whole_is_not_sent_again() {
        let (sender, request) = streamed();
        let (replay, first) = Replay::of(request);
        let mut first = first.into_body();
        send(&sender, "one");
        next(&mut first).await.expect("a piece");
        let gone = io::Error::from(io::ErrorKind::ConnectionReset);
        sender.unbounded_send(Err(gone)).expect("a reader");
        next(&mut first).await.expect_err("the caller is gone");
        assert!(replay.into_request().is_none());

        let (replay, first) = Replay::of(Request::new(Body::full(vec![b'x'; KEPT + 1])));
        first
            .into_body()
            .frame()
            .await
            .expect("a frame")
            .expect("data");
        assert!(replay.into_request().is_none());
    }
}
