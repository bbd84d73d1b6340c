//! One request to a member: which connection it takes, and when it may be sent again.

use std::sync::atomic::Ordering;

use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::{Body, GuardedBody, WholeBody};
use http::{
    HeaderMap, HeaderValue, Request, Response, Uri, Version,
    header::{CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING},
};
use http_body::Body as _;
use hyper::client::conn::{TrySendError, http2::SendRequest};

use crate::{
    Pools,
    detail::{Told, detail},
    dial::failed,
    http1::{Answer, Lease, MAX_HEADERS, Reuse, Sought},
    http2::{self, Stream, Taken},
    replay::{Replay, is_safe},
};

/// How many connections may be closed by the member, or requests refused, before one is taken.
const ATTEMPTS: usize = 10;
/// How often a request is sent again that the member may have seen: one that brings it down must
/// not do so for ever.
const REPEATS: usize = 2;
const TOO_MANY_HEADERS: &str = "the answer has too many headers";
const UNKNOWN_CODING: &str = "the answer has a transfer coding that nobody asked for";

/// What became of an attempt.
enum Attempt {
    Answered(Response<Body>),
    Failed(UpstreamError),
    /// The member, or its connection, was lost over this request, which may be sent again.
    Lost(Request<Body>, UpstreamError),
    /// The member says that it has not looked at this request.
    Refused(Request<Body>, UpstreamError),
    /// The connection was gone before the member saw the request.
    NotSent(Request<Body>),
}

impl Pools {
    /// A short request: a kept HTTP/1.1 connection where one is free, else a stream.
    pub(crate) async fn send_short(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        for reuse in [Reuse::Allowed, Reuse::Refused] {
            let lease = match self.health.or_given_up(self.http1.seek(reuse)).await? {
                Sought::Found(lease) => lease,
                Sought::Full => break,
                Sought::NotAgreed => {
                    self.no_http1.store(true, Ordering::Relaxed);
                    break;
                }
            };
            match self.send_http1(lease, request).await {
                Attempt::Answered(response) => return Ok(response),
                Attempt::Failed(error) => return Err(error),
                Attempt::Lost(back, _) | Attempt::Refused(back, _) | Attempt::NotSent(back) => {
                    request = back;
                }
            }
        }
        self.send_shared(&self.short, request).await
    }

    /// A stream of `streams`, or HTTP/1.1 where the member speaks nothing else.
    pub(crate) async fn send_shared(
        &self,
        streams: &http2::Pool,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        let (mut reuse, mut repeats, mut refusal) = (Reuse::Allowed, 0, None);
        for _ in 0..ATTEMPTS {
            match self.attempt(streams, request, reuse).await? {
                Attempt::Answered(response) => return Ok(response),
                Attempt::Failed(error) => return Err(error),
                Attempt::Lost(_, error) if repeats == REPEATS => return Err(error),
                Attempt::Lost(back, _) => (request, repeats) = (back, repeats + 1),
                Attempt::Refused(back, error) => (request, refusal) = (back, Some(error)),
                Attempt::NotSent(back) => request = back,
            }
            reuse = Reuse::Refused;
        }
        let closed = || {
            failed(
                Hop::Request,
                Told::new("the member closed every connection"),
            )
        };
        Err(refusal.unwrap_or_else(closed))
    }

    async fn attempt(
        &self,
        streams: &http2::Pool,
        request: Request<Body>,
        reuse: Reuse,
    ) -> Result<Attempt, UpstreamError> {
        if self.http1_only.load(Ordering::Relaxed) {
            let taking = self.http1.take(reuse);
            let lease = self.health.or_given_up(taking).await?;
            return Ok(self.send_http1(lease, request).await);
        }
        match self.health.or_given_up(streams.take()).await? {
            Taken::Stream(sender, stream) => Ok(self.send_http2(sender, stream, request).await),
            Taken::Http1(opened) => {
                self.http1_only.store(true, Ordering::Relaxed);
                let lease = match opened {
                    Some(opened) => self.http1.lease(opened),
                    None => self.health.or_given_up(self.http1.take(reuse)).await?,
                };
                Ok(self.send_http1(lease, request).await)
            }
        }
    }

    /// An upgrade. The answer carries the byte stream in its extensions, if the member agreed.
    pub(crate) async fn upgrade(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        self.prepare_http1(&mut request);
        let opened = self.health.or_given_up(self.http1.open_upgrade()).await?;
        let sent = opened.send_upgrade(request, &self.tasks).await;
        let (response, sender) = sent.map_err(|source| failed(Hop::Request, source))?;
        Ok(framed(response)?.map(|incoming| Body::new(GuardedBody::new(incoming, sender))))
    }

