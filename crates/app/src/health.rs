//! What `/livez`, `/readyz` and `/healthz` look at.

use std::{sync::Arc, time::Duration};

use fleetgate_apiserver::health::{Check, Checks, Health};
use fleetgate_storage::{Range, Store};
use futures::future::BoxFuture;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::Storage;

/// Something that must have been read once before requests can be served.
pub(crate) struct Synced {
    pub(crate) name: &'static str,
    pub(crate) is_synced: Box<dyn Fn() -> bool + Send + Sync>,
}

/// How long the store may take to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HealthTimeouts {
    /// `--etcd-healthcheck-timeout`.
    pub(crate) live: Duration,
    /// `--etcd-readycheck-timeout`.
    pub(crate) ready: Duration,
}

/// What the checks look at.
pub(crate) struct Watched {
    store: Arc<dyn Store>,
    /// The key that is read, which need not be there. It lies below the prefix of all keys: the
    /// server may have no right to others.
    key: String,
    timeouts: HealthTimeouts,
    synced: Arc<Vec<Synced>>,
    /// Cancelled when the server is to stop.
    stopping: CancellationToken,
}

// === impl Watched ===

impl Watched {
    /// `store`, which `storage` configures; what must be `synced`; and whether the server is
    /// `stopping`.
    pub(crate) fn new(
        storage: &Storage,
        store: Arc<dyn Store>,
        synced: Vec<Synced>,
        stopping: &CancellationToken,
    ) -> Self {
        Self {
            store,
            key: fleetgate_storage::key(&storage.prefix, "health"),
            timeouts: storage.health,
            synced: Arc::new(synced),
            stopping: stopping.clone(),
        }
    }
}

/// The three endpoints, with the checks that karmada-aggregated-apiserver has (contract, 2.4).
pub(crate) fn checks(watched: &Watched) -> Vec<Checks> {
    let Watched {
        store,
        key,
        timeouts,
        synced,
        stopping,
    } = watched;
    let etcd = |name, limit| {
        let (store, key) = (Arc::clone(store), key.clone());
        Check::new(name, move || answers(&store, &key, limit))
    };
    let live = || {
        let etcd = etcd("etcd", timeouts.live);
        let mut checks = vec![Check::always("ping"), Check::always("log"), etcd];
        let hooks = [
            "poststarthook/generic-apiserver-start-informers",
            "poststarthook/max-in-flight-filter",
            "poststarthook/storage-object-count-tracker-hook",
            "poststarthook/start-aggregated-server-informers",
        ];
        checks.extend(hooks.map(Check::always));
        checks
    };
    let mut ready = live();
    let (informers, stop) = (Arc::clone(synced), stopping.clone());
    ready.push(etcd("etcd-readiness", timeouts.ready));
    ready.push(Check::new("informer-sync", move || {
        let lacking = informers.iter().filter(|s| !(s.is_synced)());
        let lacking: Vec<_> = lacking.map(|s| s.name).collect();
        std::future::ready(match lacking.as_slice() {
            [] => Ok(()),
            names => Err(format!("not read yet: {}", names.join(", "))),
        })
    }));
    ready.push(Check::new("shutdown", move || {
        std::future::ready(match stop.is_cancelled() {
            true => Err("the server is stopping".to_owned()),
            false => Ok(()),
        })
    }));
    vec![
        Checks::new("livez", live()),
        Checks::new("readyz", ready),
        Checks::new("healthz", live()),
    ]
}

fn answers(store: &Arc<dyn Store>, key: &str, limit: Duration) -> BoxFuture<'static, Health> {
    let store = Arc::clone(store);
    let read = Range::key(key);
    Box::pin(async move {
        match timeout(limit, store.range(read)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("the store does not answer: {error}")),
            Err(_) => Err("the store takes too long to answer".to_owned()),
        }
    })
}
