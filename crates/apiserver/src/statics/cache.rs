//! Whether a caller has a document already.

use http::{HeaderMap, HeaderValue, header::IF_NONE_MATCH};

/// Whether `headers` say that the caller has what bears the entity tag `tag`. Weak tags count.
pub(super) fn has_tag(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH);
    let mut known = lists
        .iter()
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(',').map(str::trim));
    known.any(|known| {
        known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes()
    })
}
