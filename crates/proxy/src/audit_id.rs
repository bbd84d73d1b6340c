//! The id that one request has in every log: the caller's own, or a new one.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// Kubernetes' header, `Audit-ID`.
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// The id in `headers`, as it was sent. A request without one is given one, so that whoever the
/// request is passed on to knows it by the same; unless there is no room for one field more, in
/// which case the request is refused anyway.
pub(crate) fn ensure(headers: &mut HeaderMap) -> HeaderValue {
    if let Some(id) = headers.get(AUDIT_ID).filter(|id| !id.is_empty()) {
        return id.clone();
    }
    let text = Uuid::new_v4().hyphenated().to_string();
    let id = HeaderValue::try_from(text).expect("a UUID is ASCII");
    headers.try_insert(AUDIT_ID, id.clone()).unwrap_or_default();
    id
}

/// The id that [`ensure`] left in `headers`.
pub(crate) fn of(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(AUDIT_ID)
}

/// Tells the caller `id`, unless the answer has one already: a member's own.
pub(crate) fn echo(headers: &mut HeaderMap, id: HeaderValue) {
    if let Ok(entry) = headers.try_entry(AUDIT_ID) {
        entry.or_insert(id);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{echo, ensure};

    /// As many fields as there can be at all.
    fn full() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for n in 0.. {
            let name = HeaderName::try_from(format!("x-{n}")).expect("a name");
            if headers
                .try_insert(name, HeaderValue::from_static(""))
                .is_err()
            {
                break;
            }
        }
        headers
    }

    #[test]
    fn heads_that_are_full_stay_as_they_are() {
        let mut headers = full();
        let count = headers.len();
        let id = ensure(&mut headers);
        assert!(!id.is_empty());
        echo(&mut headers, id);
        assert_eq!(headers.len(), count);
    }
}
