//! Which cluster is this: the members as the proxy knows them, kept up with the cache.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use fleetgate_api::Cluster;
use fleetgate_model::{ClusterName, Member};
use tokio::sync::watch;

use crate::{
    Stored,
    cache::{Update, feed::Observe},
};

/// The members by name.
pub type MemberMap = HashMap<ClusterName, Arc<Member>>;

/// All members. A member is the same `Arc` as long as it is equal, so what was built upon it stays.
#[derive(Debug)]
pub(crate) struct Members {
    /// For whoever looks up one member, without a lock.
    current: ArcSwap<MemberMap>,
    /// For whoever wants to know of changes.
    changes: watch::Sender<Arc<MemberMap>>,
}

// === impl Members ===

impl Members {
    pub(crate) fn new() -> Self {
        let none = Arc::new(MemberMap::new());
        Self {
            current: ArcSwap::new(Arc::clone(&none)),
            changes: watch::Sender::new(none),
        }
    }

    pub(crate) fn get(&self, name: &ClusterName) -> Option<Arc<Member>> {
        self.current.load().get(name).cloned()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<MemberMap>> {
        self.changes.subscribe()
    }

    fn publish(&self, members: MemberMap) {
        let members = Arc::new(members);
        self.current.store(Arc::clone(&members));
        self.changes.send_replace(members);
    }
}

impl Observe<Cluster> for Members {
    fn replaced(&self, objects: &[Arc<Stored<Cluster>>]) {
        let before = self.current.load();
        let members = objects.iter().filter_map(|object| object.object().member());
        let kept = members.map(|member| {
            let same = before
                .get(&member.name)
                .filter(|before| ***before == member);
            (
                member.name.clone(),
                same.cloned().unwrap_or_else(|| Arc::new(member)),
            )
        });
        let members: MemberMap = kept.collect();
        if members != **before {
            self.publish(members);
        }
    }

    fn updated(&self, updates: &[Update<Cluster>]) {
        let before = self.current.load_full();
        // Copied at the first change: most updates are about the status of a cluster.
        let mut members = None;
        for update in updates {
            let Ok(name) = ClusterName::parse(&update.name) else {
                continue;
            };
            let member = update
                .object
                .as_ref()
                .and_then(|object| object.object().member());
            let known = members.as_ref().unwrap_or(&*before).get(&name);
            if known.map(|known| &**known) == member.as_ref() {
                continue;
            }
            let members = members.get_or_insert_with(|| MemberMap::clone(&before));
            match member {
                Some(member) => members.insert(name, Arc::new(member)),
                None => members.remove(&name),
            };
        }
        if let Some(members) = members {
            self.publish(members);
        }
    }
}