    async fn send_http1(&self, mut lease: Lease, mut request: Request<Body>) -> Attempt {
        self.prepare_http1(&mut request);
        let mut replay = None;
        if lease.reused && is_safe(request.method()) {
            let (kept, again) = Replay::of(request);
            (replay, request) = (Some(kept), again);
        }
        let Some(opened) = lease.opened() else {
            return Attempt::NotSent(request);
        };
        match opened.send(request).await {
            Ok(response) => match framed(response) {
                Ok(response) => {
                    Attempt::Answered(response.map(|body| Body::new(Answer::new(body, lease))))
                }
                Err(error) => Attempt::Failed(error),
            },
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
        let (replay, request) = Replay::of(request);
        let asked = replay.ended();
        match sender.try_send_request(request).await {
            // What HTTP/1.1's parser sees to itself.
            Ok(response) if response.headers().len() > MAX_HEADERS => {
                Attempt::Failed(failed(Hop::Request, Told::new(TOO_MANY_HEADERS)))
            }
            Ok(response) => Attempt::Answered(response.map(|body| {
                // An answer may be whole before its request is, which is reset then.
                let whole = WholeBody::new(body, move || asked.get());
                Body::new(GuardedBody::new(whole, stream))
            })),
            Err(error) => unsent(error, Some(replay)),
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
        join_cookies(request.headers_mut());
        let body = request.body();
        let is_measured =
            body.size_hint().exact().is_some() || request.headers().contains_key(CONTENT_LENGTH);
        if !body.is_end_stream() && !is_measured {
            // hyper takes a GET of which it is not told so for one without a body.
            let chunked = HeaderValue::from_static("chunked");
            request.headers_mut().insert(TRANSFER_ENCODING, chunked);
        }
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

/// HTTP/2 may bring cookies in several fields, HTTP/1.1 in one (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let fields = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let fields: Vec<_> = fields.collect();
    if fields.len() > 1
        && let Ok(one) = HeaderValue::from_bytes(&fields.join(&b"; "[..]))
    {
        headers.insert(COOKIE, one);
    }
}

/// An answer of HTTP/1.1 without what said how long it was on the way. The transfer coding overrides
/// the length (RFC 9112, section 6.3), which then must not be passed on.
///
/// # Errors
/// Where it has another coding than the one that was taken off, which nobody asked for.
fn framed<B>(mut response: Response<B>) -> Result<Response<B>, UpstreamError> {
    let headers = response.headers_mut();
    let codings = headers.get_all(TRANSFER_ENCODING);
    let is_chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    match codings.iter().collect::<Vec<_>>()[..] {
        [] => return Ok(response),
        [only] if is_chunked(only) => {}
        _ => return Err(failed(Hop::Request, Told::new(UNKNOWN_CODING))),
    }
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONTENT_LENGTH);
    Ok(response)
}

/// What to do with a request to which there was no answer.
fn unsent(mut error: TrySendError<Request<Body>>, replay: Option<Replay>) -> Attempt {
    if let Some(request) = error.take_message() {
        return Attempt::NotSent(request);
    }
    let error = error.into_error();
    let is_refused = is_refused(&error);
    let may_repeat = |replay: &Replay| is_refused || (replay.is_safe() && is_lost(&error));
    let again = replay.filter(may_repeat).and_then(Replay::into_request);
    let error = match is_refused {
        true => refused(error),
        false => failed(Hop::Request, error),
    };
    match again {
        Some(request) if is_refused => Attempt::Refused(request, error),
        Some(request) => Attempt::Lost(request, error),
        None => Attempt::Failed(error),
    }
}

fn refused(error: hyper::Error) -> UpstreamError {
    UpstreamError::Refused {
        detail: detail(&error),
        source: Box::new(error),
    }
}

/// Whether the member says that it has not looked at the request (RFC 9113, section 8.7).
fn is_refused(error: &hyper::Error) -> bool {
    let refused = |e: &h2::Error| e.is_remote() && e.reason() == Some(h2::Reason::REFUSED_STREAM);
    h2_error(error).is_some_and(|e| refused(e) || (e.is_remote() && e.is_go_away()))
}

/// Whether the connection ended instead of an answer, so that nobody knows what became of the
/// request.
fn is_lost(error: &hyper::Error) -> bool {
    match h2_error(error) {
        Some(error) => error.is_io(),
        None => !error.is_parse() && !error.is_user(),
    }
}

fn h2_error(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}
