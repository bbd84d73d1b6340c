//! Server-side apply: what becomes of an object, and of who owns its fields.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    APPLY, FieldManager,
    compare::compare,
    configuration::Configuration,
    conflict::Conflicts,
    entries::Managed,
    last_applied,
    merge::{fields_of, merge},
    prune::prune,
};
use crate::{
    definition::Type,
    meta::{ManagedFieldsEntry, Time},
    status::Status,
    zero::read_nulls,
};

/// Who owned the fields of an object whose owners were not noted before it was applied to.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Whether an apply takes fields from other managers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// It fails where others want them otherwise.
    #[default]
    No,
    /// It takes them.
    Yes,
}

/// One apply.
#[derive(Clone, Copy, Debug)]
pub struct Apply<'a> {
    /// What is wanted.
    pub configuration: &'a Configuration,
    /// Whether fields are taken from others.
    pub force: Force,
    /// The empty object of the type.
    pub empty: &'a Value,
    /// The time to be noted.
    pub now: Time,
}

/// What an apply makes of an object.
#[derive(Clone, Debug)]
pub struct Applied<T> {
    /// The object, without `managedFields`.
    pub object: T,
    /// Its `managedFields`.
    pub entries: Vec<ManagedFieldsEntry>,
}

/// A merged object, or nothing if it is what it was.
type Merged = (Option<Value>, Managed);

// === impl FieldManager ===

impl FieldManager<'_> {
    /// What `apply` makes of `live`; of an object that is to be created, `live` is the empty one.
    ///
    /// # Errors
    /// 400 and 500 for a configuration that does not fit the type (in kube-apiserver's words and
    /// codes), 409 for conflicts.
    pub fn apply<T: DeserializeOwned>(
        &self,
        live: &Value,
        apply: &Apply<'_>,
    ) -> Result<Applied<T>, Status> {
        let ty = Type::Named(self.definition);
        let configuration = apply.configuration;
        let managed = self.owners_of(live, apply)?;
        configuration.check(ty)?;
        let first = self.merged(live, apply, managed.clone(), apply.force);
        let (merged, mut managed) = match first {
            Ok(merged) => merged,
            Err(mut conflicts) => {
                if self.manager == last_applied::KUBECTL {
                    conflicts.allow(&last_applied::applied_before(live, self.api_version, ty));
                }
                if !conflicts.is_empty() {
                    return Err(conflicts.status());
                }
                self.merged(live, apply, managed, Force::Yes)
                    .map_err(|conflicts| conflicts.status())?
            }
        };
        if merged.is_some() {
            managed.stamp(&self.identity(APPLY), apply.now);
        }
        let mut object = merged.unwrap_or_else(|| live.clone());
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        if self.manager == last_applied::KUBECTL {
            last_applied::update(&mut object, configuration);
        }
        read_nulls(&mut object, ty);
        let object = T::deserialize(object).map_err(|error| configuration.misfit(&error))?;
        configuration.check_strictly()?;
        Ok(Applied {
            object,
            entries: managed.into_entries(),
        })
    }

    /// Who owns what of `live` by now.
    fn owners_of(&self, live: &Value, apply: &Apply<'_>) -> Result<Managed, Status> {
        let entries = live.pointer("/metadata/managedFields");
        let managed = entries.map_or_else(|| Some(Managed::default()), Managed::from_value);
        let Some(mut managed) = managed else {
            let message = "failed to decode managed fields: they have another form";
            return Err(Status::failure(500, "", message));
        };
        if managed.is_empty() {
            let before = FieldManager {
                manager: BEFORE_FIRST_APPLY,
                ..*self
            };
            before.update(&mut managed, apply.empty, live, apply.now);
        }
        managed.drop_other_versions(self.api_version);
        managed.settle(Type::Named(self.definition));
        Ok(managed)
    }

    /// `live` with the configuration merged in, and with who owns what then. Nothing for the
    /// object if it stays what it was.
    fn merged(
        &self,
        live: &Value,
        apply: &Apply<'_>,
        mut managed: Managed,
        force: Force,
    ) -> Result<Merged, Conflicts> {
        let ty = Type::Named(self.definition);
        let configuration = apply.configuration.object();
        let identity = self.identity(APPLY);
        let merged = merge(Some(live), Some(configuration), ty).unwrap_or_default();
        let mut fields = fields_of(configuration, ty);
        for name in self.reset {
            fields.exclude(name);
        }
        let last = managed.set(identity.clone(), fields);
        let object = prune(merged, &last, &managed.all(), ty);

        let mut changes = compare(live, &object, ty);
        for name in self.reset {
            changes.exclude(name);
        }
        let conflicts = managed.conflicts(&identity, &changes.added_and_modified());
        if force == Force::No && !conflicts.is_empty() {
            return Err(conflicts);
        }
        managed.take(Some(&identity), &changes);
        managed.strip(&identity);
        Ok(((object != *live).then_some(object), managed))
    }
}

// === impl Force ===

impl From<Option<bool>> for Force {
    fn from(force: Option<bool>) -> Self {
        match force {
            Some(true) => Self::Yes,
            Some(false) | None => Self::No,
        }
    }
}
