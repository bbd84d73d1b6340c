//! Updates: read, change, write if nobody else did meanwhile.

use std::{fmt, sync::Arc};

use fleetgate_apimachinery::{
    field::FieldError,
    meta::{ObjectMeta, Time},
    options::{DryRun, UpdateOptions},
    query::parse_uint,
    status::Status,
    validation::{validate_object_meta, validate_object_meta_update},
};
use fleetgate_storage::Write;

use super::{Outcome, Registry, metadata, ownership::same_owners};
use crate::{Object, Stored, Strategy, names::path_segment_errors, stored::encode};

/// How often a change is made anew because somebody else was faster. Each time that happens,
/// somebody else got through, so this is met only where writers without end meet on one object.
pub(super) const MAX_ATTEMPTS: usize = 100;

/// Which part of an object a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but the status.
    Main,
    /// The status alone (subresource `status`).
    Status,
}

/// What becomes of an object.
pub enum Change<'a, O> {
    /// It is replaced by this one. Its uid and resource version, where it has them, must be those
    /// of the object that is there.
    Replace(O),
    /// It becomes what this makes of it, as a patch does. Called again with the newer object where
    /// somebody else was faster; a resource version that it sets itself must be the one that is
    /// there.
    With(Box<dyn FnMut(&Stored<O>) -> Result<O, Status> + Send + 'a>),
}

/// The next state of an object.
pub(super) enum Next<O> {
    /// It is what it was.
    Same,
    /// Its last finalizer was taken off: it goes.
    Gone(O),
    Written(O),
}

// === impl Change ===

impl<'a, O> Change<'a, O> {
    /// The object becomes what `change` makes of it.
    pub fn with(change: impl FnMut(&Stored<O>) -> Result<O, Status> + Send + 'a) -> Self {
        Self::With(Box::new(change))
    }
}

