//! Who vouches for a client certificate: one CA bundle, asked for each request.

mod identity;
mod verified;

use std::sync::Arc;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, UnixTime},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::{
    pem::{self, PemError},
    provider,
};
use verified::Verified;

pub use identity::{Identity, MalformedIdentity};

/// A CA bundle that vouches for clients. A changed bundle is a new `ClientCa`, which remembers
/// nothing of the old one.
#[derive(Debug)]
pub struct ClientCa {
    verifier: Arc<dyn ClientCertVerifier>,
    verified: Verified,
}

/// A CA bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientCaError {
    /// It is not PEM certificates.
    #[error("cannot read the client CA bundle")]
    Bundle(#[source] PemError),
    /// No certificate in it can vouch for anything.
    #[error("cannot use any certificate of the client CA bundle")]
    NoAnchor,
}

/// The bundle does not vouch for a chain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// The leaf's subject cannot be read.
    #[error("cannot read the subject of the client certificate")]
    Identity(#[source] MalformedIdentity),
    /// The chain is empty.
    #[error("there is no client certificate")]
    NoCertificate,
    /// Unknown CA, expired, not meant for clients, broken.
    #[error("cannot verify the client certificate")]
    Untrusted(#[source] rustls::Error),
}

// === impl ClientCa ===

impl ClientCa {
    /// The CA whose certificates stand in `bundle`, as PEM.
    ///
    /// # Errors
    /// [`ClientCaError`].
    pub fn from_pem(bundle: &[u8]) -> Result<Self, ClientCaError> {
        let certificates = pem::certificates(bundle).map_err(ClientCaError::Bundle)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|_| ClientCaError::NoAnchor)?;
        Ok(Self {
            verifier,
            verified: Verified::default(),
        })
    }

    /// The identity in the leaf of `chain`, leaf first, if this CA vouches for it now.
    ///
    /// The answer is remembered for as long as the connection that holds `chain` lives, though
    /// never past the expiry of a certificate in it and at most for a minute.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(
        &self,
        chain: &Arc<[CertificateDer<'static>]>,
    ) -> Result<Arc<Identity>, VerifyError> {
        self.verify_at(chain, UnixTime::now())
    }

    /// [`Self::verify`] as if it were `now`.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify_at(
        &self,
        chain: &Arc<[CertificateDer<'static>]>,
        now: UnixTime,
    ) -> Result<Arc<Identity>, VerifyError> {
        if let Some(known) = self.verified.find(chain, now) {
            return known;
        }
        let result = self.verify_anew(chain, now);
        self.verified.remember(chain, now, result.clone());
        result
    }

    fn verify_anew(
        &self,
        chain: &[CertificateDer<'static>],
        now: UnixTime,
    ) -> Result<Arc<Identity>, VerifyError> {
        let (leaf, intermediates) = chain.split_first().ok_or(VerifyError::NoCertificate)?;
        self.verifier
            .verify_client_cert(leaf, intermediates, now)
            .map_err(VerifyError::Untrusted)?;
        Identity::of(leaf)
            .map(Arc::new)
            .map_err(VerifyError::Identity)
    }
}

#[cfg(test)]
mod tests;
