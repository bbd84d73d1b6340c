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
        let mut reached = Reached::Nothing;
        self.try_apply(name, part, wanted, &mut reached)
            .await
            .map_err(|status| ApplyError { status, reached })
    }

    async fn try_apply(
        &self,
        name: &str,
        part: Part,
        wanted: &Wanted<'_>,
        reached: &mut Reached,
    ) -> Result<Outcome<S::Object>, Status> {
        let dry_run = wanted.options.write.dry_run;
        for _ in 0..MAX_ATTEMPTS {
            let Some(current) = self.find_latest(name).await? else {
                if part == Part::Status {
                    return Err(self.not_found(name));
                }
                let object = self.applied_anew(name, wanted, reached)?;
                match self.create_applied(object, wanted).await {
                    Err(status) if status.reason == "AlreadyExists" => continue,
                    created => return created.map(Outcome::Created),
                }
            };
            let object = self.applied(part, current.object(), wanted)?;
            *reached = Reached::Merged;
            self.check_identity(name, object.metadata(), current.object().metadata())?;
            let next = self.settle(part, object, &current)?;
            match self.update_once(&current, next, dry_run).await? {
                Ok(done) => return Ok(Outcome::Updated(done)),
                Err(_newer) => {}
            }
        }
        let resource = self.strategy.names().group_resource();
        Err(Status::modified(resource, name))
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

    /// The object called `name` that is `wanted`, alone.
    fn applied_anew(
        &self,
        name: &str,
        wanted: &Wanted<'_>,
        reached: &mut Reached,
    ) -> Result<S::Object, Status> {
        let names = self.strategy.names();
        let mut empty = S::Object::default();
        empty.set_type(names.kind, names.api_version);
        let object = self.applied(Part::Main, &empty, wanted)?;
        *reached = Reached::Merged;
        let metadata = object.metadata();
        if !metadata.uid.is_empty() {
            let uid = &metadata.uid;
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was \
                 found"
            );
            return Err(Status::conflict(names.group_resource(), name, &why));
        }
        check_name(name, &metadata.name)?;
        version_number(&metadata.resource_version)?;
        Ok(object)
    }

    async fn create_applied(
        &self,
        mut object: S::Object,
        wanted: &Wanted<'_>,
    ) -> Result<Arc<Stored<S::Object>>, Status> {
        let now = Time::now();
        metadata::fill(object.metadata_mut(), now);
        let object = self.checked_new(object, now)?;
        (wanted.may_create)().await?;
        self.store_new(object, wanted.options.write.dry_run).await
    }
}
