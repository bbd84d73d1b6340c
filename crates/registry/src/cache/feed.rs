//! Keeps a cache up with the store: one read of everything, then one watch.

use std::{sync::Arc, time::Duration};

use fleetgate_storage::{Event, EventKind, KeyValue, Range, Store, StoreError, WatchBatch};
use futures::StreamExt;
use tokio::time::sleep;

use super::{Cache, Update};
use crate::{Object, Stored, error::chain, stored::decode, strategy::Names};

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Is told what the cache takes in, before those who wait for it are woken.
pub(crate) trait Observe<O>: Send + Sync + 'static {
    /// The cache now holds `objects` and nothing else.
    fn replaced(&self, objects: &[Arc<Stored<O>>]);
    /// The cache takes `updates`.
    fn updated(&self, updates: &[Update<O>]);
}

/// What a feed reads from and writes to.
pub(crate) struct Feed<O> {
    pub(crate) store: Arc<dyn Store>,
    /// What the keys of all objects begin with; ends in a slash.
    pub(crate) prefix: String,
    pub(crate) names: &'static Names,
    pub(crate) cache: Arc<Cache<O>>,
    pub(crate) observer: Arc<dyn Observe<O>>,
}

/// The pause before the next attempt.
struct Pause(Duration);

// === impl Feed ===

impl<O: Object> Feed<O> {
    /// Keeps the cache up with the store for ever, however often the store fails.
    pub(crate) async fn run(self) {
        let resource = self.names.resource;
        loop {
            let mut seen = self.read_all().await;
            let mut pause = Pause::new();
            loop {
                let error = self.follow(&mut seen, &mut pause).await;
                tracing::warn!(
                    resource,
                    seen,
                    error = chain(&error),
                    "lost the store's watch"
                );
                pause.wait().await;
                if matches!(error, StoreError::Compacted { .. }) {
                    break;
                }
            }
        }
    }

    /// Reads everything, as often as it takes. The revision that was read.
    async fn read_all(&self) -> i64 {
        let mut pause = Pause::new();
        loop {
            match self.store.range(Range::prefix(self.prefix.clone())).await {
                Ok(found) => {
                    let objects: Vec<_> = found
                        .items
                        .iter()
                        .filter_map(|kv| self.decode(kv))
                        .collect();
                    self.observer.replaced(&objects);
                    self.cache.replace(objects, found.revision);
                    self.cache.announce();
                    return found.revision;
                }
                Err(error) => {
                    let (resource, error) = (self.names.resource, chain(&error));
                    tracing::warn!(resource, error, "cannot read the store");
                }
            }
            pause.wait().await;
        }
    }

    /// Takes in what happens after `seen`, until the watch ends, and says why it did.
    async fn follow(&self, seen: &mut i64, pause: &mut Pause) -> StoreError {
        let mut watch = self.store.watch(self.prefix.clone(), *seen);
        while let Some(batch) = watch.next().await {
            match batch {
                Ok(batch) => {
                    *seen = batch.revision;
                    *pause = Pause::new();
                    self.take(&batch);
                }
                Err(error) => return error,
            }
        }
        StoreError::Unavailable {
            source: "the stream of events ended".into(),
        }
    }

    fn take(&self, batch: &WatchBatch) {
        let updates: Vec<_> = batch
            .events
            .iter()
            .filter_map(|event| self.update(event))
            .collect();
        self.observer.updated(&updates);
        self.cache.apply(updates, batch.revision);
        self.cache.announce();
    }

    /// An object that cannot be read is none: rather no answer than one that is out of date.
    fn update(&self, event: &Event) -> Option<Update<O>> {
        let name = event.kv.key.strip_prefix(&self.prefix)?;
        let object = match event.kind {
            EventKind::Delete => None,
            EventKind::Put => self.decode(&event.kv),
        };
        let size = event.kv.value.len();
        Some(Update {
            revision: event.kv.mod_revision,
            name: name.into(),
            object,
            size,
        })
    }

    fn decode(&self, kv: &KeyValue) -> Option<Arc<Stored<O>>> {
        let decoded = decode(kv, self.names);
        decoded
            .inspect_err(|error| {
                tracing::error!(error = chain(error), "a stored object cannot be read");
            })
            .ok()
    }
}

// === impl Pause ===

impl Pause {
    const fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}