impl<O: fmt::Debug> fmt::Debug for Change<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replace(object) => f.debug_tuple("Replace").field(object).finish(),
            Self::With(_) => f.debug_struct("With").finish_non_exhaustive(),
        }
    }
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Makes `change` to `part` of the object called `name`. An object that is the same after it is
    /// not written and keeps its resource version. `field_manager` of the `options` is the manager
    /// to be recorded, with the default already in place.
    ///
    /// # Errors
    /// 404 where there is no such object, 409 where it is not the one that was expected, 422 for
    /// what is not valid, those of the change, and those of the store.
    pub async fn update(
        &self,
        name: &str,
        part: Part,
        mut change: Change<'_, S::Object>,
        options: &UpdateOptions,
    ) -> Result<Arc<Stored<S::Object>>, Status> {
        if let Change::Replace(object) = &change {
            check_name(name, &object.metadata().name)?;
        }
        let mut current = self.get_latest(name).await?;
        for _ in 0..MAX_ATTEMPTS {
            let object = self.changed(name, &current, &mut change)?;
            let next = self.next(part, object, &current, options)?;
            match self.update_once(&current, next, options.dry_run).await? {
                Ok(done) => return Ok(done),
                Err(Some(newer)) => current = newer,
                Err(None) => return Err(self.not_found(name)),
            }
        }
        Err(Status::modified(
            self.strategy.names().group_resource(),
            name,
        ))
    }

    /// Writes `next` over `current`. What is there instead, if somebody else was faster.
    pub(super) async fn update_once(
        &self,
        current: &Arc<Stored<S::Object>>,
        next: Next<S::Object>,
        dry_run: DryRun,
    ) -> Result<Result<Arc<Stored<S::Object>>, Option<Arc<Stored<S::Object>>>>, Status> {
        let names = self.strategy.names();
        let (key, mod_revision) = (self.key(current.name())?, current.revision());
        let (object, write) = match next {
            Next::Same => return Ok(Ok(Arc::clone(current))),
            Next::Gone(object) => (object, Write::Delete { key, mod_revision }),
            Next::Written(object) => {
                let value = current.encode_next(&object, self.strategy.item_keys());
                let value = value.map_err(Status::internal)?;
                (
                    object,
                    Write::Update {
                        key,
                        value,
                        mod_revision,
                    },
                )
            }
        };
        let gone = matches!(write, Write::Delete { .. });
        if dry_run == DryRun::All {
            return Ok(Ok(Arc::new(Stored::new(object, mod_revision, names))));
        }
        Ok(match self.write(write).await? {
            // Who takes off the last finalizer gets the object as it would have been written.
            Outcome::Committed { .. } if gone => {
                Ok(Arc::new(Stored::new(object, mod_revision, names)))
            }
            Outcome::Committed { revision } => Ok(Arc::new(Stored::new(object, revision, names))),
            Outcome::Lost { current } => Err(current),
        })
    }

    /// What `change` makes of `current`, if it may.
    fn changed(
        &self,
        name: &str,
        current: &Stored<S::Object>,
        change: &mut Change<'_, S::Object>,
    ) -> Result<S::Object, Status> {
        let resource = self.strategy.names().group_resource();
        let is = current.object().metadata();
        let object = match change {
            Change::Replace(object) => {
                let uid = &object.metadata().uid;
                if !uid.is_empty() && *uid != is.uid {
                    let key = self.key(name)?;
                    let why = format!(
                        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, \
                         AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID \
                         in object meta: {}",
                        is.uid
                    );
                    return Err(Status::conflict(resource, name, &why));
                }
                object.clone()
            }
            Change::With(change) => change(current)?,
        };
        self.check_identity(name, object.metadata(), is)?;
        Ok(object)
    }

    /// Refuses an object that says it is another one, or another version, than that which `is`.
    pub(super) fn check_identity(
        &self,
        name: &str,
        wanted: &ObjectMeta,
        is: &ObjectMeta,
    ) -> Result<(), Status> {
        check_name(name, &wanted.name)?;
        let version = version_number(&wanted.resource_version)?;
        if version != 0 && wanted.resource_version != is.resource_version {
            let resource = self.strategy.names().group_resource();
            return Err(Status::modified(resource, name));
        }
        Ok(())
    }

    /// The next state of `current`, which `object` is to become.
    fn next(
        &self,
        part: Part,
        mut object: S::Object,
        current: &Stored<S::Object>,
        options: &UpdateOptions,
    ) -> Result<Next<S::Object>, Status> {
        metadata::dedup_owners(object.metadata_mut());
        let object = self.own(part, object, current.object(), options)?;
        self.settle(part, object, current)
    }

    /// The next state of `current`, which `object` is to become, with whose its fields are.
    pub(super) fn settle(
        &self,
        part: Part,
        mut object: S::Object,
        current: &Stored<S::Object>,
    ) -> Result<Next<S::Object>, Status> {
        let (now, old) = (Time::now(), current.object());
        let errors = match part {
            Part::Main => self.prepare_main(&mut object, old),
            Part::Status => {
                let mut errors = other_uid(object.metadata(), old.metadata());
                object = self.only_status(object, old);
                errors.extend(self.strategy.validate_status(&object));
                errors
            }
        };
        self.refuse_invalid(&object, &errors)?;
        if part == Part::Main {
            self.strategy.canonicalize(&mut object, now);
        }
        if goes(&object, old) {
            return Ok(Next::Gone(object));
        }
        // A change that came to nothing does not move the times at which fields were changed.
        let (fields, old_fields) = (
            &object.metadata().managed_fields,
            &old.metadata().managed_fields,
        );
        let mut timeless = object.clone();
        if same_owners(fields, old_fields) {
            timeless
                .metadata_mut()
                .managed_fields
                .clone_from(old_fields);
        }
        let bytes = |object| encode(object, self.strategy.names()).map_err(Status::internal);
        let same = bytes(&timeless)? == bytes(old)?;
        Ok(match (same, current.is_stale()) {
            (true, false) => Next::Same,
            (true, true) => Next::Written(timeless),
            (false, _) => Next::Written(object),
        })
    }

    /// Brings what the caller may not change back into `object`. What is wrong with it then.
    fn prepare_main(&self, object: &mut S::Object, old: &S::Object) -> Vec<FieldError> {
        object
            .metadata_mut()
            .resource_version
            .clone_from(&old.metadata().resource_version);
        object.metadata_mut().generation = old.metadata().generation;
        self.strategy.prepare_for_update(object, old);
        metadata::keep(object.metadata_mut(), old.metadata());
        let mut errors = validate_object_meta(object.metadata(), path_segment_errors);
        errors.extend(validate_object_meta_update(
            object.metadata(),
            old.metadata(),
        ));
        errors.extend(self.strategy.validate_update(object, old));
        errors
    }

    /// `old` with the status of `object`, and with whom that is recorded to be from.
    fn only_status(&self, object: S::Object, old: &S::Object) -> S::Object {
        let mut next = old.clone();
        next.metadata_mut()
            .managed_fields
            .clone_from(&object.metadata().managed_fields);
        self.strategy.take_status(&mut next, object);
        next
    }

    pub(super) fn refuse_invalid(
        &self,
        object: &S::Object,
        errors: &[FieldError],
    ) -> Result<(), Status> {
        let names = self.strategy.names();
        match errors {
            [] => Ok(()),
            errors => Err(Status::invalid(
                names.group_kind(),
                &object.metadata().name,
                errors,
            )),
        }
    }
}

/// What is wrong with `metadata` if it names another object than `old`: one that was deleted and
/// made again, for instance.
fn other_uid(metadata: &ObjectMeta, old: &ObjectMeta) -> Vec<FieldError> {
    if metadata.uid.is_empty() || metadata.uid == old.uid {
        return Vec::new();
    }
    let named = ObjectMeta {
        uid: metadata.uid.clone(),
        ..old.clone()
    };
    validate_object_meta_update(&named, old)
}

/// The number of a resource version; 0 is none. What is no number is no fault of the caller, as
/// Kubernetes tells it.
pub(super) fn version_number(version: &str) -> Result<u64, Status> {
    match version {
        "" => Ok(0),
        version => parse_uint(version).map_err(|error| Status::failure(500, "", error.to_string())),
    }
}

/// Refuses an object that is called `of_object` where one called `name` is asked for.
pub(super) fn check_name(name: &str, of_object: &str) -> Result<(), Status> {
    match of_object {
        "" => Err(Status::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        _ if of_object == name => Ok(()),
        _ => Err(Status::bad_request(format!(
            "the name of the object ({of_object}) does not match the name on the URL ({name})"
        ))),
    }
}

/// Whether an update completes a deletion: nothing holds the object any more.
fn goes<O: Object>(object: &O, old: &O) -> bool {
    let grace = old
        .metadata()
        .deletion_grace_period_seconds
        .unwrap_or_default();
    object.metadata().finalizers.is_empty()
        && old.metadata().deletion_timestamp.is_some()
        && grace == 0
}
