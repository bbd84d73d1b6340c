//! Certificates and private keys out of PEM text.

use rustls::{
    Error as TlsError,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as SyntaxError, PemObject},
    },
    sign::CertifiedKey,
};

use crate::provider;

/// PEM text does not hold what it should.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The certificate section is broken, or the text is no PEM at all.
    #[error("cannot read the certificates")]
    Certificates(#[source] SyntaxError),
    /// The key is not one that this server can use.
    #[error("cannot read the private key")]
    Key(#[source] SyntaxError),
    /// The certificate and the private key do not belong together, or the key is of no known kind.
    #[error("cannot use the certificate with the private key")]
    KeyPair(#[source] TlsError),
    /// There is no `CERTIFICATE` section.
    #[error("there is no certificate")]
    NoCertificate,
}

/// Every `CERTIFICATE` section of `pem`, in order; other sections are passed over.
///
/// # Errors
/// [`PemError::Certificates`], or [`PemError::NoCertificate`] where there is none.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(PemError::Certificates)?;
    if found.is_empty() {
        return Err(PemError::NoCertificate);
    }
    Ok(found)
}

/// The first private key of `pem`: PKCS#8, PKCS#1 or SEC1.
///
/// # Errors
/// [`PemError::Key`].
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(PemError::Key)
}

/// The chain in `certificate_pem`, leaf first, with the key in `key_pem`, proven to fit its leaf.
///
/// # Errors
/// Any [`PemError`].
pub fn certified_key(certificate_pem: &[u8], key_pem: &[u8]) -> Result<CertifiedKey, PemError> {
    let chain = certificates(certificate_pem)?;
    let key = private_key(key_pem)?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(PemError::KeyPair)
}

#[cfg(test)]
mod tests {
    use super::{PemError, certificates, certified_key};
    use crate::server::self_signed::generate;

    #[test]
    fn a_pair_is_read_and_checked() {
        let pair = generate(&["localhost".to_owned()]).expect("names are valid");
        let other = generate(&["localhost".to_owned()]).expect("names are valid");
        let read = certified_key(&pair.certificate, &pair.key).expect("pair fits");
        assert_eq!(read.cert.len(), 2);
        let mixed = certified_key(&pair.certificate, &other.key);
        assert!(matches!(mixed, Err(PemError::KeyPair(_))), "{mixed:?}");
        let swapped = certified_key(&pair.key, &pair.certificate);
        assert!(
            matches!(swapped, Err(PemError::NoCertificate)),
            "{swapped:?}"
        );
        let keyless = certified_key(&pair.certificate, b"");
        assert!(matches!(keyless, Err(PemError::Key(_))), "{keyless:?}");
    }

    #[test]
    fn broken_text_is_told_from_empty_text() {
        assert!(matches!(certificates(b""), Err(PemError::NoCertificate)));
        let cut = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(matches!(certificates(cut), Err(PemError::Certificates(_))));
    }
}
