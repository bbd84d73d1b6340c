//! One request to a member: which connection it takes, and when it may be sent again.

use std::sync::atomic::Ordering;

use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::{Body, GuardedBody};
use http::{HeaderMap, Method, Request, Response, Uri, Version, header::HOST};
use http_body::Body as _;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2::SendRequest},
};

use crate::{
    Pools,
    dial::failed,
    http1::Lease,
    http2::{Stream, Taken},
};

/// How often a request is offered to connections that turn out to be closed.
const ATTEMPTS: usize = 3;

/// What became of an attempt.
enum Attempt {
    Answered(Response<Body>),
    /// The connection was gone before the member saw the request; it may be sent again.
    NotSent(Request<Body>),
    Failed(UpstreamError),
}

/// A request that may be sent twice: it changes nothing and has no body (RFC 9110, section 9.2.2).
struct Replay {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Pools {
    /// A short request: a kept HTTP/1.1 connection where one is free, else a stream.
    pub(crate) async fn send_short(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        for _ in 0..ATTEMPTS {
            let Some(lease) = self.http1.try_take().await? else {
                break;
            };
            match self.send_http1(lease, request).await {
                Attempt::Answered(response) => return Ok(response),
                Attempt::NotSent(back) => request = back,
                Attempt::Failed(error) => return Err(error),
            }
        }
        self.send_shared(request).await
    }

    /// A request that may last: a stream, or HTTP/1.1 where the member speaks nothing else.
    pub(crate) async fn send_shared(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        for _ in 0..ATTEMPTS {
            let attempt = if self.http1_only.load(Ordering::Relaxed) {
                self.send_http1(self.http1.take().await?, request).await
            } else {
                match self.http2.take().await? {
                    Taken::Stream(sender, stream) => self.send_http2(sender, stream, request).await,
                    Taken::Http1(opened) => {
                        self.http1_only.store(true, Ordering::Relaxed);
                        let lease = match opened {
                            Some(opened) => self.http1.lease(opened, false),
                            None => self.http1.take().await?,
                        };
                        self.send_http1(lease, request).await
                    }
                }
            };
            match attempt {
                Attempt::Answered(response) => return Ok(response),
                Attempt::NotSent(back) => request = back,
                Attempt::Failed(error) => return Err(error),
            }
        }
        Err(failed(Hop::Request, "the member closed every connection"))
    }

    /// An upgrade. The answer carries the byte stream in its extensions, if the member agreed.
    pub(crate) async fn upgrade(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        self.prepare_http1(&mut request);
        let mut sender = self.http1.open().await?.into_sender();
        let response = sender.send_request(request).await;
        let response = response.map_err(|source| failed(Hop::Request, source))?;
        Ok(response.map(|incoming| Body::new(GuardedBody::new(incoming, sender))))
    }

    async fn send_http1(&self, mut lease: Lease, mut request: Request<Body>) -> Attempt {
        self.prepare_http1(&mut request);
        let replay = lease.reused.then(|| Replay::of(&request)).flatten();
        let Some(sender) = lease.sender() else {
            return Attempt::NotSent(request);
        };
        match sender.try_send_request(request).await {
            Ok(response) => Attempt::Answered(guarded(response, lease)),
            Err(error) => unsent(error, replay),
        }
    }

    async fn send_http2(
        &self,
        mut sender: SendRequest<Body>,
        stream: Stream,
        mut request: Request<Body>,
    ) -> Attempt {
        if let Err(error) = self.prepare_http2(&mut request) {
            return Attempt::Failed(error);
        }
        let replay = Replay::of(&request);
        match sender.try_send_request(request).await {
            Ok(response) => Attempt::Answered(guarded(response, stream)),
            Err(error) => unsent(error, replay),
        }
    }

    /// Puts the base path of the endpoint in front of the request's own.
    pub(crate) fn locate(&self, request: &mut Request<Body>) -> Result<(), UpstreamError> {
        let target = request.uri().path_and_query();
        let target = target.ok_or_else(|| failed(Hop::Request, "the request has no path"))?;
        let target = self.endpoint.path_and_query(target);
        *request.uri_mut() = target
            .map_err(|source| failed(Hop::Request, source))?
            .into();
        Ok(())
    }

    fn prepare_http1(&self, request: &mut Request<Body>) {
        if let Some(target) = request.uri_mut().path_and_query().cloned() {
            *request.uri_mut() = target.into();
        }
        *request.version_mut() = Version::HTTP_11;
        let host = self.endpoint.host_header.clone();
        request.headers_mut().insert(HOST, host);
    }

    fn prepare_http2(&self, request: &mut Request<Body>) -> Result<(), UpstreamError> {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(self.endpoint.scheme.clone());
        parts.authority = Some(self.endpoint.authority.clone());
        let uri = Uri::from_parts(parts);
        *request.uri_mut() = uri.map_err(|source| failed(Hop::Request, source))?;
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(HOST);
        Ok(())
    }
}

/// The answer, holding `guard` until its body was read.
fn guarded<G: Send + 'static>(response: Response<Incoming>, guard: G) -> Response<Body> {
    response.map(|incoming| Body::new(GuardedBody::new(incoming, guard)))
}

/// What to do with a request to which there was no answer.
fn unsent(mut error: TrySendError<Request<Body>>, replay: Option<Replay>) -> Attempt {
    if let Some(request) = error.take_message() {
        return Attempt::NotSent(request);
    }
    let error = error.into_error();
    match replay {
        Some(replay) if unprocessed(&error) => Attempt::NotSent(replay.into_request()),
        Some(_) | None => Attempt::Failed(failed(Hop::Request, error)),
    }
}

/// Whether the member closed the connection or refused the stream rather than answering.
fn unprocessed(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|s| s.downcast_ref::<h2::Error>());
    error.is_incomplete_message()
        || error.is_closed()
        || source.is_some_and(|e| e.is_go_away() || e.reason() == Some(h2::Reason::REFUSED_STREAM))
}

// === impl Replay ===

impl Replay {
    fn of(request: &Request<Body>) -> Option<Self> {
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        (safe && request.body().is_end_stream()).then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    fn into_request(self) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}
