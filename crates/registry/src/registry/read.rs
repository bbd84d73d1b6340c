//! Reading one object.

use std::sync::Arc;

use fleetgate_apimachinery::{
    options::{GetOptions, ResourceVersion},
    status::Status,
};
use fleetgate_storage::Range;

use super::Registry;
use crate::{Stored, Strategy};

/// How long a caller is asked to wait for a resource version that is not there yet, in seconds.
pub(super) const TOO_LARGE_RETRY_SECONDS: u32 = 1;

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// The object called `name`: the newest, or, for a caller that names a resource version, one
    /// from memory that is not older.
    ///
    /// # Errors
    /// 404 where there is none, 504 for a resource version yet to come, and those of the store.
    pub async fn get(
        &self,
        name: &str,
        options: GetOptions,
    ) -> Result<Arc<Stored<S::Object>>, Status> {
        let wanted = match options.resource_version {
            ResourceVersion::Unset => return self.get_latest(name).await,
            ResourceVersion::Any => 0,
            ResourceVersion::At(revision) => revision,
        };
        if self.remembers(wanted) {
            self.key(name)?;
            return self.cache.get(name).ok_or_else(|| self.not_found(name));
        }
        let (found, revision) = self.get_with_revision(name, None).await?;
        not_older(wanted, revision)?;
        found.ok_or_else(|| self.not_found(name))
    }

    /// The newest object called `name`, asked from the store.
    pub(super) async fn get_latest(&self, name: &str) -> Result<Arc<Stored<S::Object>>, Status> {
        let found = self.find_latest(name).await?;
        found.ok_or_else(|| self.not_found(name))
    }

    /// The newest object called `name`, asked from the store, if there is one.
    pub(super) async fn find_latest(
        &self,
        name: &str,
    ) -> Result<Option<Arc<Stored<S::Object>>>, Status> {
        let (found, _) = self.get_with_revision(name, None).await?;
        Ok(found)
    }

    /// What is called `name` at the revision `at`, or now, and the revision that was read.
    pub(super) async fn get_with_revision(
        &self,
        name: &str,
        at: Option<i64>,
    ) -> Result<(Option<Arc<Stored<S::Object>>>, i64), Status> {
        let range = Range {
            at,
            ..Range::key(self.key(name)?)
        };
        let found = self.read_piece(range, None).await?;
        let object = found.items.first().map(|kv| self.read(kv)).transpose()?;
        Ok((object, found.revision))
    }

    /// Whether memory is up to `revision`.
    pub(super) fn remembers(&self, revision: u64) -> bool {
        let known = self.cache.revision();
        known > 0 && u64::try_from(known).is_ok_and(|known| known >= revision)
    }
}

/// Refuses a state that is older than the caller wants it.
pub(super) fn not_older(wanted: u64, revision: i64) -> Result<(), Status> {
    let current = u64::try_from(revision).unwrap_or_default();
    if current < wanted {
        Err(Status::too_large_resource_version(
            wanted,
            current,
            TOO_LARGE_RETRY_SECONDS,
        ))
    } else {
        Ok(())
    }
}
