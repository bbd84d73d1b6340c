//! The first stage: a head that is within limits and that everyone on the way reads alike.

use fleetgate_stack::Body;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Version,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE},
    uri::Authority,
};

use crate::{Error, Stage, extended_connect};

/// Header fields of one request. Go counts bytes alone; a caller in hundreds of groups has hundreds.
pub const MAX_FIELDS: usize = 1024;
/// Bytes of the head of one request: as large as Go's default.
pub const MAX_HEAD: usize = 1 << 20;
/// What one field counts beside its name and value (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// What a caller is told of a head that is too large.
pub const HEAD_TOO_LARGE: &str = "the head of the request is too large";

/// Why the head of a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Whoever reads it next could read it in another way.
    #[error("{0}")]
    Ambiguous(&'static str),
    /// It has more fields than [`MAX_FIELDS`], or more bytes than [`MAX_HEAD`].
    #[error("the head is too large")]
    TooLarge,
}

/// Refuses heads that are too large, or that two servers could read in two ways; reads a WebSocket
/// of HTTP/2 (RFC 8441) as what it is with HTTP/1.1.
///
/// The head's bytes are counted for HTTP/2 alone: HTTP/1.1 is limited where it is parsed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoundHead;

// === impl SoundHead ===

impl Stage<Request<Body>> for SoundHead {
    type Out = Request<Body>;

    async fn pass(&self, mut request: Request<Body>) -> Result<Request<Body>, Error> {
        check(request.version(), request.headers()).map_err(Error::Head)?;
        if *request.method() == Method::CONNECT {
            extended_connect::translate(&mut request)?;
        }
        if request.version() == Version::HTTP_10 {
            // RFC 9110, section 7.8: to be ignored.
            request.headers_mut().remove(UPGRADE);
        }
        Ok(request)
    }
}

fn check(version: Version, headers: &HeaderMap) -> Result<(), HeadError> {
    if headers.len() > MAX_FIELDS || (version == Version::HTTP_2 && size(headers) > MAX_HEAD) {
        return Err(HeadError::TooLarge);
    }
    if repeats(headers, &HOST) {
        return Err(HeadError::Ambiguous("the request has more than one Host"));
    }
    if version == Version::HTTP_11 && !headers.contains_key(HOST) {
        return Err(HeadError::Ambiguous("the request has no Host"));
    }
    if headers.get(HOST).is_some_and(|host| !is_host(host)) {
        let other = "the request has a Host that is no name or address";
        return Err(HeadError::Ambiguous(other));
    }
    if repeats(headers, &CONTENT_LENGTH) {
        let twice = "the request has more than one Content-Length";
        return Err(HeadError::Ambiguous(twice));
    }
    let coding = headers.get(TRANSFER_ENCODING);
    let chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if coding.is_some_and(|coding| !chunked(coding)) || repeats(headers, &TRANSFER_ENCODING) {
        let other = "the request has a Transfer-Encoding other than chunked";
        return Err(HeadError::Ambiguous(other));
    }
    Ok(())
}

/// Whether `host` is empty or `name[:port]` (RFC 9112, section 3.2).
fn is_host(host: &HeaderValue) -> bool {
    let bytes = host.as_bytes();
    bytes.is_empty() || (!bytes.contains(&b'@') && Authority::try_from(bytes).is_ok())
}

fn repeats(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}

fn size(headers: &HeaderMap) -> usize {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + FIELD_OVERHEAD
    };
    headers.iter().map(field).sum()
}

#[cfg(test)]
mod tests {
    use fleetgate_stack::{Body, asks_for_upgrade};
    use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};

    use super::{HeadError, MAX_FIELDS, MAX_HEAD, SoundHead, check};
    use crate::Stage;

    #[track_caller]
    fn ambiguous(fields: &[(&'static str, &'static str)], want: bool) {
        ambiguous_in(Version::HTTP_2, fields, want);
    }

    #[track_caller]
    fn ambiguous_in(version: Version, fields: &[(&'static str, &'static str)], want: bool) {
        let field = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        let headers: HeaderMap = fields.iter().map(field).collect();
        let found = check(version, &headers);
        assert_eq!(matches!(found, Err(HeadError::Ambiguous(_))), want);
    }

    #[test]
    fn what_two_servers_could_read_in_two_ways_is_refused() {
        ambiguous(&[("host", "a"), ("host", "a")], true);
        ambiguous(&[("host", "a"), ("accept", "x"), ("accept", "y")], false);
        ambiguous(&[("content-length", "1"), ("content-length", "1")], true);
        ambiguous(&[("content-length", "1")], false);
        ambiguous(&[("transfer-encoding", "Chunked")], false);
        for coding in ["gzip, chunked", "chunked, chunked", "identity", "xchunked"] {
            ambiguous(&[("transfer-encoding", coding)], true);
        }
        let chunked = ("transfer-encoding", "chunked");
        ambiguous(&[chunked, chunked], true);
    }

    #[test]
    fn a_request_of_http1_says_which_host_it_is_for() {
        for (version, want) in [
            (Version::HTTP_10, false),
            (Version::HTTP_11, true),
            (Version::HTTP_2, false),
        ] {
            ambiguous_in(version, &[], want);
            ambiguous_in(version, &[("host", "")], false);
        }
        for host in ["h", "h:443", "10.0.0.1", "[::1]:443", "my_host.test"] {
            ambiguous_in(Version::HTTP_11, &[("host", host)], false);
        }
        for host in ["u@h", "h/x", "a b", "h?", "a,b\\c", "[::1"] {
            ambiguous_in(Version::HTTP_11, &[("host", host)], true);
        }
    }

    #[tokio::test]
    async fn http10_asks_for_no_other_protocol() {
        for (version, asks) in [(Version::HTTP_10, false), (Version::HTTP_11, true)] {
            let request = Request::builder().version(version).header("host", "h");
            let request = request.header("connection", "upgrade");
            let request = request.header("upgrade", "SPDY/3.1").body(Body::empty());
            let passed = SoundHead.pass(request.expect("a request")).await;
            let passed = passed.expect("a sound head");
            assert_eq!(asks_for_upgrade(passed.headers()), asks);
        }
    }

    #[test]
    fn a_head_is_limited_in_fields_and_bytes() {
        let fields = |count: usize| -> HeaderMap {
            let field = |n| {
                let name = HeaderName::try_from(format!("x-{n}")).expect("a name");
                (name, HeaderValue::from_static("1"))
            };
            let host = HeaderName::from_static("host");
            let host = (host, HeaderValue::from_static("h"));
            (1..count).map(field).chain([host]).collect()
        };
        let head = |version, headers| check(version, &headers);
        let versions = [Version::HTTP_11, Version::HTTP_2];
        for version in versions {
            assert_eq!(head(version, fields(MAX_FIELDS)), Ok(()));
            let more = head(version, fields(MAX_FIELDS + 1));
            assert_eq!(more, Err(HeadError::TooLarge));
        }
        let long = |length: usize| -> HeaderMap {
            let value = HeaderValue::try_from("x".repeat(length)).expect("a value");
            HeaderMap::from_iter([(HeaderName::from_static("x-a"), value)])
        };
        assert_eq!(head(Version::HTTP_2, long(MAX_HEAD - 35)), Ok(()));
        let more = head(Version::HTTP_2, long(MAX_HEAD - 34));
        assert_eq!(more, Err(HeadError::TooLarge));
    }
}
