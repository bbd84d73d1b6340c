//! The lowest TLS version that is spoken.

use std::str::FromStr;

use rustls::{SupportedProtocolVersion, version};

static TLS12_UP: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
static TLS13_UP: [&SupportedProtocolVersion; 1] = [&version::TLS13];

/// The lowest TLS version that a server or client speaks; 1.3 is always on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MinVersion {
    /// TLS 1.2 and 1.3.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

/// A value of `--tls-min-version` that names no TLS version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown tls version {0:?}")]
pub struct UnknownVersion(pub String);

// === impl MinVersion ===

impl MinVersion {
    pub(crate) fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => &TLS12_UP,
            Self::Tls13 => &TLS13_UP,
        }
    }
}

/// Reads Kubernetes' names. `VersionTLS10` and `VersionTLS11` are taken and mean 1.2: the versions
/// below it are broken and not spoken here. The empty string is Go's default, 1.2.
impl FromStr for MinVersion {
    type Err = UnknownVersion;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "" | "VersionTLS10" | "VersionTLS11" | "VersionTLS12" => Ok(Self::Tls12),
            "VersionTLS13" => Ok(Self::Tls13),
            _ => Err(UnknownVersion(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MinVersion, UnknownVersion};

    #[track_caller]
    fn check(name: &str, want: Option<MinVersion>) {
        let want = want.ok_or_else(|| UnknownVersion(name.to_owned()));
        assert_eq!(name.parse::<MinVersion>(), want);
    }

    #[test]
    fn versions_have_the_names_of_kubernetes() {
        check("", Some(MinVersion::Tls12));
        check("VersionTLS10", Some(MinVersion::Tls12));
        check("VersionTLS12", Some(MinVersion::Tls12));
        check("VersionTLS13", Some(MinVersion::Tls13));
        check("VersionTLS14", None);
        check("versiontls13", None);
    }
}
