//! What `/livez`, `/readyz` and `/healthz` look at.

use std::{sync::Arc, time::Duration};

use fleetgate_apiserver::health::{Check, Checks, Health};
use fleetgate_storage::{Range, Store};
use futures::future::BoxFuture;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than a store that is well takes; shorter than a probe waits (contract, 2.1:
/// `--etcd-healthcheck-timeout`).
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Something that must have been read once before requests can be served.
pub(crate) struct Synced {
    pub(crate) name: &'static str,
    pub(crate) is_synced: Box<dyn Fn() -> bool + Send + Sync>,
}

/// What the checks look at.
pub(crate) struct Watched {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) synced: Arc<Vec<Synced>>,
    /// Cancelled when the server is to stop.
    pub(crate) stopping: CancellationToken,
}

/// The three endpoints, with the checks that karmada-aggregated-apiserver has (contract, 2.4).
pub(crate) fn checks(watched: &Watched) -> Vec<Checks> {
    let Watched {
        store,
        synced,
        stopping,
    } = watched;
    let etcd = |name| {
        let store = Arc::clone(store);
        Check::new(name, move || answers(&store))
    };
    let live = || {
        let mut checks = vec![Check::always("ping"), Check::always("log"), etcd("etcd")];
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
    ready.push(etcd("etcd-readiness"));
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

fn answers(store: &Arc<dyn Store>) -> BoxFuture<'static, Health> {
    let store = Arc::clone(store);
    Box::pin(async move {
        match timeout(STORE_TIMEOUT, store.range(Range::key("health"))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("the store does not answer: {error}")),
            Err(_) => Err("the store takes too long to answer".to_owned()),
        }
    })
}
