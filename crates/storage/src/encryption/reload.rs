//! Brings in a configuration that changed on disk (`--encryption-provider-config-automatic-reload`).

use std::{
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::time::MissedTickBehavior;

use super::{Encryption, EncryptionConfig, EncryptionConfigError, config::Digest};

/// Notices a changed configuration, for the task that keeps an [`Encryption`] fresh.
#[derive(Debug)]
pub struct Reloader {
    encryption: Arc<Encryption>,
    path: PathBuf,
    active: Digest,
    metrics: ReloadMetrics,
    /// The last failure, so that it is logged once and not at each look.
    failure: Option<String>,
}

/// What is counted of reloads, under the names that Kubernetes gives them; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ReloadMetrics {
    reloads: Family<Reload, Counter>,
    last: Family<Reload, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    status: &'static str,
}

// === impl Reloader ===

impl Reloader {
    /// Exchanges the configuration of `encryption`, which is `loaded`, for what the file at `path`
    /// holds later.
    pub fn new(
        encryption: Arc<Encryption>,
        loaded: &EncryptionConfig,
        path: PathBuf,
        metrics: ReloadMetrics,
    ) -> Self {
        Self {
            encryption,
            path,
            active: loaded.digest().clone(),
            metrics,
            failure: None,
        }
    }

    /// Looks at the file each `interval`, for ever. It is compared by content: a secret volume
    /// swaps a symbolic link, and its times say nothing.
    pub async fn run(mut self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.poll().await;
        }
    }

    /// Looks at the file once, and tells whether its configuration is a new one. One that cannot be
    /// read or used leaves the old one in place.
    pub async fn poll(&mut self) -> bool {
        let path = self.path.clone();
        let loaded = tokio::task::spawn_blocking(move || EncryptionConfig::load(&path));
        let loaded = loaded
            .await
            .expect("loading does not panic and is not cancelled");
        match loaded {
            Ok(config) if *config.digest() == self.active => {
                self.failure = None;
                false
            }
            Ok(config) => {
                self.active = config.digest().clone();
                self.encryption.exchange(config);
                self.failure = None;
                self.metrics.count("success");
                tracing::info!(path = %self.path.display(), "reloaded the encryption configuration");
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    fn failed(&mut self, error: &EncryptionConfigError) {
        let failure = format!("{error}: {:?}", error.source());
        if self.failure.as_deref() != Some(failure.as_str()) {
            tracing::error!(
                error = error as &dyn Error,
                "keeping the old encryption configuration"
            );
            self.metrics.count("failure");
            self.failure = Some(failure);
        }
    }
}

// === impl ReloadMetrics ===

impl ReloadMetrics {
    /// Counters that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "apiserver_encryption_config_controller_automatic_reloads",
            "Changes of the encryption configuration: success, failure (the old one stays)",
            metrics.reloads.clone(),
        );
        registry.register(
            "apiserver_encryption_config_controller_automatic_reload_last_timestamp_seconds",
            "When the encryption configuration last changed: success, failure (the old one stays)",
            metrics.last.clone(),
        );
        metrics
    }

    fn count(&self, status: &'static str) {
        let reload = Reload { status };
        self.reloads.get_or_create(&reload).inc();
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.unwrap_or_default().as_secs();
        let gauge = self.last.get_or_create(&reload);
        gauge.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }
}
