//! The server's side of TLS: asks callers for a certificate and takes whatever they show.
//!
//! Kubernetes asks for client certificates without requiring them and without verifying the chain
//! in the handshake. The handshake only proves that the caller holds the key; who vouches for the
//! certificate is decided for each request ([`crate::client_ca`]), so that a CA can change, and a
//! certificate expire, under a live connection.

mod ask_client;
mod certificates;
mod cipher_suites;
mod groups;
mod named;
pub mod self_signed;

use std::sync::Arc;

use rustls::{
    ServerConfig, SupportedCipherSuite,
    crypto::{CryptoProvider, SupportedKxGroup},
    server::{ResolvesServerCert, ServerSessionMemoryCache},
    version,
};

use crate::{MinVersion, provider};
use ask_client::AskClient;

pub use certificates::{
    CertificateError, CertificateSource, PemPair, Reloader, ServingCertificates,
};
pub use cipher_suites::{CipherSuites, UnknownCipherSuite};
pub use groups::{KeyExchangeGroups, UnknownGroup};
pub use named::{NamedCertificate, NamedCertificateError};

/// Sessions that may be resumed at a time. Each keeps its client's chain, so the number bounds
/// memory.
const RESUMABLE_SESSIONS: usize = 512;

/// What a server speaks.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// `--tls-min-version`.
    pub min_version: MinVersion,
    /// `--tls-cipher-suites`.
    pub cipher_suites: CipherSuites,
    /// `--tls-curve-preferences`.
    pub groups: KeyExchangeGroups,
    /// Offered by ALPN.
    pub protocols: Protocols,
}

/// The HTTP versions that a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/1.1 alone (`--disable-http2-serving`).
    Http1,
    /// HTTP/2, and HTTP/1.1 for those who do not speak it.
    Http1AndHttp2,
}

/// The options leave nothing that can be spoken.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve TLS with these versions, cipher suites and key exchange groups")]
pub struct ServerConfigError(#[source] rustls::Error);

/// The config of a server with `options` that shows one of `certificates`.
///
/// A session that is resumed carries the chain that its first handshake proved; as every request
/// verifies that chain anew, resumption gives nobody more than a full handshake would.
///
/// # Errors
/// [`ServerConfigError`] if nothing is left to speak.
pub fn server_config(
    options: &ServerOptions,
    certificates: Arc<dyn ResolvesServerCert>,
) -> Result<Arc<ServerConfig>, ServerConfigError> {
    let provider = provider_for(options.cipher_suites.suites(), options.groups.groups());
    let has_tls12 = options
        .cipher_suites
        .suites()
        .iter()
        .any(|suite| suite.version() == &version::TLS12);
    let versions = match options.min_version {
        MinVersion::Tls12 if has_tls12 => MinVersion::Tls12.versions(),
        MinVersion::Tls12 | MinVersion::Tls13 => MinVersion::Tls13.versions(),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(ServerConfigError)?
        .with_client_cert_verifier(Arc::new(AskClient::new()))
        .with_cert_resolver(certificates);
    config.alpn_protocols = options.protocols.alpn();
    config.session_storage = ServerSessionMemoryCache::new(RESUMABLE_SESSIONS);
    Ok(Arc::new(config))
}

fn provider_for(
    cipher_suites: &[SupportedCipherSuite],
    groups: &[&'static dyn SupportedKxGroup],
) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: cipher_suites.to_vec(),
        kx_groups: groups.to_vec(),
        ..(*provider()).clone()
    })
}

// === impl Protocols ===

impl Protocols {
    fn alpn(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http1 => vec![b"http/1.1".to_vec()],
            Self::Http1AndHttp2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        }
    }
}

#[cfg(test)]
mod tests;
