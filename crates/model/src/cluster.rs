//! A registered cluster, as the proxy needs to know it.

use std::{fmt, sync::Arc};

use crate::{Redacted, SettingError, Settings};

/// The name of a cluster: 1 to 48 characters, a DNS label (RFC 1123).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterName(Arc<str>);

/// A string is not the name of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cluster name: want 1 to 48 characters of a-z, 0-9 and '-', not '-' at either end")]
pub struct InvalidClusterName;

/// A reference to a secret at the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretRef {
    /// Namespace of the secret.
    pub namespace: String,
    /// Name of the secret.
    pub name: String,
}

/// The way to a member that can only be reached through a forward proxy (`spec.proxyURL`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardProxy {
    /// `http`, `https` or `socks5` URL, perhaps with user and password, hence not printed.
    pub url: Redacted<String>,
    /// Headers for the CONNECT request, in order; a key may repeat (`spec.proxyHeader`).
    pub headers: Vec<(String, Redacted<String>)>,
}

/// What the proxy needs of a Cluster object. Two equal values lead to the same connections, so a
/// change of status or labels is no new `Member`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `metadata.name`.
    pub name: ClusterName,
    /// `metadata.uid`: a cluster that was deleted and created again is another one.
    pub uid: String,
    /// `spec.apiEndpoint`, a URL with scheme and host and perhaps a path; empty where not set.
    pub endpoint: String,
    /// `spec.secretRef`: the CA bundle of the member.
    pub secret: Option<SecretRef>,
    /// `spec.impersonatorSecretRef`: the token that may impersonate at the member.
    pub impersonator_secret: Option<SecretRef>,
    /// `spec.insecureSkipTLSVerification`.
    pub insecure_skip_tls_verification: bool,
    /// `spec.proxyURL` and `spec.proxyHeader`.
    pub forward_proxy: Option<ForwardProxy>,
    /// What annotations say; where they cannot be used, each request is answered with that.
    pub settings: Result<Settings, SettingError>,
}

// === impl Member ===

impl Member {
    /// A cluster at `endpoint` that needs nothing special.
    pub fn new(name: ClusterName, endpoint: impl Into<String>) -> Self {
        Self {
            name,
            uid: String::new(),
            endpoint: endpoint.into(),
            secret: None,
            impersonator_secret: None,
            insecure_skip_tls_verification: false,
            forward_proxy: None,
            settings: Ok(Settings::default()),
        }
    }
}

// === impl ClusterName ===

impl ClusterName {
    /// Longest name, in bytes (Karmada's `validation.go`).
    pub const MAX_LEN: usize = 48;

    /// Parses `name`.
    ///
    /// # Errors
    /// [`InvalidClusterName`] if it is not a DNS label of at most [`Self::MAX_LEN`] bytes.
    pub fn parse(name: &str) -> Result<Self, InvalidClusterName> {
        let label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=Self::MAX_LEN).contains(&name.len());
        if fits && name.bytes().all(label) && !name.starts_with('-') && !name.ends_with('-') {
            Ok(Self(Arc::from(name)))
        } else {
            Err(InvalidClusterName)
        }
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ClusterName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ClusterName;

    #[track_caller]
    fn check(name: &str, valid: bool) {
        assert_eq!(ClusterName::parse(name).is_ok(), valid, "{name}");
    }

    #[test]
    fn a_cluster_name_is_a_short_dns_label() {
        check("member1", true);
        check("1", true);
        check(&"a".repeat(48), true);
        check(&"a".repeat(49), false);
        check("", false);
        check("-a", false);
        check("a-", false);
        check("A", false);
        check("a.b", false);
        check("a/b", false);
        check("..", false);
        check("*", false);
    }
}
