//! How long connections to a member take: known longer than the credentials that they are made with.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use fleetgate_model::ClusterName;
use parking_lot::Mutex;
use tokio::time::Duration;

/// How long the slowest of the last connections to one host of a member took.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    micros: AtomicU64,
}

/// The paces of all members, each for as long as somebody uses it.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    hosts: Mutex<HashMap<ClusterName, (String, Weak<Pace>)>>,
}

// === impl Pace ===

impl Pace {
    /// A connection took `time`.
    pub(crate) fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        // One that is quick once may be slow the next time.
        let slowest = |last: u64| Some(micros.max(last - last / 4));
        let relaxed = Ordering::Relaxed;
        self.micros
            .fetch_update(relaxed, relaxed, slowest)
            .unwrap_or_default();
    }

    /// What the slowest took.
    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

// === impl Paces ===

impl Paces {
    /// The pace of `cluster` at `host`: the one in use, if the cluster was there before.
    pub(crate) fn of(&self, cluster: &ClusterName, host: &str) -> Arc<Pace> {
        let mut hosts = self.hosts.lock();
        if let Some((before, pace)) = hosts.get(cluster)
            && before == host
            && let Some(pace) = pace.upgrade()
        {
            return pace;
        }
        hosts.retain(|_, (_, pace)| pace.strong_count() > 0);
        let pace = Arc::new(Pace::default());
        hosts.insert(cluster.clone(), (host.to_owned(), Arc::downgrade(&pace)));
        pace
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fleetgate_model::ClusterName;
    use tokio::time::Duration;

    use super::{Pace, Paces};

    fn cluster(name: &str) -> ClusterName {
        ClusterName::parse(name).expect("a name")
    }

    #[test]
    fn a_quick_connection_is_believed_by_and_by() {
        let pace = Pace::default();
        let mut slowest = Vec::new();
        for took in [0, 1600, 10, 10, 2000] {
            pace.took(Duration::from_millis(took));
            slowest.push(pace.slowest().as_millis());
        }
        assert_eq!(slowest, [0, 1600, 1200, 900, 2000]);
    }

    #[test]
    fn it_is_the_same_for_a_cluster_and_a_host_while_it_is_used() {
        let paces = Paces::default();
        let first = paces.of(&cluster("one"), "a");
        assert!(Arc::ptr_eq(&first, &paces.of(&cluster("one"), "a")));
        let other = paces.of(&cluster("other"), "a");
        assert!(!Arc::ptr_eq(&first, &other), "another cluster");
        let elsewhere = paces.of(&cluster("one"), "b");
        assert!(!Arc::ptr_eq(&first, &elsewhere), "another host");
        drop((first, other, elsewhere));
        let anew = paces.of(&cluster("third"), "a");
        assert_eq!(paces.hosts.lock().len(), 1, "nobody uses the others");
        drop(anew);
    }
}
