//! The store that keeps nothing: for tests, and for a server that may forget.

use std::sync::Arc;

use futures::{
    FutureExt,
    future::{self, BoxFuture},
    stream::BoxStream,
};

use crate::{
    History, Range, RangeResult, Store, StoreError, WatchBatch, Write, WriteResult, index::Index,
    local::Local,
};

/// A [`Store`] in memory. Requests are answered at once.
#[derive(Debug)]
pub struct MemoryStore {
    local: Arc<Local>,
}

// === impl MemoryStore ===

impl MemoryStore {
    /// An empty store that keeps `history` of the past.
    pub fn new(history: History) -> Self {
        Self {
            local: Local::new(Index::new(history)),
        }
    }
}

impl Store for MemoryStore {
    fn range(&self, request: Range) -> BoxFuture<'_, Result<RangeResult, StoreError>> {
        future::ready(self.local.range(&request)).boxed()
    }

    fn write(&self, request: Write) -> BoxFuture<'_, Result<WriteResult, StoreError>> {
        let result = self.local.update(|index| {
            let mut batch = index.batch();
            let result = batch.write(request)?;
            let events = batch.into_events();
            index.apply(events);
            Ok(result)
        });
        future::ready(result).boxed()
    }

    fn watch(
        &self,
        prefix: String,
        after: i64,
    ) -> BoxStream<'static, Result<WatchBatch, StoreError>> {
        self.local.watch(prefix, after)
    }
}
