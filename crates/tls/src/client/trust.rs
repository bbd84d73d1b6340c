//! Believes servers that a trust anchor vouches for, and servers that show the anchor itself.
//!
//! Members exist whose serving certificate is a self-signed CA certificate, handed out as their CA
//! bundle. Go believes them, since a leaf that is itself in the pool needs nobody to vouch for it;
//! webpki refuses any CA certificate as a leaf. Here webpki decides first, and what it refuses is
//! believed only if the leaf is, byte for byte, one of the anchors, valid now, meant for servers
//! and for the name that was asked for.

use std::sync::{Arc, OnceLock};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::ClientConfigError;
use crate::{pem, provider};

/// A verifier over a set of trust anchors.
#[derive(Debug)]
pub(super) struct Anchored {
    webpki: Arc<WebPkiServerVerifier>,
    anchors: Vec<CertificateDer<'static>>,
}

// === impl Anchored ===

impl Anchored {
    pub(super) fn bundle(pem: &[u8]) -> Result<Self, ClientConfigError> {
        let anchors = pem::certificates(pem).map_err(ClientConfigError::Bundle)?;
        Self::new(anchors, ClientConfigError::NoAnchor)
    }

    /// The one verifier for the system's roots.
    pub(super) fn system() -> Result<Arc<Self>, ClientConfigError> {
        static SYSTEM: OnceLock<Arc<Anchored>> = OnceLock::new();
        if let Some(known) = SYSTEM.get() {
            return Ok(known.clone());
        }
        let loaded = rustls_native_certs::load_native_certs();
        for error in &loaded.errors {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "skipping system roots"
            );
        }
        let verifier = Self::new(loaded.certs, ClientConfigError::NoSystemRoots)?;
        Ok(SYSTEM.get_or_init(|| Arc::new(verifier)).clone())
    }

    fn new(
        anchors: Vec<CertificateDer<'static>>,
        if_none: ClientConfigError,
    ) -> Result<Self, ClientConfigError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(anchors.iter().cloned());
        if roots.is_empty() {
            return Err(if_none);
        }
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| ClientConfigError::Provider(Error::General(error.to_string())))?;
        Ok(Self { webpki, anchors })
    }
}

impl ServerCertVerifier for Anchored {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let vouched = self.webpki.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match vouched {
            Err(_) if self.anchors.contains(end_entity) => {
                verify_anchor_as_leaf(end_entity, server_name, now)
            }
            vouched => vouched,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

fn verify_anchor_as_leaf(
    leaf: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).map_err(|_| CertificateError::Expired)?;
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    let usage = parsed
        .extended_key_usage()
        .map_err(|_| CertificateError::BadEncoding)?;
    if usage.is_some_and(|usage| !usage.value.any && !usage.value.server_auth) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&ParsedCertificate::try_from(leaf)?, server_name)?;
    Ok(ServerCertVerified::assertion())
}
