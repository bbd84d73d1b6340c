//! HTTP CONNECT (RFC 9110, section 9.3.6).

use fleetgate_stack::Body;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, header::HOST};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;

use super::TunnelError;
use crate::io::BoxedIo;

/// Asks for a tunnel by `request`.
pub(super) async fn open(stream: BoxedIo, request: Request<Body>) -> Result<BoxedIo, TunnelError> {
    let handshake = handshake::<_, Body>(TokioIo::new(stream)).await;
    let (mut sender, driver) = handshake.map_err(TunnelError::Http)?;
    let driver = driver.with_upgrades().boxed();
    let ask = async move {
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(TunnelError::Http)?;
        if !answer.status().is_success() {
            return Err(TunnelError::Answer(answer.status()));
        }
        let upgraded = hyper::upgrade::on(answer).await;
        upgraded.map_err(TunnelError::Http)
    };
    // The driver ends when the tunnel stands, or when `ask` has let go of the connection. What
    // goes wrong in it, `ask` is told.
    let (asked, _) = futures::join!(ask, driver);
    Ok(Box::new(TokioIo::new(asked?)))
}

/// The request for a tunnel to `member`, a host and port.
pub(super) fn request(member: &str, headers: HeaderMap) -> Result<Request<Body>, TunnelError> {
    let unfit = |_| TunnelError::Request("the member's address");
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = member.parse().map_err(unfit)?;
    *request.headers_mut() = headers;
    let host = HeaderValue::from_str(member);
    let host = host.map_err(|_| TunnelError::Request("the member's address"))?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}
