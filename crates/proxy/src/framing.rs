//! How a member's answer is framed: by who sends it on, not as it came.

use http::{HeaderValue, Response, StatusCode, Version, header::CONTENT_LENGTH};

/// Makes `response` one of our own version (RFC 9110, section 2.5), whose length is told once.
///
/// An answer of HTTP/1.0 that was sent on as such would end with the connection, and a cut one
/// look whole. A length that is told twice is as good as told once (RFC 9110, section 8.6), but
/// callers of HTTP/2 take it for a fault. Lengths that differ come here only where there is no
/// body, and are left out; who parses them refuses any others. 204 has no length (the same).
pub(crate) fn reframe<B>(response: &mut Response<B>) {
    *response.version_mut() = Version::HTTP_11;
    let has_no_length = response.status() == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if has_no_length {
        headers.remove(CONTENT_LENGTH);
    }
    let values = headers.get_all(CONTENT_LENGTH).iter();
    let elements = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let mut elements = elements.map(<[u8]>::trim_ascii);
    let Some(first) = elements.next() else {
        return;
    };
    let (mut is_told_twice, mut differ) = (false, false);
    for other in elements {
        (is_told_twice, differ) = (true, differ || other != first);
    }
    if differ {
        headers.remove(CONTENT_LENGTH);
    } else if is_told_twice && let Ok(one) = HeaderValue::from_bytes(first) {
        headers.insert(CONTENT_LENGTH, one);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Response, StatusCode, Version, header::CONTENT_LENGTH};

    use super::reframe;

    fn lengths(status: StatusCode, told: &[&'static str]) -> Vec<HeaderValue> {
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.version_mut() = Version::HTTP_10;
        for length in told {
            let length = HeaderValue::from_static(length);
            response.headers_mut().append(CONTENT_LENGTH, length);
        }
        reframe(&mut response);
        assert_eq!(response.version(), Version::HTTP_11);
        let lengths = response.headers().get_all(CONTENT_LENGTH);
        lengths.iter().cloned().collect()
    }

    #[test]
    fn a_length_is_told_once_if_at_all() {
        for status in [StatusCode::OK, StatusCode::NOT_MODIFIED] {
            assert!(lengths(status, &[]).is_empty());
            for told in [&["2"][..], &["2", "2"], &["2, 2"], &["2 ,2", "2"]] {
                assert_eq!(lengths(status, told), ["2"], "{told:?}");
            }
            for told in [&["2, 3"][..], &["2", "3"]] {
                assert!(lengths(status, told).is_empty(), "{told:?}");
            }
        }
        assert!(lengths(StatusCode::NO_CONTENT, &["7"]).is_empty());
    }
}
