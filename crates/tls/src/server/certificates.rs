//! The certificates that a server shows: loaded once, and again when their files change.

use std::{collections::HashMap, io, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use tokio::time::MissedTickBehavior;

use super::named::{NamedCertificate, names_in};
use crate::pem::{self, PemError};

/// Where a certificate and its key come from.
#[derive(Clone, Debug)]
pub enum CertificateSource {
    /// PEM files, which may change.
    Files {
        /// The chain, leaf first.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// Made by this process.
    Memory(PemPair),
}

/// A certificate chain and its private key.
#[derive(Clone, PartialEq, Eq)]
pub struct PemPair {
    /// The chain in PEM, leaf first.
    pub certificate: Vec<u8>,
    /// The private key in PEM.
    pub key: Vec<u8>,
}

/// A certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// What was read is not a certificate with its key.
    #[error("cannot use the certificate and key of {origin}")]
    Parse {
        /// The certificate file, or where else it comes from.
        origin: String,
        /// Why.
        #[source]
        source: PemError,
    },
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The certificates in use: picks one by the name that the caller asks for.
#[derive(Debug)]
pub struct ServingCertificates {
    table: ArcSwap<Table>,
}

/// Notices changed files, for the task that keeps [`ServingCertificates`] fresh.
#[derive(Debug)]
pub struct Reloader {
    certificates: Arc<ServingCertificates>,
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Table {
    default: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

/// One source with what was last read of it. The first is the default certificate.
#[derive(Debug)]
struct Watched {
    source: CertificateSource,
    patterns: Vec<String>,
    digest: [u8; 32],
    key: Arc<CertifiedKey>,
    /// The last failure, so that it is logged once and not at each poll.
    failure: Option<String>,
}

// === impl CertificateSource ===

impl CertificateSource {
    async fn read(&self) -> Result<PemPair, CertificateError> {
        match self {
            Self::Files { certificate, key } => Ok(PemPair {
                certificate: read(certificate).await?,
                key: read(key).await?,
            }),
            Self::Memory(pair) => Ok(pair.clone()),
        }
    }

    fn origin(&self) -> String {
        match self {
            Self::Files { certificate, .. } => certificate.display().to_string(),
            Self::Memory(_) => "the self-signed certificate".to_owned(),
        }
    }
}

async fn read(path: &PathBuf) -> Result<Vec<u8>, CertificateError> {
    tokio::fs::read(path)
        .await
        .map_err(|source| CertificateError::Read {
            path: path.clone(),
            source,
        })
}

// === impl PemPair ===

impl PemPair {
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update((self.certificate.len() as u64).to_be_bytes());
        hash.update(&self.certificate);
        hash.update(&self.key);
        hash.finalize().into()
    }
}

impl std::fmt::Debug for PemPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PemPair").finish_non_exhaustive()
    }
}

// === impl ServingCertificates ===

impl ServingCertificates {
    /// Loads `default`, shown to whoever asks for no name or an unknown one, and the `named` ones.
    /// Names given by the operator win over names found in a certificate, exact names over
    /// patterns, earlier certificates over later ones.
    ///
    /// # Errors
    /// The first certificate that cannot be read or used.
    pub async fn load(
        default: CertificateSource,
        named: Vec<NamedCertificate>,
    ) -> Result<(Arc<Self>, Reloader), CertificateError> {
        let mut watched = vec![Watched::load(default, Vec::new()).await?];
        for NamedCertificate { source, names } in named {
            watched.push(Watched::load(source, names).await?);
        }
        let table = ArcSwap::from_pointee(Table::of(&watched));
        let certificates = Arc::new(Self { table });
        let reloader = Reloader {
            certificates: certificates.clone(),
            watched,
        };
        Ok((certificates, reloader))
    }

    fn for_name(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let table = self.table.load();
        let found = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let exact = table.by_name.get(name.as_str());
            exact.or_else(|| {
                let (_, parent) = name.split_once('.')?;
                table.by_name.get(&format!("*.{parent}"))
            })
        });
        found.unwrap_or(&table.default).clone()
    }
}

impl ResolvesServerCert for ServingCertificates {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.for_name(client_hello.server_name()))
    }
}

// === impl Reloader ===

impl Reloader {
    /// Looks at the files each `interval`, for ever. Files are compared by content: a secret
    /// volume swaps a symbolic link, and its times say nothing.
    pub async fn run(mut self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.poll().await;
        }
    }

    /// Looks at the files once and returns how many certificates changed. One that cannot be read
    /// or used, such as a pair of which only one file is written yet, leaves the old one in place.
    pub async fn poll(&mut self) -> usize {
        let mut changed = 0;
        for watched in &mut self.watched {
            match watched.refresh().await {
                Ok(true) => changed += 1,
                Ok(false) => watched.failure = None,
                Err(error) => watched.failed(&error),
            }
        }
        if changed > 0 {
            self.certificates
                .table
                .store(Arc::new(Table::of(&self.watched)));
        }
        changed
    }
}

// === impl Table ===

impl Table {
    fn of(watched: &[Watched]) -> Self {
        let mut by_name = HashMap::new();
        let (first, named) = watched.split_first().expect("the default is loaded first");
        for one in named {
            for name in one.patterns.iter() {
                by_name
                    .entry(name.clone())
                    .or_insert_with(|| one.key.clone());
            }
        }
        for one in named.iter().filter(|one| one.patterns.is_empty()) {
            for name in one.key.cert.first().map(names_in).unwrap_or_default() {
                by_name.entry(name).or_insert_with(|| one.key.clone());
            }
        }
        Self {
            default: first.key.clone(),
            by_name,
        }
    }
}

// === impl Watched ===

impl Watched {
    async fn load(
        source: CertificateSource,
        patterns: Vec<String>,
    ) -> Result<Self, CertificateError> {
        let pair = source.read().await?;
        let key = parse(&source, &pair)?;
        Ok(Self {
            source,
            patterns,
            digest: pair.digest(),
            key,
            failure: None,
        })
    }

    async fn refresh(&mut self) -> Result<bool, CertificateError> {
        let pair = self.source.read().await?;
        let digest = pair.digest();
        if digest == self.digest {
            return Ok(false);
        }
        self.key = parse(&self.source, &pair)?;
        self.digest = digest;
        self.failure = None;
        tracing::info!(
            origin = self.source.origin(),
            "reloaded the serving certificate"
        );
        Ok(true)
    }

    fn failed(&mut self, error: &CertificateError) {
        let failure = format!("{error}: {:?}", std::error::Error::source(error));
        if self.failure.as_deref() != Some(failure.as_str()) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "keeping the old serving certificate"
            );
            self.failure = Some(failure);
        }
    }
}

fn parse(
    source: &CertificateSource,
    pair: &PemPair,
) -> Result<Arc<CertifiedKey>, CertificateError> {
    pem::certified_key(&pair.certificate, &pair.key)
        .map(Arc::new)
        .map_err(|error| CertificateError::Parse {
            origin: source.origin(),
            source: error,
        })
}

#[cfg(test)]
mod tests;
