//! The answer to HEAD, which has no body (RFC 9110, section 9.3.2). hyper sees to that for HTTP/1.1
//! alone, and what it sends over HTTP/2 its callers take for a fault.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use fleetgate_stack::Body;
use http::{HeaderValue, Response, header::CONTENT_LENGTH};
use http_body::{Body as _, Frame};

/// No bytes, and no length: GET may bring some.
struct NoBody;

/// The head of `response`, with the length that its body would have had.
pub(super) fn bodiless(mut response: Response<Body>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact()
        && !response.body().is_end_stream()
    {
        let headers = response.headers_mut();
        headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(length));
    }
    response.map(|_| Body::new(NoBody))
}

impl http_body::Body for NoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}
