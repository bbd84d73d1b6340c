//! All objects of one kind in memory, with what recently happened to them.
//!
//! One storage watch writes ([`feed`]); readers take shared objects out. A watcher is no more than
//! a position in the recent changes, so it costs next to nothing, and one that falls behind them
//! is told so and never waited for.

pub(crate) mod feed;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::RwLock;
use tokio::{sync::watch, time::timeout};

use crate::{Object, Stored};

/// At most so many changes are remembered.
const MAX_CHANGES: usize = 10_000;
/// So many changes are news: the forms in which they are sent are kept for whoever comes next.
const NEWS: usize = 64;
/// At most so many bytes of stored values are remembered with the changes: a few minutes of a
/// fleet of thousands of clusters that report every ten seconds.
pub(crate) const MAX_CHANGE_BYTES: usize = 16 << 20;

/// What happened to one object.
#[derive(Debug)]
pub(crate) struct Change<O> {
    /// The revision at which it happened.
    pub(crate) revision: i64,
    /// The object as it is now; nothing where it was deleted.
    pub(crate) object: Option<Arc<Stored<O>>>,
    /// The object as it was before.
    pub(crate) previous: Option<Arc<Stored<O>>>,
    /// Bytes of the stored value.
    size: usize,
    /// [`Self::previous`] as of [`Self::revision`].
    gone: OnceLock<Arc<Stored<O>>>,
}

/// One change as the store tells it.
#[derive(Debug)]
pub(crate) struct Update<O> {
    pub(crate) revision: i64,
    pub(crate) name: Arc<str>,
    pub(crate) object: Option<Arc<Stored<O>>>,
    pub(crate) size: usize,
}

/// Changes after a watcher's position.
#[derive(Debug)]
pub(crate) struct Changes<O> {
    /// The changes, oldest first; at most as many as were asked for.
    pub(crate) changes: Vec<Arc<Change<O>>>,
    /// The position behind them.
    pub(crate) next: u64,
    /// Everything up to this revision is before [`Self::next`].
    pub(crate) revision: i64,
    /// Nothing will come behind these.
    pub(crate) last: bool,
}

/// Objects as of a revision.
#[derive(Debug)]
pub(crate) struct Snapshot<O> {
    /// By name.
    pub(crate) objects: Vec<Arc<Stored<O>>>,
    pub(crate) revision: i64,
    /// The position of a watcher that has seen this.
    pub(crate) next: u64,
    /// Whether there are objects behind the last of these that were not looked at.
    pub(crate) more: bool,
    /// How many objects there are, selected or not.
    pub(crate) count: usize,
}

/// A watcher wants changes that are no longer, or not yet, remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooOld {
    /// The oldest revision after which a watch may start.
    pub(crate) oldest: i64,
}

/// The cache. Empty and at revision 0 until the store was first read.
#[derive(Debug)]
pub(crate) struct Cache<O> {
    state: RwLock<State<O>>,
    /// The revision of the state, sent after each change of it.
    head: watch::Sender<i64>,
}

#[derive(Debug)]
struct State<O> {
    objects: BTreeMap<Arc<str>, Arc<Stored<O>>>,
    changes: VecDeque<Arc<Change<O>>>,
    change_bytes: usize,
    /// The position of the first of the changes.
    first: u64,
    /// All changes after this revision are remembered.
    oldest: i64,
    revision: i64,
    /// Whether nobody keeps this up with the store any more.
    ended: bool,
}

// === impl Change ===

impl<O: Object> Change<O> {
    /// The object as it was before, as of the revision at which it went from sight.
    pub(crate) fn gone(&self) -> Option<Arc<Stored<O>>> {
        let previous = self.previous.as_ref()?;
        Some(Arc::clone(
            self.gone
                .get_or_init(|| Arc::new(previous.at(self.revision))),
        ))
    }

    /// The change is no news any more.
    fn forget_forms(&self) {
        for object in self.object.iter().chain(self.gone.get()) {
            object.forget_forms();
        }
    }
}

// === impl Cache ===

impl<O: Object> Cache<O> {
    pub(crate) fn new() -> Self {
        let state = State {
            objects: BTreeMap::new(),
            changes: VecDeque::new(),
            change_bytes: 0,
            first: 0,
            oldest: 0,
            revision: 0,
            ended: false,
        };
        Self {
            state: RwLock::new(state),
            head: watch::Sender::new(0),
        }
    }

    /// Takes what a read of the whole store found. What happened since the last change is not
    /// known, so every watcher falls behind.
    pub(crate) fn replace(&self, objects: Vec<Arc<Stored<O>>>, revision: i64) {
        let mut state = self.state.write();
        state.first = state.next() + 1;
        state.changes.clear();
        state.change_bytes = 0;
        state.oldest = revision;
        state.revision = revision;
        let objects = objects.into_iter().map(|object| {
            object.forget_forms();
            (Arc::from(object.name()), object)
        });
        state.objects = objects.collect();
    }

