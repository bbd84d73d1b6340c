//! The CAs and front proxy that are trusted now: from flags, or as the host publishes them.

mod keeper;
mod published;

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use fleetgate_tls::client_ca::{ClientCa, ClientCaError};
use kube::Client;
use tokio::sync::watch;

use crate::front_proxy::{FrontProxy, HeaderNames, InvalidHeaderName};

pub use keeper::TrustKeeper;

/// Where trust comes from. What no file gives is taken from the ConfigMap
/// `kube-system/extension-apiserver-authentication` of the host, unless that look-up is skipped.
#[derive(Clone, Debug)]
pub struct TrustConfig {
    /// `--client-ca-file`.
    pub client_ca_file: Option<PathBuf>,
    /// `--requestheader-client-ca-file` and what goes with it.
    pub request_header: Option<RequestHeader>,
    /// What to do about the ConfigMap.
    pub lookup: Lookup,
    /// How often files are looked at for changes.
    pub file_interval: Duration,
}

/// A front proxy as the flags describe it.
#[derive(Clone, Debug)]
pub struct RequestHeader {
    /// `--requestheader-client-ca-file`.
    pub ca_file: PathBuf,
    /// `--requestheader-allowed-names`; none means any.
    pub allowed_names: Vec<String>,
    /// `--requestheader-username-headers` and its siblings.
    pub headers: HeaderNames,
}

/// What to do about the ConfigMap of the host.
#[derive(Clone)]
pub enum Lookup {
    /// Look at it, and be in sync only once it was seen.
    Require(Client),
    /// Do not look at it: what no file gives is not trusted (`--authentication-skip-lookup`).
    Skip,
    /// Look at it, and be in sync even if it cannot be read
    /// (`--authentication-tolerate-lookup-failure`).
    Tolerate(Client),
}

/// What is published, or stands in a file, cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A CA bundle is none.
    #[error("cannot use the CA of {origin}")]
    Ca {
        /// A file, or a key of the ConfigMap.
        origin: String,
        /// Why.
        #[source]
        source: ClientCaError,
    },
    /// A header has no valid name.
    #[error("cannot use the request header configuration of the host")]
    Header(#[source] InvalidHeaderName),
    /// A key of the ConfigMap is no JSON list of strings.
    #[error("cannot read {key} of the host's authentication configuration")]
    List {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Whom one request may trust.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    client_ca: Option<Arc<ClientCa>>,
    front_proxy: Option<Arc<FrontProxy>>,
}

/// The trust of this moment, replaced as a whole.
#[derive(Debug)]
pub(crate) struct TrustedNow {
    trust: ArcSwap<Trust>,
    synced: watch::Sender<bool>,
}

// === impl Lookup ===

impl std::fmt::Debug for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Require(_) => "Require",
            Self::Skip => "Skip",
            Self::Tolerate(_) => "Tolerate",
        })
    }
}

// === impl Trust ===

impl Trust {
    pub(crate) fn client_ca(&self) -> Option<&ClientCa> {
        self.client_ca.as_deref()
    }

    pub(crate) fn front_proxy(&self) -> Option<&FrontProxy> {
        self.front_proxy.as_deref()
    }

    pub(crate) fn header_names(&self) -> Option<&HeaderNames> {
        self.front_proxy().map(|proxy| &proxy.headers)
    }
}

// === impl TrustedNow ===

impl TrustedNow {
    pub(crate) fn now(&self) -> arc_swap::Guard<Arc<Trust>> {
        self.trust.load()
    }

    pub(crate) fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    pub(crate) async fn synced(&self) {
        let mut synced = self.synced.subscribe();
        // The sender is `self`, so the wait cannot fail.
        synced
            .wait_for(|synced| *synced)
            .await
            .map(drop)
            .unwrap_or_default();
    }
}
