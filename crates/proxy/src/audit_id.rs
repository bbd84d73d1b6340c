//! The id that one request has in every log: the caller's own, or a new one.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// Kubernetes' header, `Audit-ID`.
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// The id in `headers`, as it was sent. A request without one is given one, so that whoever the
/// request is passed on to knows it by the same.
pub(crate) fn ensure(headers: &mut HeaderMap) -> HeaderValue {
    if let Some(id) = headers.get(AUDIT_ID).filter(|id| !id.is_empty()) {
        return id.clone();
    }
    let text = Uuid::new_v4().hyphenated().to_string();
    let id = HeaderValue::try_from(text).expect("a UUID is ASCII");
    headers.insert(AUDIT_ID, id.clone());
    id
}

/// The id that [`ensure`] left in `headers`.
pub(crate) fn of(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(AUDIT_ID)
}

/// Tells the caller `id`, unless the answer has one already: a member's own.
pub(crate) fn echo(headers: &mut HeaderMap, id: HeaderValue) {
    headers.entry(AUDIT_ID).or_insert(id);
}
