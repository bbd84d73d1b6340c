//! The client's side of TLS: configs for members, forward proxies, the host and etcd.

mod configs;
mod insecure;
mod sessions;
mod trust;

use std::sync::Arc;

use rustls::{
    ClientConfig,
    client::{Resumption, danger::ServerCertVerifier},
    pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName},
};

use crate::{
    MinVersion,
    pem::{self, PemError},
    provider,
};

pub use configs::ClientConfigs;
use sessions::Sessions;

/// Whom a client believes, who it is, and what it speaks.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Which servers are believed.
    pub trust: Trust,
    /// The certificate shown to a server that asks for one.
    pub identity: Option<ClientIdentity>,
    /// The lowest version.
    pub min_version: MinVersion,
    /// Protocols offered by ALPN, best first, e.g. `h2`; none offers nothing.
    pub protocols: Vec<Vec<u8>>,
}

/// Which servers are believed.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Any server, whatever it shows: not safe, for operators who say so.
    Anyone,
    /// Those that one of these PEM certificates vouches for. A certificate of the bundle that is
    /// itself shown by the server is believed even if it is a CA's, as in Go.
    Bundle(Arc<[u8]>),
    /// Those that the operating system believes. Its certificates are read once.
    System,
}

/// A client's certificate chain and key.
#[derive(Debug)]
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// The options cannot be used; no server was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientConfigError {
    /// The CA bundle is not PEM certificates.
    #[error("cannot use the CA bundle")]
    Bundle(#[source] PemError),
    /// The certificate and key of the client cannot be used.
    #[error("cannot use the client certificate")]
    Identity(#[source] rustls::Error),
    /// No certificate in the bundle can vouch for anything.
    #[error("cannot use any certificate of the CA bundle")]
    NoAnchor,
    /// The operating system holds no CA certificates.
    #[error("the system has no CA certificates")]
    NoSystemRoots,
    /// The provider refuses the rest.
    #[error("cannot make a TLS client")]
    Provider(#[source] rustls::Error),
}

/// A host that no certificate can be valid for.
#[derive(Debug, thiserror::Error)]
#[error("{host:?} is neither a host name nor an IP address")]
pub struct InvalidHost {
    /// The host.
    pub host: String,
    #[source]
    source: InvalidDnsNameError,
}

/// A config for `options`. To have one config for equal options, ask [`ClientConfigs`].
///
/// # Errors
/// [`ClientConfigError`].
pub fn client_config(options: &ClientOptions) -> Result<Arc<ClientConfig>, ClientConfigError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(options.min_version.versions())
        .map_err(ClientConfigError::Provider)?
        .dangerous()
        .with_custom_certificate_verifier(verifier(&options.trust)?);
    let mut config = match &options.identity {
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(ClientConfigError::Identity)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols.clone_from(&options.protocols);
    config.resumption = Resumption::store(Arc::new(Sessions::default()));
    Ok(Arc::new(config))
}

/// The name to verify a certificate against, of the host of a URL: a DNS name, with or without its
/// final dot, or an IP address, with or without brackets.
///
/// # Errors
/// [`InvalidHost`].
pub fn server_name(host: &str) -> Result<ServerName<'static>, InvalidHost> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .or_else(|| host.strip_suffix('.'))
        .unwrap_or(host);
    ServerName::try_from(bare.to_owned()).map_err(|source| InvalidHost {
        host: host.to_owned(),
        source,
    })
}

fn verifier(trust: &Trust) -> Result<Arc<dyn ServerCertVerifier>, ClientConfigError> {
    Ok(match trust {
        Trust::Anyone => Arc::new(insecure::BelieveAnyone::new()),
        Trust::Bundle(pem) => Arc::new(trust::Anchored::bundle(pem)?),
        Trust::System => trust::Anchored::system()?,
    })
}

// === impl ClientIdentity ===

impl ClientIdentity {
    /// The identity of a PEM chain, leaf first, and its PEM key.
    ///
    /// # Errors
    /// [`PemError`], also if the key does not belong to the leaf.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, PemError> {
        pem::certified_key(certificate, key)?;
        Ok(Self {
            chain: pem::certificates(certificate)?,
            key: pem::private_key(key)?,
        })
    }
}

impl Clone for ClientIdentity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

#[cfg(test)]
mod tests;
