//! Whether a caller has a document already.

use fleetgate_stack::list_elements;
use http::{HeaderMap, HeaderValue, header::IF_NONE_MATCH};

/// Whether `headers` say that the caller has what bears the entity tag `tag`. Weak tags count.
pub(super) fn has_tag(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    list_elements(headers, IF_NONE_MATCH).any(|known| {
        known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes()
    })
}
