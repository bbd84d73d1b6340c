//! One watcher, which takes nothing for granted.

use std::collections::BTreeMap;

use fleetgate_storage::{Event, EventKind, KeyValue, Store, StoreError, WatchBatch};
use futures::{StreamExt, stream::BoxStream};

use super::{Change, PREFIX, Run, WATCHERS, list};

/// After so many events a watcher of the second kind starts again.
const RESTART: usize = 700;

/// Rebuilds the state from what it is told.
pub(super) struct Watcher {
    pub(super) number: usize,
    pub(super) state: BTreeMap<String, KeyValue>,
    /// Everything up to here was delivered; nothing before it has started.
    after: Option<i64>,
    pub(super) seen: BTreeMap<i64, Change>,
    /// How often it was told that what it wants is forgotten.
    pub(super) forgotten: usize,
}

// === impl Watcher ===

impl Watcher {
    /// The watcher of this number: those of a third of all numbers start later.
    pub(super) fn new(number: usize, start: i64) -> Self {
        Self {
            number,
            state: BTreeMap::new(),
            after: (number % 3 != 2).then_some(start),
            seen: BTreeMap::new(),
            forgotten: 0,
        }
    }

    pub(super) async fn run(&mut self, store: &dyn Store, run: &Run<'_>) {
        let mut end = run.end.subscribe();
        if self.after.is_none() {
            let late = run.wanted / WATCHERS * self.number;
            let mut acknowledged = run.acknowledged.subscribe();
            tokio::select! {
                _ = acknowledged.wait_for(|count| *count >= late) => {}
                _ = end.wait_for(Option::is_some) => {}
            }
            self.read(store).await;
        }
        let mut watch = self.watch(store);
        let mut events = 0;
        loop {
            let wanted = *end.borrow_and_update();
            if wanted.is_some_and(|end| self.reached() >= end) {
                return;
            }
            let next = tokio::select! {
                next = watch.next() => next.expect("a watch goes on"),
                _ = end.changed() => continue,
            };
            match next {
                Ok(batch) => {
                    events += batch.events.len();
                    self.take(batch);
                }
                Err(StoreError::Compacted { .. }) => {
                    self.forgotten += 1;
                    self.read(store).await;
                    watch = self.watch(store);
                }
                Err(error) => panic!("watcher {}: {error:?}", self.number),
            }
            if self.number % 3 == 1 && events > RESTART {
                events = 0;
                watch = self.watch(store);
            }
        }
    }

    fn reached(&self) -> i64 {
        self.after.expect("it has started")
    }

    fn watch(&self, store: &dyn Store) -> BoxStream<'static, Result<WatchBatch, StoreError>> {
        store.watch(PREFIX.to_owned(), self.reached())
    }

    /// Starts from what is there.
    async fn read(&mut self, store: &dyn Store) {
        let (there, revision) = list(store).await;
        self.state = there;
        self.after = Some(revision);
    }

    fn take(&mut self, batch: WatchBatch) {
        let number = self.number;
        for event in batch.events {
            let revision = event.kv.mod_revision;
            let after = self.reached();
            assert!(
                after < revision && revision <= batch.revision,
                "watcher {number}: {event:?} after {after} up to {}",
                batch.revision
            );
            self.after = Some(revision);
            self.apply(event);
        }
        assert!(
            batch.revision >= self.reached(),
            "watcher {number} goes back"
        );
        self.after = Some(batch.revision);
    }

    fn apply(&mut self, event: Event) {
        let Event { kind, kv, prev } = event;
        let (name, revision) = (kv.key.clone(), kv.mod_revision);
        let before = self.state.remove(&name);
        let what = format!(
            "watcher {}: {name} at {revision}, before {before:?}",
            self.number
        );
        if prev.is_some() {
            assert_eq!(prev, before, "{what}");
        }
        let (is_new, version) = before
            .as_ref()
            .map_or((true, 1), |kv| (false, kv.version + 1));
        let value = match kind {
            EventKind::Delete => {
                assert!(before.is_some(), "{what}: gone twice");
                None
            }
            EventKind::Put => {
                assert_eq!(
                    (kv.create_revision == revision, kv.version),
                    (is_new, version),
                    "{what}"
                );
                let value = kv.value.clone();
                self.state.insert(name.clone(), kv);
                Some(value)
            }
        };
        self.seen.insert(revision, (name, value));
    }
}
