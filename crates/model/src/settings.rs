//! What an operator sets for one cluster.

use std::time::Duration;

/// What the annotations of a Cluster say of the way to it. Where they say nothing, the server's
/// flags and defaults hold. docs/settings.md shows them to operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// For looking the member's name up, for TCP, and for a forward proxy's answer: each.
    pub connect_timeout: Option<Duration>,
    /// How many requests are brought to the member at a time.
    pub limits: LimitSettings,
    /// How long a connection may rest unused and still be used again.
    pub idle_timeout: Option<Duration>,
    /// Until the answer to a request that does not last begins.
    pub request_timeout: Option<Duration>,
    /// The lowest version of TLS that is spoken with the member.
    pub tls_min_version: TlsVersion,
    /// For a TLS handshake, and for HTTP/2's first words after it: each.
    pub tls_timeout: Option<Duration>,
    /// How long neither side of an upgraded connection may say anything; without it, for ever.
    pub upgrade_idle_timeout: Option<Duration>,
}

/// How many at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// Short requests that wait because as many as may are under way.
    pub queued_requests: Option<u32>,
    /// Short requests.
    pub requests: Option<u32>,
    /// Short requests of one user.
    pub requests_per_user: Option<u32>,
    /// Exec, attach, port-forward and the like.
    pub upgrades: Option<u32>,
    /// Watches, logs and whatever else lasts.
    pub watches: Option<u32>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2.
    Tls12,
    /// 1.3.
    #[default]
    Tls13,
}

/// An annotation of a Cluster has a value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {value:?}: want {want}")]
pub struct SettingError {
    /// The annotation, as a field path: `metadata.annotations[fleetgate.dev/connect-timeout]`.
    pub field: &'static str,
    /// What it says.
    pub value: String,
    /// What it may say.
    pub want: &'static str,
}
