//! The user that a client certificate names.

use fleetgate_model::{PeerCertificates, User};
use fleetgate_tls::client_ca::{ClientCa, Identity, VerifyError};
use rustls::{CertificateError, Error as TlsError};

use crate::authenticator::BadCredential;

/// Kubernetes' `user.CredentialIDKey`.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// The user in the certificate of `peer`, if `ca` vouches for it.
pub(crate) fn identify(
    ca: &ClientCa,
    peer: &PeerCertificates,
) -> Result<Option<User>, BadCredential> {
    let identity = verify(ca, peer)?.filter(|identity| !identity.common_name.is_empty());
    Ok(identity.map(|identity| User {
        name: identity.common_name.clone(),
        uid: identity.uid.clone(),
        groups: identity.organizations.clone(),
        extra: vec![(
            CREDENTIAL_ID.to_owned(),
            vec![format!("X509SHA256={}", identity.fingerprint)],
        )],
    }))
}

/// The identity that `ca` vouches for. A certificate of a CA that is not known here says nothing,
/// for it may be meant for somebody else; one that expired or is not meant for clients is bad, so
/// that its owner hears of it (and client-go fetches a new one).
pub(crate) fn verify(
    ca: &ClientCa,
    peer: &PeerCertificates,
) -> Result<Option<std::sync::Arc<Identity>>, BadCredential> {
    match ca.verify(&peer.0) {
        Ok(identity) => Ok(Some(identity)),
        Err(VerifyError::NoCertificate) => Ok(None),
        Err(VerifyError::Untrusted(TlsError::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ))) => Ok(None),
        Err(VerifyError::Identity(_) | VerifyError::Untrusted(_)) => Err(BadCredential),
    }
}
