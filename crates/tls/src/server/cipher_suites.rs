//! Cipher suites by the names that Go gives them (`--tls-cipher-suites`).

use rustls::{CipherSuite, SupportedCipherSuite, version};

use crate::provider;

/// The TLS 1.2 suites that Go names and that are spoken here.
const SPOKEN: [(&str, CipherSuite); 8] = [
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Go's names for the suites of TLS 1.3, which no flag turns off.
const TLS13: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

/// Suites that Go knows and that are not spoken here: no forward secrecy, CBC, RC4 or 3DES.
const REFUSED: [&str; 16] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_RC4_128_SHA",
];

/// The suites that a server offers.
#[derive(Clone, Debug)]
pub struct CipherSuites(Vec<SupportedCipherSuite>);

/// A name that Go does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown cipher suite {0:?}")]
pub struct UnknownCipherSuite(pub String);

// === impl CipherSuites ===

impl CipherSuites {
    /// Every suite that is spoken here.
    pub fn all() -> Self {
        Self(provider().cipher_suites.clone())
    }

    /// The suites with these names, of [`Self::all`] if there are no names.
    ///
    /// As in Go, the order of the names means nothing and the suites of TLS 1.3 are always on. A
    /// suite that Go knows and that is not spoken here is left out, with a warning in the log; if
    /// that leaves none for TLS 1.2, then 1.2 is not spoken.
    ///
    /// # Errors
    /// [`UnknownCipherSuite`] with the first name that Go does not know.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, UnknownCipherSuite> {
        if names.is_empty() {
            return Ok(Self::all());
        }
        let mut wanted = Vec::with_capacity(names.len());
        for name in names.iter().map(AsRef::as_ref) {
            if let Some((_, suite)) = SPOKEN.iter().find(|(known, _)| *known == name) {
                wanted.push(*suite);
            } else if REFUSED.contains(&name) {
                tracing::warn!(suite = name, "leaving out an insecure cipher suite");
            } else if !TLS13.contains(&name) {
                return Err(UnknownCipherSuite(name.to_owned()));
            }
        }
        let mut suites = provider().cipher_suites.clone();
        suites
            .retain(|suite| suite.version() == &version::TLS13 || wanted.contains(&suite.suite()));
        Ok(Self(suites))
    }

    pub(super) fn suites(&self) -> &[SupportedCipherSuite] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use rustls::CipherSuite;

    use super::{CipherSuites, SPOKEN, UnknownCipherSuite};

    #[track_caller]
    fn check(names: &[&str], want_tls12: &[CipherSuite]) {
        let suites = CipherSuites::parse(names).expect("known names");
        let (tls13, tls12): (Vec<_>, Vec<_>) = suites
            .suites()
            .iter()
            .map(|suite| suite.suite())
            .partition(|suite| suite.as_str().is_some_and(|s| s.starts_with("TLS13_")));
        assert_eq!(tls13.len(), 3);
        assert_eq!(tls12, want_tls12);
    }

    #[test]
    fn suites_have_the_names_of_go() {
        let rsa = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
        check(&["TLS_AES_128_GCM_SHA256"], &[]);
        check(&["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], &[rsa]);
        check(
            &[
                "TLS_RSA_WITH_AES_128_CBC_SHA",
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            ],
            &[rsa],
        );
        let all: Vec<_> = SPOKEN.iter().map(|(name, _)| *name).collect();
        assert_eq!(CipherSuites::parse(&all).expect("known").suites().len(), 9);
        assert_eq!(
            CipherSuites::parse::<&str>(&[])
                .expect("known")
                .suites()
                .len(),
            9
        );
    }

    #[test]
    fn an_unknown_suite_is_named() {
        let got = CipherSuites::parse(&["TLS_AES_128_GCM_SHA256", "TLS_NULL"]);
        assert_eq!(
            got.expect_err("unknown"),
            UnknownCipherSuite("TLS_NULL".to_owned())
        );
    }
}
