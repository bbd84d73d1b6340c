//! A byte stream to a member inside a connection to its forward proxy.

mod http_connect;
mod socks5;

use std::io;

use http::StatusCode;

use crate::{endpoint::Endpoint, forward_proxy::Protocol, io::BoxedIo};

/// The forward proxy did not make a tunnel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TunnelError {
    /// It answered CONNECT with this.
    #[error("the forward proxy answered CONNECT with {0}")]
    Answer(StatusCode),
    /// HTTP with the proxy failed.
    #[error("cannot ask the forward proxy for a tunnel")]
    Http(#[source] hyper::Error),
    /// Reading or writing failed.
    #[error("cannot speak with the forward proxy")]
    Io(#[source] io::Error),
    /// It takes neither this user and password nor nobody.
    #[error("the forward proxy refuses the login")]
    Login,
    /// The request to it cannot be formed: a part is too long.
    #[error("cannot tell the forward proxy {0}")]
    Request(&'static str),
    /// SOCKS 5 failed with this reply (RFC 1928, section 6).
    #[error("the forward proxy answered with SOCKS reply {0}")]
    Reply(u8),
    /// Not SOCKS 5.
    #[error("the forward proxy does not speak SOCKS 5")]
    Version,
}

/// Asks the proxy at the other end of `stream` for a tunnel to the member at `endpoint`.
///
/// # Errors
/// [`TunnelError`].
pub(crate) async fn open(
    stream: BoxedIo,
    protocol: Protocol,
    endpoint: Endpoint,
) -> Result<BoxedIo, TunnelError> {
    match protocol {
        Protocol::HttpConnect { headers } => {
            let request = http_connect::request(&endpoint.host_and_port(), headers)?;
            http_connect::open(stream, request).await
        }
        Protocol::Socks5 { login } => {
            let request = socks5::request(&endpoint)?;
            socks5::open(stream, request, login).await
        }
    }
}

// === impl TunnelError ===

impl TunnelError {
    /// What a caller may be told.
    pub(crate) fn detail(&self) -> Option<&'static str> {
        const LOGIN: &str = "the forward proxy refused the login";
        const REFUSED: &str = "the forward proxy refused the tunnel";
        const UNREACHED: &str = "the forward proxy cannot reach the member";
        match self {
            Self::Answer(StatusCode::PROXY_AUTHENTICATION_REQUIRED) | Self::Login => Some(LOGIN),
            Self::Answer(code) if code.is_server_error() => Some(UNREACHED),
            Self::Answer(_) => Some(REFUSED),
            Self::Http(_) | Self::Io(_) => None,
            // Network, host and port unreachable, and expired on the way.
            Self::Reply(3..=6) => Some(UNREACHED),
            Self::Reply(_) => Some(REFUSED),
            Self::Request(_) => Some("spec.proxyURL or spec.apiEndpoint is too long"),
            Self::Version => Some("the forward proxy does not speak SOCKS 5"),
        }
    }
}
