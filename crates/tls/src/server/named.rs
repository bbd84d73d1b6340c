//! A further certificate for certain host names (`--tls-sni-cert-key`).

use std::{net::IpAddr, path::PathBuf, str::FromStr};

use rustls::pki_types::CertificateDer;
use x509_parser::{extensions::GeneralName, prelude::FromDer, prelude::X509Certificate};

use super::CertificateSource;

/// A certificate with the names that select it.
#[derive(Clone, Debug)]
pub struct NamedCertificate {
    /// Where the certificate comes from.
    pub source: CertificateSource,
    /// Host names, or patterns of the form `*.example.com` that stand for one label. Empty: the
    /// names in the certificate. Callers do not send addresses as names, so a pattern that is an
    /// IP address never matches.
    pub names: Vec<String>,
}

/// A value of `--tls-sni-cert-key` that is not `CERT,KEY` or `CERT,KEY:NAME,NAME…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamedCertificateError {
    /// A colon without names.
    #[error("empty names list is not allowed")]
    NoNames,
    /// Not two paths.
    #[error("expected comma separated certificate and key file paths")]
    NotTwoPaths,
}

/// The host names for which a certificate stands by itself: its DNS names, and its common name if
/// that could be one.
pub(super) fn names_in(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let mut names: Vec<String> = parsed
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok())
        .filter(|name| is_host_pattern(name))
        .map(str::to_lowercase)
        .collect();
    let alternative = parsed.subject_alternative_name().ok().flatten();
    for name in alternative
        .iter()
        .flat_map(|extension| &extension.value.general_names)
    {
        if let GeneralName::DNSName(name) = name {
            names.push(name.to_lowercase());
        }
    }
    names
}

fn is_host_pattern(name: &str) -> bool {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    name == "*" || (host.parse::<IpAddr>().is_err() && host.split('.').all(label))
}

// === impl NamedCertificate ===

impl FromStr for NamedCertificate {
    type Err = NamedCertificateError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let (paths, names) = match value.split_once(':') {
            Some((paths, names)) => (paths, Some(names.trim())),
            None => (value, None),
        };
        if names == Some("") {
            return Err(NamedCertificateError::NoNames);
        }
        let mut parts = paths.split(',').map(|path| PathBuf::from(path.trim()));
        let (Some(certificate), Some(key), None) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(NamedCertificateError::NotTwoPaths);
        };
        let names = names.into_iter().flat_map(|names| names.split(','));
        Ok(Self {
            source: CertificateSource::Files { certificate, key },
            names: names.map(|name| name.trim().to_lowercase()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{CertificateSource, NamedCertificate, NamedCertificateError, is_host_pattern};

    #[track_caller]
    fn check(value: &str, want: Result<(&str, &str, &[&str]), NamedCertificateError>) {
        let got = value
            .parse::<NamedCertificate>()
            .map(|named| match named.source {
                CertificateSource::Files { certificate, key } => (
                    certificate.to_str().expect("UTF-8").to_owned(),
                    key.to_str().expect("UTF-8").to_owned(),
                    named.names,
                ),
                CertificateSource::Memory(_) => panic!("a flag names files"),
            });
        let want = want.map(|(certificate, key, names)| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            (certificate.to_owned(), key.to_owned(), names)
        });
        assert_eq!(got, want, "{value}");
    }

    #[test]
    fn the_flag_is_two_paths_and_names() {
        check("a.crt,a.key", Ok(("a.crt", "a.key", &[])));
        check(
            "a.crt, a.key : *.foo.bar, Foo",
            Ok(("a.crt", "a.key", &["*.foo.bar", "foo"])),
        );
        check("a.crt,a.key:", Err(NamedCertificateError::NoNames));
        check("a.crt", Err(NamedCertificateError::NotTwoPaths));
        check("a,b,c:foo", Err(NamedCertificateError::NotTwoPaths));
    }

    #[test]
    fn a_common_name_counts_only_if_it_could_be_a_host() {
        assert!(is_host_pattern("foo.example"));
        assert!(is_host_pattern("*.example"));
        assert!(is_host_pattern("*"));
        assert!(!is_host_pattern("10.0.0.1"));
        assert!(!is_host_pattern("system:masters"));
        assert!(!is_host_pattern(""));
        assert!(!is_host_pattern("a..b"));
    }
}
