//! What the operator says of etcd: endpoints, files, times.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fleetgate_tls::{
    MinVersion,
    client::{ClientConfigError, ClientIdentity, ClientOptions, InvalidHost, Trust, client_config},
    pem::PemError,
};
use rustls::ClientConfig;

/// Where the etcd cluster is and how to speak to it.
#[derive(Clone, Debug)]
pub struct EtcdConfig {
    /// `http://host:port` or `https://host:port`, the first one preferred (`--etcd-servers`).
    pub endpoints: Vec<String>,
    /// For the endpoints that are https (`--etcd-cafile`, `--etcd-certfile`, `--etcd-keyfile`).
    pub tls: EtcdTls,
    /// How long a request may take, all attempts together. [`EtcdConfig::REQUEST_TIMEOUT`] leaves
    /// time to notice a frozen endpoint and ask another.
    pub request_timeout: Duration,
    /// How often a watch asks how far it has come; each answer is a batch without events. At most
    /// [`EtcdConfig::PROGRESS_INTERVAL`]: this also keeps quiet connections in etcd's favour.
    pub progress_interval: Duration,
}

/// The files that make TLS to etcd. They are read anew for each connection, so that a renewed
/// certificate is used without a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdTls {
    /// Certificates of the authorities that vouch for etcd; `None` for those of the system.
    pub ca: Option<PathBuf>,
    /// Our certificate, and its key.
    pub identity: Option<EtcdIdentity>,
}

/// A certificate chain and its key, as files of PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdIdentity {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The key of the leaf.
    pub key: PathBuf,
}

/// The configuration cannot be used; nobody was asked yet.
#[derive(Debug, thiserror::Error)]
pub enum EtcdConfigError {
    /// An endpoint is not `http://host:port`, `https://host:port` or `host:port`.
    #[error("cannot use {endpoint:?} as an etcd endpoint")]
    Endpoint {
        /// As configured.
        endpoint: String,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The host of an endpoint can have no certificate.
    #[error("cannot verify the host of the etcd endpoint {endpoint:?}")]
    Host {
        /// As configured.
        endpoint: String,
        /// What is wrong with it.
        source: InvalidHost,
    },
    /// Certificate and key are not PEM, or do not belong together.
    #[error("cannot use {} with {} as etcd client certificate", certificate.display(), key.display())]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        source: PemError,
    },
    /// There is no endpoint.
    #[error("no etcd endpoint is configured")]
    NoEndpoint,
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The files make no TLS client.
    #[error("cannot set up TLS to etcd")]
    Tls {
        /// What is wrong.
        source: ClientConfigError,
    },
}

// === impl EtcdConfig ===

impl EtcdConfig {
    /// Twice the time after which a silent endpoint is left.
    pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

    /// What kube-apiserver wants of etcd, too.
    pub const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
}

// === impl EtcdTls ===

impl EtcdTls {
    /// A client of what the files hold now.
    pub(super) fn load(&self) -> Result<Arc<ClientConfig>, EtcdConfigError> {
        let trust = match &self.ca {
            Some(path) => Trust::Bundle(read(path)?.into()),
            None => Trust::System,
        };
        let identity = self.identity.as_ref().map(EtcdIdentity::load).transpose()?;
        let protocols = vec![b"h2".to_vec()];
        let min_version = MinVersion::Tls12;
        client_config(&ClientOptions {
            trust,
            identity,
            min_version,
            protocols,
        })
        .map_err(|source| EtcdConfigError::Tls { source })
    }
}

// === impl EtcdIdentity ===

impl EtcdIdentity {
    fn load(&self) -> Result<ClientIdentity, EtcdConfigError> {
        let Self { certificate, key } = self;
        ClientIdentity::from_pem(&read(certificate)?, &read(key)?).map_err(|source| {
            EtcdConfigError::Identity {
                certificate: certificate.clone(),
                key: key.clone(),
                source,
            }
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, EtcdConfigError> {
    fs::read(path).map_err(|source| EtcdConfigError::Read {
        path: path.to_owned(),
        source,
    })
}
