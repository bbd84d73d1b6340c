//! The user that a front proxy names in headers, believed only with the proxy's own certificate.

use std::sync::Arc;

use fleetgate_model::{PeerCertificates, User};
use fleetgate_tls::client_ca::ClientCa;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, InvalidHeaderName as BadName},
};
use percent_encoding::percent_decode_str;

use crate::{authenticator::BadCredential, client_certificate};

/// The headers in which a front proxy tells who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderNames {
    /// The first that is there and not empty is the name.
    user: Vec<HeaderName>,
    /// The first that is there and not empty is the uid.
    uid: Vec<HeaderName>,
    /// Each value of each is a group.
    group: Vec<HeaderName>,
    /// What follows the prefix, in lower case, is the key of an extra.
    extra_prefixes: Vec<String>,
}

/// A name that no header can have.
#[derive(Debug, thiserror::Error)]
#[error("{name:?} is not the name of a header")]
pub struct InvalidHeaderName {
    /// The name.
    pub name: String,
    #[source]
    source: BadName,
}

/// A front proxy: the CA that vouches for it, the names it may have, and the headers it sets.
#[derive(Debug)]
pub(crate) struct FrontProxy {
    pub(crate) ca: Arc<ClientCa>,
    /// Common names; none means any.
    pub(crate) allowed_names: Vec<String>,
    pub(crate) headers: HeaderNames,
}

/// Removes every header by which a front proxy, ours or anybody's, tells who is calling.
pub(crate) fn strip(headers: &mut HeaderMap, configured: Option<&HeaderNames>) {
    let claims = |name: &HeaderName| {
        name == AUTHORIZATION
            || name.as_str().starts_with("x-remote-")
            || configured.is_some_and(|names| names.contain(name))
    };
    let found: Vec<HeaderName> = headers
        .keys()
        .filter(|name| claims(name))
        .cloned()
        .collect();
    for name in found {
        headers.remove(name);
    }
}

// === impl HeaderNames ===

impl HeaderNames {
    /// Reads the four lists of names, as the flags `--requestheader-*-headers` and
    /// `--requestheader-extra-headers-prefix` give them, in this order.
    ///
    /// # Errors
    /// [`InvalidHeaderName`] with the first that is not one.
    pub fn parse(
        user: &[String],
        uid: &[String],
        group: &[String],
        extra_prefixes: &[String],
    ) -> Result<Self, InvalidHeaderName> {
        let prefixes = names(extra_prefixes)?;
        Ok(Self {
            user: names(user)?,
            uid: names(uid)?,
            group: names(group)?,
            extra_prefixes: prefixes
                .iter()
                .map(|name| name.as_str().to_owned())
                .collect(),
        })
    }

    fn contain(&self, name: &HeaderName) -> bool {
        [&self.user, &self.uid, &self.group]
            .iter()
            .any(|names| names.contains(name))
            || self
                .extra_prefixes
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix))
    }

    fn user_in(&self, headers: &HeaderMap) -> Result<Option<User>, BadCredential> {
        let name = first(headers, &self.user)?;
        if name.is_empty() {
            return Ok(None);
        }
        let values = self.group.iter().flat_map(|header| headers.get_all(header));
        // As Kubernetes does: an empty name is none.
        let values = values.filter(|value| !value.is_empty());
        Ok(Some(User {
            name,
            uid: first(headers, &self.uid)?,
            groups: values.map(text).collect::<Result<_, _>>()?,
            extra: self.extra_in(headers)?,
        }))
    }

    fn extra_in(&self, headers: &HeaderMap) -> Result<Vec<(String, Vec<String>)>, BadCredential> {
        let mut extra = std::collections::BTreeMap::<String, Vec<String>>::new();
        for (name, value) in headers {
            for prefix in &self.extra_prefixes {
                if let Some(key) = name.as_str().strip_prefix(prefix) {
                    extra.entry(unescape(key)).or_default().push(text(value)?);
                }
            }
        }
        Ok(extra.into_iter().collect())
    }
}

fn names(texts: &[String]) -> Result<Vec<HeaderName>, InvalidHeaderName> {
    let name = |text: &String| {
        text.trim()
            .parse::<HeaderName>()
            .map_err(|source| InvalidHeaderName {
                name: text.clone(),
                source,
            })
    };
    texts.iter().map(name).collect()
}

fn first(headers: &HeaderMap, names: &[HeaderName]) -> Result<String, BadCredential> {
    let mut values = names.iter().filter_map(|name| headers.get(name));
    values
        .find(|value| !value.is_empty())
        .map_or_else(|| Ok(String::new()), text)
}

/// The value as text. Names may hold any UTF-8, so this is not `to_str`.
fn text(value: &HeaderValue) -> Result<String, BadCredential> {
    String::from_utf8(value.as_bytes().to_vec()).map_err(|_| BadCredential)
}

/// A key with its percent escapes undone, or as it is if one of them is broken, as Go does.
fn unescape(key: &str) -> String {
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = key.as_bytes();
    let whole = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .all(|(at, _)| hex(bytes.get(at + 1)) && hex(bytes.get(at + 2)));
    match percent_decode_str(key).decode_utf8() {
        Ok(decoded) if whole => decoded.into_owned(),
        Ok(_) | Err(_) => key.to_owned(),
    }
}

// === impl FrontProxy ===

impl FrontProxy {
    /// The user that `headers` name, if `peer` is this front proxy. A front proxy that names nobody
    /// is a caller like any other.
    pub(crate) fn identify(
        &self,
        peer: &PeerCertificates,
        headers: &HeaderMap,
    ) -> Result<Option<User>, BadCredential> {
        let Some(identity) = client_certificate::verify(&self.ca, peer)? else {
            return Ok(None);
        };
        if !self.allowed_names.is_empty() && !self.allowed_names.contains(&identity.common_name) {
            return Err(BadCredential);
        }
        self.headers.user_in(headers)
    }
}

#[cfg(test)]
mod tests;
