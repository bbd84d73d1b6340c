//! The handshake of WebSockets (RFC 6455).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header::UPGRADE};

use crate::asks_for_upgrade;

/// What a server appends to the key of a client (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether a request of HTTP/1.1 with `headers` asks for a WebSocket and nothing else.
///
/// `Upgrade` may be a list, from which a server takes what it speaks. Kubernetes takes its first
/// line as a whole, where it reads a token from the subprotocols as where it begins a watch, so a
/// list is no WebSocket here either: nobody is taken for the owner of a token who is not there.
pub fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let wants = headers.get(UPGRADE).map(HeaderValue::as_bytes);
    wants.is_some_and(|wants| wants.eq_ignore_ascii_case(b"websocket")) && asks_for_upgrade(headers)
}

/// `Sec-WebSocket-Accept` for `key`, the client's `Sec-WebSocket-Key`.
pub fn websocket_accept(key: &[u8]) -> HeaderValue {
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    HeaderValue::try_from(BASE64_STANDARD.encode(sum)).expect("base64 is ASCII")
}

#[cfg(test)]
mod tests {
    use http::{
        HeaderMap, HeaderValue,
        header::{CONNECTION, UPGRADE},
    };

    use super::{asks_for_websocket, websocket_accept};

    #[track_caller]
    fn check(upgrade: &[&'static str], connection: &'static str, want: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static(connection));
        for line in upgrade {
            headers.append(UPGRADE, HeaderValue::from_static(line));
        }
        let got = asks_for_websocket(&headers);
        assert_eq!(got, want, "{upgrade:?}, {connection}");
    }

    #[test]
    fn a_websocket_is_asked_for_alone() {
        check(&["websocket"], "Upgrade", true);
        check(&["WebSocket"], "keep-alive, upgrade", true);
        check(&["websocket", "SPDY/3.1"], "upgrade", true);
        check(&["websocket", "h2c"], "upgrade", false);
        check(&["websocket, h2c"], "upgrade", false);
        check(&["h2c", "websocket"], "upgrade", false);
        check(&["websocket/13"], "upgrade", false);
        check(&["websocket"], "keep-alive", false);
        check(&[], "upgrade", false);
    }

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        // The example of RFC 6455, section 1.3.
        let accept = websocket_accept(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
