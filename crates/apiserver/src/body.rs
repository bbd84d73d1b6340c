//! Reads the body of a write.

use bytes::Bytes;
use fleetgate_apimachinery::status::Status;
use fleetgate_stack::Body;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// Most bytes of a body (kube-apiserver: `MaxRequestBodyBytes`).
pub(crate) const MAX_BODY: usize = 3 << 20;

/// The whole of `body`.
///
/// # Errors
/// 413 for a body that is larger than [`MAX_BODY`], told before it is read where its length is
/// known; 400 for one that ends early.
pub(crate) async fn read(body: Body) -> Result<Bytes, Status> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(Status::too_large(MAX_BODY));
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Status::too_large(MAX_BODY)),
        Err(_) => Err(Status::bad_request(
            "the body of the request could not be read",
        )),
    }
}

#[cfg(test)]
mod tests {
    use fleetgate_stack::Body;
    use http_body_util::StreamBody;

    use super::{MAX_BODY, read};

    async fn check(body: Body, code: Option<u16>) {
        assert_eq!(read(body).await.err().map(|status| status.code), code);
    }

    /// A body whose length is not told.
    fn streamed(pieces: Vec<Result<Vec<u8>, std::io::ErrorKind>>) -> Body {
        let frames = pieces.into_iter().map(|piece| {
            let bytes = piece.map_err(std::io::Error::from)?;
            Ok::<_, std::io::Error>(http_body::Frame::data(bytes.into()))
        });
        Body::new(StreamBody::new(futures::stream::iter(frames)))
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_a_limit() {
        check(Body::full(vec![0; MAX_BODY]), None).await;
        check(Body::full(vec![0; MAX_BODY + 1]), Some(413)).await;
        check(
            streamed(vec![Ok(vec![0; MAX_BODY]), Ok(vec![0])]),
            Some(413),
        )
        .await;
        check(
            streamed(vec![Ok(vec![0]), Err(std::io::ErrorKind::BrokenPipe)]),
            Some(400),
        )
        .await;
    }
}