    /// Takes changes, in the order of their revisions. Everything up to `revision` is known then.
    /// Readers see them at once, waiting ones after [`Self::announce`].
    pub(crate) fn apply(&self, updates: Vec<Update<O>>, revision: i64) {
        let mut state = self.state.write();
        for update in updates {
            state.apply(update);
        }
        state.revision = revision;
        state.forget();
    }

    /// Wakes all who wait for what was [applied](Self::apply).
    pub(crate) fn announce(&self) {
        self.head.send_replace(self.state.read().revision);
    }

    /// Nothing comes any more: who watches is told what there is, and then that this was all.
    pub(crate) fn end(&self) {
        self.state.write().ended = true;
        self.announce();
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Stored<O>>> {
        self.state.read().objects.get(name).cloned()
    }

    /// The revision up to which everything is known; 0 before the store was first read.
    pub(crate) fn revision(&self) -> i64 {
        self.state.read().revision
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.state.read().objects.len()
    }

    /// The first `limit` objects that `selects` selects; 0 for all of them.
    pub(crate) fn snapshot(&self, limit: usize, selects: impl Fn(&O) -> bool) -> Snapshot<O> {
        let state = self.state.read();
        let limit = if limit == 0 { usize::MAX } else { limit };
        let mut rest = state.objects.values();
        let selected = rest.by_ref().filter(|object| selects(object.object()));
        let objects: Vec<_> = selected.take(limit).cloned().collect();
        Snapshot {
            more: objects.len() == limit && rest.len() > 0,
            objects,
            revision: state.revision,
            next: state.next(),
            count: state.objects.len(),
        }
    }

    /// The position of a watcher that has seen everything up to `revision`.
    pub(crate) fn position_after(&self, revision: i64) -> Result<u64, TooOld> {
        let state = self.state.read();
        if revision < state.oldest {
            return Err(TooOld {
                oldest: state.oldest,
            });
        }
        let seen = state
            .changes
            .partition_point(|change| change.revision <= revision);
        Ok(state.first + u64::try_from(seen).unwrap_or(u64::MAX))
    }

    /// At most `max` changes from `position` on.
    pub(crate) fn changes_from(&self, position: u64, max: usize) -> Result<Changes<O>, TooOld> {
        let state = self.state.read();
        let Some(skip) = position.checked_sub(state.first) else {
            return Err(TooOld {
                oldest: state.oldest,
            });
        };
        let skip = usize::try_from(skip)
            .unwrap_or(usize::MAX)
            .min(state.changes.len());
        let changes: Vec<_> = state.changes.range(skip..).take(max).cloned().collect();
        let next = position + u64::try_from(changes.len()).unwrap_or_default();
        let revision = match changes.last() {
            Some(last) if next < state.next() => last.revision - 1,
            Some(_) | None => state.revision,
        };
        Ok(Changes {
            last: state.ended && next == state.next(),
            changes,
            next,
            revision,
        })
    }

    /// Tells of each change of the revision.
    pub(crate) fn subscribe(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// Waits until everything up to `revision` is known and announced, at most for `patience`.
    /// Whether it is.
    pub(crate) async fn reached(&self, revision: i64, patience: Duration) -> bool {
        let mut head = self.head.subscribe();
        let reached = head.wait_for(|head| *head >= revision);
        timeout(patience, reached)
            .await
            .is_ok_and(|reached| reached.is_ok())
    }
}

// === impl State ===

impl<O: Object> State<O> {
    /// The position behind the last change.
    fn next(&self) -> u64 {
        self.first + u64::try_from(self.changes.len()).unwrap_or_default()
    }

    fn apply(&mut self, update: Update<O>) {
        let Update {
            revision,
            name,
            object,
            size,
        } = update;
        let previous = match &object {
            Some(object) => self.objects.insert(Arc::clone(&name), Arc::clone(object)),
            None => self.objects.remove(&name),
        };
        if object.is_none() && previous.is_none() {
            return;
        }
        self.change_bytes += size;
        let gone = OnceLock::new();
        self.changes.push_back(Arc::new(Change {
            revision,
            object,
            previous,
            size,
            gone,
        }));
        let old = self.changes.len().checked_sub(NEWS + 1);
        if let Some(old) = old.and_then(|old| self.changes.get(old)) {
            old.forget_forms();
        }
    }

    /// Forgets the oldest changes beyond the limits.
    fn forget(&mut self) {
        while self.changes.len() > MAX_CHANGES || self.change_bytes > MAX_CHANGE_BYTES {
            let Some(oldest) = self.changes.pop_front() else {
                break;
            };
            self.change_bytes -= oldest.size;
            self.first += 1;
            self.oldest = oldest.revision;
        }
    }
}

#[cfg(test)]
mod tests;
