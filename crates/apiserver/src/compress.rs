//! gzip for large answers, as Kubernetes compresses them: a piece at a time, as the caller takes it.

use std::{
    io::Write,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use flate2::{Compression, write::GzEncoder};
use fleetgate_stack::{Body, BoxError};
use http::{
    HeaderValue, Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, VARY},
};
use http_body::{Body as _, Frame};

/// Answers of at most so many bytes are sent as they are.
const THRESHOLD: u64 = 128 << 10;
/// So many bytes are compressed in one go.
const PIECE: usize = 64 << 10;
/// A frame is sent once it has so many bytes.
const FRAME: usize = 16 << 10;
/// The level that costs least, as Kubernetes chooses it.
const LEVEL: Compression = Compression::new(1);

/// A body that is compressed while it is read.
struct Gzip {
    /// Nothing once it has ended.
    body: Option<Body>,
    /// Read and not yet compressed.
    pending: Bytes,
    encoder: GzEncoder<Vec<u8>>,
}

/// `response`, compressed if the caller takes gzip (`accept_encoding`) and it is known to be large.
pub(crate) fn compress(accept_encoding: &str, response: Response<Body>) -> Response<Body> {
    // Parameters, such as weights, are not read: Kubernetes does not either.
    let takes_gzip = accept_encoding
        .split(',')
        .any(|token| token.trim() == "gzip");
    let is_large = response.body().size_hint().lower() > THRESHOLD;
    if !takes_gzip || !is_large {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let headers = &mut parts.headers;
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    let body = Gzip {
        body: Some(body),
        pending: Bytes::new(),
        encoder: GzEncoder::new(Vec::new(), LEVEL),
    };
    Response::from_parts(parts, Body::new(body))
}

// === impl Gzip ===

impl Gzip {
    /// What is compressed so far.
    fn take(&mut self) -> Bytes {
        mem::take(self.encoder.get_mut()).into()
    }

    /// Reads on where nothing is pending. Whether the body has ended.
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BoxError>> {
        while self.pending.is_empty() {
            let Some(body) = &mut self.body else {
                return Poll::Ready(Ok(true));
            };
            match ready!(Pin::new(body).poll_frame(cx)) {
                None => self.body = None,
                // An answer of ours has no trailers.
                Some(frame) => self.pending = frame?.into_data().unwrap_or_default(),
            }
        }
        Poll::Ready(Ok(false))
    }
}

impl http_body::Body for Gzip {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.body.is_none() && self.pending.is_empty() {
            return Poll::Ready(None);
        }
        while self.encoder.get_ref().len() < FRAME {
            if ready!(self.poll_pending(cx))? {
                self.encoder.try_finish()?;
                break;
            }
            let this = &mut *self;
            let piece = this.pending.len().min(PIECE);
            this.encoder.write_all(&this.pending[..piece])?;
            this.pending.advance(piece);
        }
        Poll::Ready(Some(Ok(Frame::data(self.take()))))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use fleetgate_stack::Body;
    use http::Response;
    use http_body_util::BodyExt;

    use super::{THRESHOLD, compress};

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|n| b'a' + (n * n % 23) as u8).collect()
    }

    async fn check(accept_encoding: &str, len: usize, is_compressed: bool) {
        let response = compress(accept_encoding, Response::new(Body::full(text(len))));
        let encoding = response.headers().get("content-encoding");
        assert_eq!(encoding.is_some(), is_compressed, "{accept_encoding} {len}");
        assert_eq!(response.headers().contains_key("vary"), is_compressed);
        let body = response.into_body().collect().await.expect("a body");
        let body = body.to_bytes();
        if is_compressed {
            assert!(body.len() < len);
            let mut got = Vec::new();
            flate2::read::GzDecoder::new(&*body)
                .read_to_end(&mut got)
                .expect("gzip");
            assert_eq!(got, text(len));
        } else {
            assert_eq!(body, text(len));
        }
    }

    #[tokio::test]
    async fn large_answers_are_compressed_for_those_who_take_gzip() {
        let threshold = usize::try_from(THRESHOLD).expect("small");
        check("gzip", threshold + 1, true).await;
        check("gzip", threshold, false).await;
        check("deflate, gzip ,br", 3_000_000, true).await;
        check("gzip;q=1.0", threshold + 1, false).await;
        check("", threshold + 1, false).await;
    }
}
