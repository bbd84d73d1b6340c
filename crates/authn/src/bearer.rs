//! Bearer tokens, in the header and in WebSocket subprotocols.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use fleetgate_model::BearerToken;
use fleetgate_stack::asks_for_websocket;
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL},
};

use crate::authenticator::BadCredential;

/// A browser cannot set headers on a WebSocket, so Kubernetes lets it offer a subprotocol of this
/// prefix and the token in unpadded base64url.
const SUBPROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

/// The tokens that a request carried.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) header: Option<BearerToken>,
    pub(crate) subprotocol: Result<Option<BearerToken>, BadCredential>,
}

/// Reads the tokens in `headers` and removes them.
pub(crate) fn take(headers: &mut HeaderMap) -> Taken {
    let header = headers.get(AUTHORIZATION).and_then(token_in_header);
    headers.remove(AUTHORIZATION);
    let subprotocol = match headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        true => take_subprotocol(headers),
        false => Ok(None),
    };
    Taken {
        header,
        subprotocol,
    }
}

/// The token of `Bearer TOKEN`. Other schemes are not ours, and an empty token is none.
fn token_in_header(value: &HeaderValue) -> Option<BearerToken> {
    let mut words = value.to_str().ok()?.trim().split(' ');
    let scheme = words.next()?;
    let token = words.next().filter(|token| !token.is_empty())?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| BearerToken::new(token.to_owned()))
}

fn take_subprotocol(headers: &mut HeaderMap) -> Result<Option<BearerToken>, BadCredential> {
    let mut encoded = Vec::new();
    let mut others = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let Ok(value) = value.to_str() else {
            return Ok(None);
        };
        for protocol in value.split(',').map(str::trim) {
            match protocol.strip_prefix(SUBPROTOCOL) {
                Some(token) => encoded.push(token.to_owned()),
                None => others.push(protocol),
            }
        }
    }
    if encoded.is_empty() {
        return Ok(None);
    }
    let left = HeaderValue::from_str(&others.join(",")).map_err(|_| BadCredential);
    let nothing_left = others.is_empty();
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if !nothing_left {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, left?);
    }
    if !asks_for_websocket(headers) {
        return Ok(None);
    }
    // The server must have a protocol to answer with, and that cannot be the token.
    match encoded.as_slice() {
        [token] if !nothing_left => decode(token),
        _ => Err(BadCredential),
    }
}

fn decode(encoded: &str) -> Result<Option<BearerToken>, BadCredential> {
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| BadCredential)?;
    let token = String::from_utf8(bytes).map_err(|_| BadCredential)?;
    Ok((!token.is_empty()).then(|| BearerToken::new(token)))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{BadCredential, take};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            let value = HeaderValue::from_str(value).expect("a value");
            (HeaderName::from_static(name), value)
        };
        pairs.iter().map(pair).collect()
    }

    #[track_caller]
    fn check(value: &str, want: Option<&str>) {
        let mut headers = headers(&[("authorization", value)]);
        let got = take(&mut headers).header;
        assert_eq!(
            got.as_ref().map(|token| token.expose().as_str()),
            want,
            "{value}"
        );
        assert!(headers.is_empty(), "removed, whatever it was");
    }

    #[test]
    fn a_bearer_token_is_taken_from_its_header() {
        check("Bearer abc", Some("abc"));
        check("bearer abc", Some("abc"));
        check("BEARER abc def", Some("abc"));
        check("Bearer", None);
        check("Bearer ", None);
        check("Bearer  abc", None);
        check("Basic abc", None);
        check("abc", None);
    }

    #[track_caller]
    fn check_websocket(protocols: &str, want: Result<Option<&str>, BadCredential>, left: &str) {
        let mut headers = headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-protocol", protocols),
        ]);
        let got = take(&mut headers).subprotocol;
        let got = got
            .as_ref()
            .map(|token| token.as_ref().map(|t| t.expose().as_str()));
        assert_eq!(got, want.as_ref().map(|want| *want), "{protocols}");
        let kept = headers.get("sec-websocket-protocol");
        assert_eq!(
            kept.map_or("", |kept| kept.to_str().expect("text")),
            left,
            "{protocols}"
        );
    }

    #[test]
    fn a_token_among_subprotocols_is_taken_and_the_others_stay() {
        let token = "base64url.bearer.authorization.k8s.io.YWJj";
        check_websocket("v4.channel.k8s.io", Ok(None), "v4.channel.k8s.io");
        check_websocket(&format!("a, {token}, b"), Ok(Some("abc")), "a,b");
        check_websocket(token, Err(BadCredential), "");
        check_websocket(&format!("{token}, {token}, a"), Err(BadCredential), "a");
        check_websocket(
            "base64url.bearer.authorization.k8s.io.*, a",
            Err(BadCredential),
            "a",
        );
        check_websocket(
            "base64url.bearer.authorization.k8s.io._w, a",
            Err(BadCredential),
            "a",
        );
        check_websocket("base64url.bearer.authorization.k8s.io., a", Ok(None), "a");
    }

    #[test]
    fn a_token_subprotocol_of_no_websocket_is_removed_and_not_used() {
        let token = "a, base64url.bearer.authorization.k8s.io.YWJj";
        let mut headers = headers(&[("sec-websocket-protocol", token)]);
        assert_eq!(take(&mut headers).subprotocol, Ok(None));
        assert_eq!(headers["sec-websocket-protocol"], "a");
    }
}
