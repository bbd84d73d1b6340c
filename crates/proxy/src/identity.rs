//! The headers that a member sees: the caller's name, our credential, nothing that is not its own.

use std::net::IpAddr;

use fleetgate_model::{AUTHENTICATED, Credentials, UNAUTHENTICATED, User};
use fleetgate_stack::list_elements;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, InvalidHeaderValue, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
    },
};

use crate::rescue_layer::ERROR_SOURCE;

const IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");
const IMPERSONATE_GROUP: HeaderName = HeaderName::from_static("impersonate-group");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Headers of one connection, not of the request (RFC 9110, section 7.6.1). `Trailer` is not one of
/// them: without it HTTP/1.1 sends no trailers on.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
];

/// The name of a user or group that no header can carry.
#[derive(Debug, thiserror::Error)]
#[error("the caller's name cannot be told to the member")]
pub(crate) struct UnfitName(#[source] Option<InvalidHeaderValue>);

/// Makes `headers` those that a member may see: who asks is `user`, the authority to say so is in
/// `credentials`. Nothing that the caller sent can name another identity.
///
/// # Errors
/// If a name is one that no header can carry; then the request must not be sent.
pub(crate) fn present(
    headers: &mut HeaderMap,
    user: &User,
    credentials: &Credentials,
) -> Result<(), UnfitName> {
    strip_identity(headers);
    headers.insert(AUTHORIZATION, credentials.authorization.clone());
    headers.insert(IMPERSONATE_USER, value(&user.name)?);
    // A member adds these two itself (Karmada: proxy.go); they cannot be impersonated everywhere.
    let implied = |group: &String| group == AUTHENTICATED || group == UNAUTHENTICATED;
    for group in user.groups.iter().filter(|g| !implied(g)) {
        headers.append(IMPERSONATE_GROUP, value(group)?);
    }
    Ok(())
}

/// Removes what belongs to one connection, with all that `Connection` names and that may be so.
/// `Upgrade` is kept for a request that asks for one.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap, upgrade: Option<HeaderValue>) {
    let trailers = takes_trailers(headers);
    if headers.contains_key(CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove(UPGRADE);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

/// Removes from `trailers` what only we tell a member, and what belongs to one connection.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    strip_identity(trailers);
    for name in [AUTHORIZATION, HOST, X_FORWARDED_FOR] {
        trailers.remove(name);
    }
    strip_framing(trailers);
}

/// Removes from `trailers` what only we tell a caller, and what belongs to one connection.
pub(crate) fn strip_members_trailers(trailers: &mut HeaderMap) {
    trailers.remove(ERROR_SOURCE);
    strip_framing(trailers);
}

fn strip_framing(trailers: &mut HeaderMap) {
    for name in [CONTENT_LENGTH, UPGRADE].into_iter().chain(HOP_BY_HOP) {
        trailers.remove(name);
    }
}

/// Appends the address that the request came from, as every proxy on the way does.
pub(crate) fn forwarded_for(headers: &mut HeaderMap, peer: IpAddr) {
    let peer = peer.to_canonical().to_string();
    let earlier = headers
        .get_all(&X_FORWARDED_FOR)
        .iter()
        .filter_map(|v| v.to_str().ok());
    let all = earlier
        .chain([peer.as_str()])
        .collect::<Vec<_>>()
        .join(", ");
    if let Ok(value) = HeaderValue::from_str(&all) {
        headers.insert(X_FORWARDED_FOR, value);
    }
}

/// Whether who sent these takes trailers in the answer (RFC 9110, section 10.1.4).
pub fn takes_trailers(headers: &HeaderMap) -> bool {
    list_elements(headers, TE).any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    list_elements(headers, CONNECTION)
        .filter_map(|name| HeaderName::try_from(name).ok())
        .filter(|name| !is_end_to_end(name))
        .collect()
}

/// What is meant for the other end, so that `Connection` must not name it (RFC 9110, section
/// 7.6.1), and would be missed there. Who is told whose request it is sets that after this.
fn is_end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    const NAMES: [&str; 17] = [
        "accept",
        "accept-encoding",
        "audit-id",
        "cache-control",
        "content-encoding",
        "content-length",
        "content-type",
        "etag",
        "host",
        "if-match",
        "if-none-match",
        "location",
        "retry-after",
        "traceparent",
        "user-agent",
        "vary",
        "warning",
    ];
    NAMES.contains(&name)
        || [
            "sec-websocket-",
            "x-forwarded-",
            "x-kubernetes-",
            "x-stream-",
        ]
        .iter()
        .any(|start| name.starts_with(start))
}

fn strip_identity(headers: &mut HeaderMap) {
    let claims = |name: &HeaderName| {
        let name = name.as_str();
        name.starts_with("impersonate-") || name.starts_with("x-remote-")
    };
    if headers.keys().any(claims) {
        let names: Vec<_> = headers.keys().filter(|n| claims(n)).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
}

/// A name as a header: its bytes as they are. An empty one would leave our own identity, and white
/// space around one is cut off by who reads it, which makes it another name.
fn value(name: &str) -> Result<HeaderValue, UnfitName> {
    let edge = |c: char| c == ' ' || c == '\t';
    if name.is_empty() || name.starts_with(edge) || name.ends_with(edge) {
        return Err(UnfitName(None));
    }
    HeaderValue::from_bytes(name.as_bytes()).map_err(|source| UnfitName(Some(source)))
}

#[cfg(test)]
mod tests;
