//! An [`Index`] that many may read and watch while one writes: what the embedded and the memory
//! store have in common.

use std::{fmt, sync::Arc};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::{Range, RangeResult, StoreError, WatchBatch, index::Index};

/// A shared index. A change is visible to readers and watchers once [`Local::update`] returns.
pub(crate) struct Local {
    index: RwLock<Index>,
    /// The revision of the index, for watchers to wait upon.
    head: watch::Sender<i64>,
}

/// Where a watch stands.
struct Watcher {
    local: Arc<Local>,
    head: watch::Receiver<i64>,
    prefix: String,
    /// Everything up to here was delivered.
    after: i64,
}

// === impl Local ===

impl Local {
    pub(crate) fn new(index: Index) -> Arc<Self> {
        let head = watch::Sender::new(index.revision());
        Arc::new(Self {
            index: RwLock::new(index),
            head,
        })
    }

    pub(crate) fn range(&self, request: &Range) -> Result<RangeResult, StoreError> {
        self.index.read().range(request)
    }

    /// Looks at the index while nobody changes it.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.index.read())
    }

    /// Changes the index, then wakes the watchers.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        let mut index = self.index.write();
        let changed = change(&mut index);
        self.head.send_if_modified(|head| {
            let moved = *head != index.revision();
            *head = index.revision();
            moved
        });
        changed
    }

    pub(crate) fn watch(
        self: &Arc<Self>,
        prefix: String,
        after: i64,
    ) -> BoxStream<'static, Result<WatchBatch, StoreError>> {
        let head = self.head.subscribe();
        let watcher = Watcher {
            local: Arc::clone(self),
            head,
            prefix,
            after,
        };
        stream::unfold(Some(watcher), |watcher| async move {
            let mut watcher = watcher?;
            match watcher.next().await {
                Ok(batch) => Some((Ok(batch), Some(watcher))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("revision", &*self.head.borrow())
            .finish_non_exhaustive()
    }
}

// === impl Watcher ===

impl Watcher {
    /// Waits until the store is past what was delivered.
    async fn next(&mut self) -> Result<WatchBatch, StoreError> {
        loop {
            self.head.mark_unchanged();
            let batch = self
                .local
                .read(|index| index.events_after(&self.prefix, self.after))?;
            if batch.revision > self.after {
                self.after = batch.revision;
                return Ok(batch);
            }
            self.head
                .changed()
                .await
                .expect("the watcher itself keeps the sender alive");
        }
    }
}
