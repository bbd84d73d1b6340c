//! A WebSocket through HTTP/2 (RFC 8441): read as the GET with `Upgrade` that HTTP/1.1 has for it,
//! and answered with 200 instead of 101.

use base64::{Engine, prelude::BASE64_STANDARD};
use fleetgate_stack::{Body, websocket_accept};
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
};
use hyper::ext::Protocol;
use uuid::Uuid;

use crate::Error;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Marks a request that came as an extended CONNECT, with the only `Sec-WebSocket-Accept` that
/// answers the key that we made for it.
#[derive(Clone, Debug)]
pub(crate) struct ExtendedConnect {
    accept: HeaderValue,
}

/// Makes a CONNECT for a WebSocket the GET that stands for it with HTTP/1.1.
///
/// # Errors
/// [`Error::MethodNotAllowed`] for any other CONNECT.
pub(crate) fn translate(request: &mut Request<Body>) -> Result<(), Error> {
    let protocol = request.extensions().get::<Protocol>();
    if protocol.is_none_or(|protocol| protocol.as_str() != "websocket") {
        return Err(Error::MethodNotAllowed);
    }
    let key = BASE64_STANDARD.encode(Uuid::new_v4().as_bytes());
    let accept = websocket_accept(key.as_bytes());
    request.extensions_mut().insert(ExtendedConnect { accept });
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
    headers.insert(SEC_WEBSOCKET_KEY, text(key));
    Ok(())
}

fn text(base64: String) -> HeaderValue {
    HeaderValue::try_from(base64).expect("base64 is ASCII")
}

// === impl ExtendedConnect ===

impl ExtendedConnect {
    /// Makes `switching`, a member's 101, what answers an extended CONNECT. Returns whether the
    /// member did switch to the WebSocket that it was asked for.
    pub(crate) fn accept(&self, switching: &mut Response<Body>) -> bool {
        let headers = switching.headers_mut();
        let protocol = headers.get(UPGRADE).map(HeaderValue::as_bytes);
        let is_websocket = protocol.is_some_and(|p| p.eq_ignore_ascii_case(WEBSOCKET.as_bytes()));
        if !is_websocket || headers.get(SEC_WEBSOCKET_ACCEPT) != Some(&self.accept) {
            return false;
        }
        for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
            headers.remove(name);
        }
        *switching.status_mut() = StatusCode::OK;
        true
    }
}

#[cfg(test)]
mod tests {
    use fleetgate_stack::Body;
    use http::{HeaderValue, Method, Request, Response, StatusCode, header};
    use hyper::ext::Protocol;

    use super::{ExtendedConnect, translate};
    use crate::Error;

    fn connect(protocol: Option<&'static str>) -> Result<Request<Body>, Error> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::CONNECT;
        if let Some(protocol) = protocol {
            let protocol = Protocol::from_static(protocol);
            request.extensions_mut().insert(protocol);
        }
        translate(&mut request).map(|()| request)
    }

    #[test]
    fn no_other_connect_is_served() {
        for protocol in [None, Some("connect-udp"), Some("WebSocket")] {
            let refused = connect(protocol);
            assert!(matches!(refused, Err(Error::MethodNotAllowed)));
        }
    }

    #[test]
    fn only_the_answer_to_our_key_is_taken() {
        let request = connect(Some("websocket")).expect("a WebSocket");
        assert_eq!(request.method(), Method::GET);
        let key = &request.headers()[header::SEC_WEBSOCKET_KEY];
        assert_eq!(key.len(), 24);
        let asked = request.extensions().get::<ExtendedConnect>();
        let asked = asked.expect("marked").clone();
        let answer = |protocol: &'static str, accept: HeaderValue| {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = answer.headers_mut();
            headers.insert(header::UPGRADE, HeaderValue::from_static(protocol));
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
            asked.accept(&mut answer).then_some(answer)
        };
        let good = answer("WebSocket", asked.accept.clone()).expect("taken");
        assert_eq!(good.status(), StatusCode::OK);
        assert!(good.headers().is_empty());
        let other = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(answer("websocket", other).is_none());
        assert!(answer("SPDY/3.1", asked.accept.clone()).is_none());
    }
}
