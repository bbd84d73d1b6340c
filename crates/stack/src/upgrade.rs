//! Requests for another protocol on their connection (RFC 9110, section 7.8).

use http::{
    HeaderMap,
    header::{CONNECTION, UPGRADE},
};

use crate::list_elements;

/// Whether a request of HTTP/1.1 with `headers` asks for one: there is an `Upgrade`, and
/// `Connection` names it.
pub fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
        && list_elements(headers, CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade"))
}
