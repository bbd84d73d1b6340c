//! Requests for another protocol on their connection (RFC 9110, section 7.8).

use http::{
    HeaderMap,
    header::{CONNECTION, UPGRADE},
};

use crate::list_elements;

/// Whether a request of HTTP/1.1 with `headers` asks for one: there is an `Upgrade`, and
/// `Connection` names it. HTTP/2 is none: what follows would be requests that nobody looks at, and
/// RFC 9113, section 3.1, has withdrawn it.
pub fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    let is_http2 = |protocol: &str| protocol.eq_ignore_ascii_case("h2c");
    headers.contains_key(UPGRADE)
        && !list_elements(headers, UPGRADE).any(is_http2)
        && list_elements(headers, CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade"))
}

#[cfg(test)]
mod tests {
    use http::{
        HeaderMap, HeaderValue,
        header::{CONNECTION, UPGRADE},
    };

    use super::asks_for_upgrade;

    #[track_caller]
    fn check(connection: &'static str, upgrade: &'static str, want: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static(connection));
        headers.insert(UPGRADE, HeaderValue::from_static(upgrade));
        assert_eq!(asks_for_upgrade(&headers), want, "{connection} {upgrade}");
    }

    #[test]
    fn any_protocol_but_http2_can_be_asked_for() {
        check("Upgrade", "SPDY/3.1", true);
        check("keep-alive, upgrade", "websocket", true);
        check("close", "websocket", false);
        check("Upgrade, HTTP2-Settings", "h2c", false);
        check("Upgrade", "websocket, H2C", false);
    }
}
