//! From where a watch starts.

use std::{sync::Arc, time::Duration};

use fleetgate_apimachinery::{
    options::{ListOptions, ResourceVersion},
    status::Status,
};
use fleetgate_storage::Range;
use futures::Stream;
use uuid::Uuid;

use super::{Registry, read::not_older};
use crate::{
    Strategy,
    error::status,
    selection::Selection,
    watch::{self, InitialEvents, Start, WatchEvent, WatchSpec},
};

/// A watch whose caller sets no time lasts at least so long, and less than twice that: so that not
/// all of them come back at once.
const MIN_WATCH_SECONDS: u64 = 1800;

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// The events that `options` ask for, until their time is over. A watcher that is too slow for
    /// the changes that are remembered is ended with an `ERROR` event, as is one that starts at a
    /// resource version that is no longer remembered.
    ///
    /// # Errors
    /// 400 for selectors that are none, 429 while the store was not read yet.
    pub async fn watch(
        &self,
        options: &ListOptions,
    ) -> Result<impl Stream<Item = WatchEvent<S::Object>> + Send + use<S>, Status> {
        let selection = Selection::of(options)?;
        if !self.is_synced() {
            return Err(Status::too_many_requests("storage is (re)initializing", 1));
        }
        let start = match self.start(options, &selection).await {
            Ok(start) => start,
            // Told in the stream, as all that happens after a watch was accepted.
            Err(status) => Start::Never(Box::new(status)),
        };
        let lasts = options.timeout.unwrap_or_else(random_time);
        let bookmarks = options.allow_watch_bookmarks;
        let spec = WatchSpec {
            selection,
            start,
            lasts,
            bookmarks,
        };
        Ok(watch::watch(
            Arc::clone(&self.cache),
            self.strategy.names(),
            spec,
        ))
    }

    async fn start(
        &self,
        options: &ListOptions,
        selection: &Selection,
    ) -> Result<Start<S::Object>, Status> {
        let number = |revision: u64| i64::try_from(revision).unwrap_or(i64::MAX);
        Ok(
            match (options.resource_version, options.send_initial_events) {
                (ResourceVersion::Unset | ResourceVersion::Any, None) => {
                    Start::Everything(InitialEvents::Unmarked)
                }
                (ResourceVersion::Any, Some(true)) => Start::Everything(InitialEvents::Marked),
                (ResourceVersion::Any, Some(false)) => Start::Now,
                (ResourceVersion::At(revision), None | Some(false)) => {
                    Start::After(number(revision))
                }
                (ResourceVersion::Unset, Some(false)) => Start::After(self.store_revision().await?),
                (ResourceVersion::At(revision), Some(true)) => {
                    self.start_not_older(revision, selection).await?
                }
                (ResourceVersion::Unset, Some(true)) => {
                    let revision = u64::try_from(self.store_revision().await?).unwrap_or_default();
                    self.start_not_older(revision, selection).await?
                }
            },
        )
    }

    /// With everything that there is in a state not older than `revision`: from memory if that is
    /// up to it, else from the store. (Where others write to the same store, its revision moves
    /// without news for us.)
    async fn start_not_older(
        &self,
        revision: u64,
        selection: &Selection,
    ) -> Result<Start<S::Object>, Status> {
        if self.remembers(revision) {
            return Ok(Start::Everything(InitialEvents::Marked));
        }
        let found = self.store.range(Range::prefix(self.prefix.clone())).await;
        let found = found.map_err(|error| status(&error))?;
        not_older(revision, found.revision)?;
        let objects = found.items.iter().map(|kv| self.read(kv));
        let mut objects = objects.collect::<Result<Vec<_>, _>>()?;
        objects.retain(|object| selection.selects(object.object()));
        Ok(Start::Found {
            objects,
            revision: found.revision,
        })
    }
}

fn random_time() -> Duration {
    let random = u64::try_from(Uuid::new_v4().as_u128() & 0xffff_ffff).unwrap_or_default();
    Duration::from_secs(MIN_WATCH_SECONDS + random % MIN_WATCH_SECONDS)
}
