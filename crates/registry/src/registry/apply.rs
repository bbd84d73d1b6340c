//! Server-side apply: what is wanted is merged into what is there, which need not be anything.

use std::{fmt, sync::Arc};

use fleetgate_apimachinery::{
    managed_fields::{Applied, Apply, Configuration, Force},
    meta::Time,
    options::PatchOptions,
    status::Status,
};
use futures::future::BoxFuture;

use super::{
    Part, Registry, metadata,
    ownership::value,
    update::{MAX_ATTEMPTS, check_name, version_number},
};
use crate::{Object, Stored, Strategy};

/// What an apply came to.
#[derive(Debug)]
pub enum Outcome<O> {
    /// The object was not there before.
    Created(Arc<Stored<O>>),
    /// The object was there.
    Updated(Arc<Stored<O>>),
}

/// Why nothing was applied.
#[derive(Debug)]
pub struct ApplyError {
    /// What to answer.
    pub status: Status,
    /// How far it came.
    pub reached: Reached,
}

/// How far an apply came that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It could not be merged into what is there, or nobody tried.
    Nothing,
    /// It was merged, and what came of it was refused.
    Merged,
}

/// Says, at the last moment, whether the caller may create what is not there yet.
pub type MayCreate<'a> = &'a (dyn Fn() -> BoxFuture<'a, Result<(), Status>> + Send + Sync);

/// What is to be applied, how, and by whom.
pub struct Wanted<'a> {
    /// What is wanted.
    pub configuration: &'a Configuration,
    /// The options, which name the manager.
    pub options: &'a PatchOptions,
    /// Whether the object may be created.
    pub may_create: MayCreate<'a>,
}

// === impl ApplyError ===

impl ApplyError {
    const fn merged(status: Status) -> Self {
        Self {
            status,
            reached: Reached::Merged,
        }
    }
}

impl From<Status> for ApplyError {
    fn from(status: Status) -> Self {
        Self {
            status,
            reached: Reached::Nothing,
        }
    }
}

// === impl Wanted ===

impl fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("configuration", self.configuration)
            .field("options", self.options)
            .finish_non_exhaustive()
    }
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Applies what is `wanted` to `part` of the object called `name`, and creates that if it is
    /// not there, where the caller may. An apply that changes nothing is not written.
    ///
    /// # Errors
    /// 409 for conflicts with other managers and for an object that is not the one that was
    /// expected, 404 for the status of an object that is not there, 422 for what is not valid,
    /// those of the configuration, of `may_create` and of the store.
    pub async fn apply(
        &self,
        name: &str,
        part: Part,
        wanted: &Wanted<'_>,
    ) -> Result<Outcome<S::Object>, ApplyError> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(current) = self.find_latest(name).await? else {
                if part == Part::Status {
                    return Err(self.not_found(name).into());
                }
                match self.create_applied(name, wanted).await {
                    Err(error) if error.status.reason == "AlreadyExists" => continue,
                    created => return created.map(Outcome::Created),
                }
            };
            let object = self.applied(part, current.object(), wanted)?;
            let written = self.update_merged(part, object, &current, wanted).await;
            if let Some(done) = written.map_err(ApplyError::merged)? {
                return Ok(Outcome::Updated(done));
            }
        }
        let resource = self.strategy.names().group_resource();
        Err(ApplyError::merged(Status::modified(resource, name)))
    }

    /// What comes of `live`.
    fn applied(
        &self,
        part: Part,
        live: &S::Object,
        wanted: &Wanted<'_>,
    ) -> Result<S::Object, Status> {
        let Wanted {
            configuration,
            options,
            ..
        } = wanted;
        let manager = self.manager(part, &options.write.field_manager);
        let mut empty = S::Object::default();
        let names = self.strategy.names();
        empty.set_type(names.kind, names.api_version);
        let apply = Apply {
            configuration,
            force: Force::from(options.force),
            empty: &value(&empty)?,
            now: Time::now(),
        };
        let Applied {
            mut object,
            entries,
        } = manager.apply::<S::Object>(&value(live)?, &apply)?;
        object.metadata_mut().managed_fields = entries;
        metadata::dedup_owners(object.metadata_mut());
        Ok(object)
    }

    /// Writes what `current` becomes, unless something newer is there.
    async fn update_merged(
        &self,
        part: Part,
        object: S::Object,
        current: &Arc<Stored<S::Object>>,
        wanted: &Wanted<'_>,
    ) -> Result<Option<Arc<Stored<S::Object>>>, Status> {
        let known = current.object().metadata();
        self.check_identity(current.name(), object.metadata(), known)?;
        let next = self.settle(part, object, current)?;
        let dry_run = wanted.options.write.dry_run;
        Ok(self.update_once(current, next, dry_run).await?.ok())
    }

    /// Creates the object called `name` that is `wanted`, alone.
    async fn create_applied(
        &self,
        name: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Arc<Stored<S::Object>>, ApplyError> {
        let names = self.strategy.names();
        let mut empty = S::Object::default();
        empty.set_type(names.kind, names.api_version);
        let object = self.applied(Part::Main, &empty, wanted)?;
        let created = self.create_merged(name, object, wanted).await;
        created.map_err(ApplyError::merged)
    }

    async fn create_merged(
        &self,
        name: &str,
        mut object: S::Object,
        wanted: &Wanted<'_>,
    ) -> Result<Arc<Stored<S::Object>>, Status> {
        let metadata = object.metadata_mut();
        if !metadata.uid.is_empty() {
            let uid = &metadata.uid;
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was \
                 found"
            );
            let resource = self.strategy.names().group_resource();
            return Err(Status::conflict(resource, name, &why));
        }
        check_name(name, &metadata.name)?;
        version_number(&metadata.resource_version)?;
        let now = Time::now();
        metadata::fill(metadata, now);
        let object = self.checked_new(object, now)?;
        (wanted.may_create)().await?;
        self.store_new(object, wanted.options.write.dry_run).await
    }
}
