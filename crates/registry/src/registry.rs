//! The REST semantics of one kind over a store: what the API server calls, free of HTTP.

mod apply;
mod create;
mod delete;
mod fill;
mod list;
mod metadata;
mod ownership;
mod page;
mod read;
mod update;
mod watch;

use std::{future::Future, sync::Arc, time::Duration};

use fleetgate_apimachinery::status::Status;
use fleetgate_storage::{KeyValue, Store, Write, WriteResult, key};
use tokio_util::sync::CancellationToken;

use crate::{
    Stored, Strategy,
    cache::{
        Cache,
        feed::{Feed, Observe},
    },
    error::{status, undecodable},
    names::check_path_segment,
    stored::decode,
};

pub use apply::{ApplyError, MayCreate, Outcome as ApplyOutcome, Reached, Wanted};
pub use delete::Deleted;
pub use list::List;
pub use update::{Change, Part};

/// How long a write waits until its own outcome can be read from the cache. The write is done by
/// then; a cache that lags longer has lost its watch and will catch up.
const READ_OWN_WRITE: Duration = Duration::from_secs(5);

/// The objects of one kind: reads, writes and watches.
///
/// Reads that ask for no resource version see every write that was acknowledged before, by any
/// server on the same store. A write that returned is seen by every later read of this registry,
/// those from memory too.
#[derive(Debug)]
pub struct Registry<S: Strategy> {
    strategy: S,
    store: Arc<dyn Store>,
    /// What the keys of all objects begin with; ends in a slash.
    prefix: String,
    cache: Arc<Cache<S::Object>>,
}

/// What became of a conditional write.
enum Outcome<O> {
    /// It is done.
    Committed { revision: i64 },
    /// Somebody else was faster; what is there now.
    Lost { current: Option<Arc<Stored<O>>> },
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// The objects of `strategy` in `store`, with keys under `prefix` (`--etcd-prefix`).
    pub fn new(strategy: S, store: Arc<dyn Store>, prefix: &str) -> Self {
        let names = strategy.names();
        let directory = format!("{}/{}/", names.group, names.resource);
        Self {
            prefix: key(prefix, &directory),
            strategy,
            store,
            cache: Arc::new(Cache::new()),
        }
    }

    /// The rules of the kind.
    pub const fn strategy(&self) -> &S {
        &self.strategy
    }

    /// Whether the store was read once, so that reads from memory and watches can be served.
    pub fn is_synced(&self) -> bool {
        self.cache.revision() > 0
    }

    /// Waits until [`Self::is_synced`].
    pub async fn synced(&self) {
        // The cache holds the sender, so the wait can only end well.
        drop(
            self.cache
                .subscribe()
                .wait_for(|revision| *revision > 0)
                .await,
        );
    }

    /// Keeps what is in memory up with the store until `token` is cancelled, which ends all watches.
    /// A store that is away is asked again and again; it never ends this.
    pub(crate) fn run(
        &self,
        observer: Arc<dyn Observe<S::Object>>,
        token: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<S> {
        let feed = Feed {
            store: Arc::clone(&self.store),
            prefix: self.prefix.clone(),
            names: self.strategy.names(),
            cache: Arc::clone(&self.cache),
            observer,
        };
        async move {
            let cache = Arc::clone(&feed.cache);
            token.run_until_cancelled(feed.run()).await;
            cache.end();
        }
    }

    /// The key of the object called `name`.
    fn key(&self, name: &str) -> Result<String, Status> {
        check_path_segment(name)?;
        Ok(format!("{}{name}", self.prefix))
    }

    fn not_found(&self, name: &str) -> Status {
        Status::not_found(self.strategy.names().group_resource(), name)
    }

    /// The object in `kv`, from memory where it was read before.
    fn read(&self, kv: &KeyValue) -> Result<Arc<Stored<S::Object>>, Status> {
        let name = kv.key.strip_prefix(&self.prefix).unwrap_or_default();
        match self.cache.get(name) {
            Some(cached) if cached.is_of(kv) => Ok(cached),
            Some(_) | None => {
                decode(kv, self.strategy.names()).map_err(|error| undecodable(&error))
            }
        }
    }

    /// Writes, and waits until the outcome can be read from memory.
    async fn write(&self, write: Write) -> Result<Outcome<S::Object>, Status> {
        match self
            .store
            .write(write)
            .await
            .map_err(|error| status(&error))?
        {
            WriteResult::Committed { revision } => {
                if !self.cache.reached(revision, READ_OWN_WRITE).await {
                    tracing::warn!(revision, "the cache lags behind a write");
                }
                Ok(Outcome::Committed { revision })
            }
            WriteResult::Conflict { current } => {
                let current = current.map(|kv| self.read(&kv)).transpose()?;
                Ok(Outcome::Lost { current })
            }
        }
    }
}

#[cfg(test)]
mod tests;
