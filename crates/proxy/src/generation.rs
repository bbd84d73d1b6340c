//! What was begun in one way to a member, with one set of credentials, and when it has to end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fleetgate_model::ClusterName;
use fleetgate_stack::Tasks;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long what lasts goes on after the credentials or the way to the member were replaced.
/// Reflectors of client-go ask for watches of 5 to 10 minutes: theirs end by themselves.
pub(crate) const GRACE: Duration = Duration::from_mins(10);

/// The watches and upgrades of one cluster that were begun in one way. Clones share them; whoever
/// is one of them, or may still begin one, holds a clone.
#[derive(Clone, Debug)]
pub(crate) struct Generation {
    /// Ends all generations of the cluster.
    cluster: CancellationToken,
    ending: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    expires: AtomicBool,
    /// Ends the task that waits for the grace period to be over once there is nothing left to end.
    _last: DropGuard,
}

// === impl Generation ===

impl Generation {
    /// The first one of a cluster; `stopping` ends them all.
    pub(crate) fn first(stopping: &CancellationToken) -> Self {
        Self::of(stopping.child_token())
    }

    /// The next one of the same cluster.
    pub(crate) fn next(&self) -> Self {
        Self::of(self.cluster.clone())
    }

    fn of(cluster: CancellationToken) -> Self {
        let ending = cluster.child_token();
        let shared = Shared {
            expires: AtomicBool::new(false),
            _last: ending.clone().drop_guard(),
        };
        Self {
            cluster,
            ending,
            shared: Arc::new(shared),
        }
    }

    /// Is cancelled when what is of this generation has to end.
    pub(crate) const fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    /// Ends what lasts of the cluster, now.
    pub(crate) fn end_all(&self) {
        self.cluster.cancel();
    }

    /// Whether nothing more may begin in it.
    pub(crate) fn expires(&self) -> bool {
        self.shared.expires.load(Ordering::Relaxed)
    }

    /// Lets what was begun go on for [`GRACE`], and then ends it.
    pub(crate) fn expire(&self, cluster: &ClusterName, tasks: &Tasks) {
        if self.shared.expires.swap(true, Ordering::Relaxed) {
            return;
        }
        let (ending, cluster) = (self.ending.clone(), cluster.clone());
        let grace = sleep(GRACE);
        tasks.spawn_until_stopped(async move {
            let over = ending.run_until_cancelled(grace).await.is_some();
            if over {
                let cluster = cluster.as_str();
                tracing::info!(
                    cluster,
                    "what lasts since before a change of credentials ends now"
                );
                ending.cancel();
            }
        });
    }
}
