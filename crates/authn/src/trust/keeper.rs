//! Keeps trust as files and the host's ConfigMap have it.

use std::{path::PathBuf, pin::pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use fleetgate_tls::client_ca::ClientCa;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    runtime::{watcher, watcher::watch_object},
};
use tokio::{sync::watch, time::MissedTickBehavior};

use super::{
    Lookup, RequestHeader, Trust, TrustConfig, TrustError, TrustedNow,
    published::{NAME, NAMESPACE, Published, PublishedFrontProxy},
};
use crate::front_proxy::{FrontProxy, HeaderNames};

/// The pauses between attempts to reach the host, doubled from the first up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Follows the files and the ConfigMap that trust comes from. Run it for as long as the server
/// lives.
#[derive(Debug)]
pub struct TrustKeeper {
    trusted: Arc<TrustedNow>,
    config: TrustConfig,
    client_ca: Bundle,
    request_header_ca: Bundle,
}

/// A CA bundle as text with what it was made into, so that an equal text keeps what was verified.
#[derive(Debug, Default)]
struct Bundle {
    pem: Vec<u8>,
    ca: Option<Arc<ClientCa>>,
}

/// What changed.
enum Change {
    /// The ConfigMap, which may not exist.
    ConfigMap(Box<Option<ConfigMap>>),
    /// It is time to look at the files.
    Files,
    /// The host was asked in vain.
    NoAnswer,
}

// === impl TrustKeeper ===

impl TrustKeeper {
    /// Reads the files. The ConfigMap is read by [`Self::run`].
    pub(crate) async fn new(config: TrustConfig) -> Result<(Arc<TrustedNow>, Self), TrustError> {
        let synced = !config.looks_up();
        let trusted = Arc::new(TrustedNow {
            trust: ArcSwap::from_pointee(Trust::default()),
            synced: watch::Sender::new(synced),
        });
        let mut keeper = Self {
            trusted: trusted.clone(),
            config,
            client_ca: Bundle::default(),
            request_header_ca: Bundle::default(),
        };
        keeper.read_files().await?;
        Ok((trusted, keeper))
    }

    /// Follows files and ConfigMap for ever. A host that does not answer is asked again; what
    /// cannot be used leaves the last good trust in place and a warning in the log.
    pub async fn run(mut self) {
        let client = self.config.client().filter(|_| self.config.looks_up());
        let published = client.map(config_map).map_or_else(
            || futures::stream::pending().left_stream(),
            |published| published.right_stream(),
        );
        let mut published = pin!(published);
        let mut ticks = tokio::time::interval(self.config.file_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let change = tokio::select! {
                Some(change) = published.next() => change,
                _ = ticks.tick() => Change::Files,
            };
            if let Err(error) = self.take(change).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "keeping the old authentication trust"
                );
            }
        }
    }

    async fn take(&mut self, change: Change) -> Result<(), TrustError> {
        match change {
            Change::ConfigMap(found) => match *found {
                Some(config_map) => {
                    self.publish(Published::read(config_map)?)?;
                    self.synced();
                }
                None => self.not_found(),
            },
            Change::Files => self.read_files().await?,
            Change::NoAnswer => self.not_found(),
        }
        Ok(())
    }

    /// Trust that was read once stays: a ConfigMap that vanished revokes nothing, as in Go.
    fn not_found(&self) {
        if matches!(self.config.lookup, Lookup::Tolerate(_)) {
            self.synced();
        }
    }

    fn synced(&self) {
        self.trusted.synced.send_replace(true);
    }

    fn publish(&mut self, published: Published) -> Result<(), TrustError> {
        let Published {
            client_ca,
            front_proxy,
        } = published;
        let mut trust = Trust::clone(&self.trusted.now());
        if self.config.client_ca_file.is_none() {
            let pem = client_ca.unwrap_or_default();
            trust.client_ca = self.client_ca.renew(pem.as_bytes(), "client-ca-file")?;
        }
        if self.config.request_header.is_none() {
            let pem = front_proxy.as_ref().map_or("", |proxy| proxy.ca.as_str());
            let origin = "requestheader-client-ca-file";
            let ca = self.request_header_ca.renew(pem.as_bytes(), origin)?;
            trust.front_proxy = ca.zip(front_proxy).map(|(ca, proxy)| {
                let PublishedFrontProxy {
                    ca: _,
                    allowed_names,
                    headers,
                } = proxy;
                Arc::new(FrontProxy {
                    ca,
                    allowed_names,
                    headers,
                })
            });
        }
        self.trusted.trust.store(Arc::new(trust));
        Ok(())
    }

    async fn read_files(&mut self) -> Result<(), TrustError> {
        let mut trust = Trust::clone(&self.trusted.now());
        if let Some(path) = &self.config.client_ca_file {
            trust.client_ca = self.client_ca.renew_from(path).await?;
        }
        if let Some(RequestHeader {
            ca_file,
            allowed_names,
            headers,
        }) = &self.config.request_header
        {
            let ca = self.request_header_ca.renew_from(ca_file).await?;
            trust.front_proxy = ca.map(|ca| {
                let (allowed_names, headers) = (allowed_names.clone(), HeaderNames::clone(headers));
                Arc::new(FrontProxy {
                    ca,
                    allowed_names,
                    headers,
                })
            });
        }
        self.trusted.trust.store(Arc::new(trust));
        Ok(())
    }
}

/// What the host says of its ConfigMap, as long as anybody listens.
fn config_map(client: Client) -> impl Stream<Item = Change> {
    let open = move || {
        let config_maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
        Box::pin(watch_object(config_maps, NAME))
    };
    futures::stream::unfold(
        (open(), open, PAUSES.0),
        |(mut watched, open, pause)| async move {
            let next = watched.next().await?;
            match next {
                Ok(found) => {
                    let state = (watched, open, PAUSES.0);
                    Some((Change::ConfigMap(Box::new(found)), state))
                }
                Err(error) => {
                    log_failure(&error, pause);
                    tokio::time::sleep(pause).await;
                    if is_expired(&error) {
                        watched = open();
                    }
                    Some((Change::NoAnswer, (watched, open, PAUSES.1.min(pause * 2))))
                }
            }
        },
    )
}

/// Whether a watch must start anew with a list. The watcher does so by itself where the host tells
/// within the watch, but not where it refuses to open one.
fn is_expired(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

/// Says once that the host does not answer, and not at each attempt.
fn log_failure(error: &watcher::Error, pause: Duration) {
    let error = error as &dyn std::error::Error;
    if pause == PAUSES.0 {
        tracing::warn!(
            error,
            "cannot read the host's authentication configuration, will retry"
        );
    } else {
        tracing::debug!(
            error,
            "cannot read the host's authentication configuration, will retry"
        );
    }
}

// === impl TrustConfig ===

impl TrustConfig {
    fn client(&self) -> Option<Client> {
        match &self.lookup {
            Lookup::Require(client) | Lookup::Tolerate(client) => Some(client.clone()),
            Lookup::Skip => None,
        }
    }

    /// Whether anything is left for the ConfigMap to say.
    fn looks_up(&self) -> bool {
        let all_by_files = self.client_ca_file.is_some() && self.request_header.is_some();
        self.client().is_some() && !all_by_files
    }
}

// === impl Bundle ===

impl Bundle {
    async fn renew_from(&mut self, path: &PathBuf) -> Result<Option<Arc<ClientCa>>, TrustError> {
        let pem = tokio::fs::read(path)
            .await
            .map_err(|source| TrustError::Read {
                path: path.clone(),
                source,
            })?;
        match pem.is_empty() {
            // A file that is just being written.
            true if self.ca.is_some() => Ok(self.ca.clone()),
            true | false => self.renew(&pem, &path.display().to_string()),
        }
    }

    /// The CA of `pem`: the one at hand if the text is the same, nothing if there is no text.
    fn renew(&mut self, pem: &[u8], origin: &str) -> Result<Option<Arc<ClientCa>>, TrustError> {
        if self.pem != pem {
            self.ca = match pem.is_empty() {
                true => None,
                false => Some(Arc::new(ClientCa::from_pem(pem).map_err(|source| {
                    TrustError::Ca {
                        origin: origin.to_owned(),
                        source,
                    }
                })?)),
            };
            self.pem = pem.to_vec();
        }
        Ok(self.ca.clone())
    }
}

#[cfg(test)]
mod tests;
