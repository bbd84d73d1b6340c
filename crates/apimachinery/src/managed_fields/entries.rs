//! The entries of `managedFields`: read, changed, capped and written in their order.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{APPLY, FieldSet, UPDATE, compare::Changes, conflict::Conflicts};
use crate::{
    definition::Type,
    meta::{FieldsV1, ManagedFieldsEntry, Time},
};

/// Most entries of updates; older ones are joined.
const MAX_UPDATERS: usize = 10;
/// Who owns what the joined entries owned.
const OLD_UPDATERS: &str = "ancient-changes";

/// What tells one entry from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The manager's name.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// The version in which the fields are named.
    pub api_version: String,
    /// The subresource that was written to.
    pub subresource: String,
}

/// All entries of one object.
#[derive(Clone, Debug, Default)]
pub(super) struct Managed(BTreeMap<Identity, Owned>);

#[derive(Clone, Debug, Default)]
struct Owned {
    fields: FieldSet,
    time: Option<Time>,
}

// === impl Managed ===

impl Managed {
    /// Reads entries; nothing if one of them has another form.
    pub(super) fn from_value(entries: &Value) -> Option<Self> {
        let mut managed = BTreeMap::new();
        for entry in entries.as_array()? {
            let entry = ManagedFieldsEntry::deserialize(entry).ok()?;
            let is_known = matches!(entry.operation.as_str(), APPLY | UPDATE);
            if !is_known || entry.api_version.is_empty() || entry.fields_type != "FieldsV1" {
                return None;
            }
            let fields = match &entry.fields_v1 {
                Some(fields) => FieldSet::from_value(&fields.to_value())?,
                None => FieldSet::default(),
            };
            let identity = Identity {
                manager: entry.manager,
                operation: entry.operation,
                api_version: entry.api_version,
                subresource: entry.subresource,
            };
            managed.insert(
                identity,
                Owned {
                    fields,
                    time: entry.time,
                },
            );
        }
        Some(Self(managed))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Leaves out entries of versions that are not served.
    pub(super) fn drop_other_versions(&mut self, api_version: &str) {
        self.0
            .retain(|identity, _| identity.api_version == api_version);
    }

    /// Takes what changes from all but `taker`.
    pub(super) fn take(&mut self, taker: Option<&Identity>, changes: &Changes) {
        let changed = changes.added_and_modified();
        self.0.retain(|identity, owned| {
            if Some(identity) != taker {
                owned.fields.subtract(&changed);
                owned.fields.subtract(&changes.removed);
            }
            !owned.fields.is_empty()
        });
    }

    /// What of `changed` others than `taker` own.
    pub(super) fn conflicts(&self, taker: &Identity, changed: &FieldSet) -> Conflicts {
        let mut conflicts = Conflicts::default();
        for (identity, owned) in &self.0 {
            if identity != taker {
                conflicts.add(identity, owned.fields.intersection(changed));
            }
        }
        conflicts
    }

    /// What all own together.
    pub(super) fn all(&self) -> FieldSet {
        let mut all = FieldSet::default();
        for owned in self.0.values() {
            all.extend(&owned.fields);
        }
        all
    }

    /// Makes `fields` all that `identity` owns; what it owned before.
    pub(super) fn set(&mut self, identity: Identity, fields: FieldSet) -> FieldSet {
        let owned = self.0.entry(identity).or_default();
        std::mem::replace(&mut owned.fields, fields)
    }

    /// Notes that `identity` changes something at this time, if it owns anything.
    pub(super) fn stamp(&mut self, identity: &Identity, now: Time) {
        if let Some(owned) = self.0.get_mut(identity) {
            owned.time = Some(now);
        }
    }

    /// Takes from `identity` what nobody is said to own.
    pub(super) fn strip(&mut self, identity: &Identity) {
        if let Some(owned) = self.0.get_mut(identity) {
            owned.fields.strip();
            if owned.fields.is_empty() {
                self.0.remove(identity);
            }
        }
    }

    /// Brings all sets up to how `ty` is owned now.
    pub(super) fn settle(&mut self, ty: Type) {
        for owned in self.0.values_mut() {
            owned.fields = owned.fields.settled(ty);
        }
    }

    /// Gives `fields` to `identity`, which has changed them just `now`.
    pub(super) fn give(&mut self, identity: Identity, fields: FieldSet, now: Time) {
        let owned = self.0.entry(identity).or_default();
        owned.fields.extend(&fields);
        owned.time = Some(now);
    }

    /// Joins the oldest updates, if there are too many. The first one of a version stays as it is
    /// until there is another to join it with.
    pub(super) fn cap(&mut self) {
        let updaters = self
            .0
            .iter()
            .filter(|(identity, _)| identity.operation == UPDATE);
        let mut updaters: Vec<_> = updaters
            .map(|(identity, owned)| (owned.time, identity.clone()))
            .collect();
        updaters.sort();
        let mut excess = updaters.len().saturating_sub(MAX_UPDATERS);
        let mut firsts: BTreeMap<String, Identity> = BTreeMap::new();
        for (time, identity) in updaters {
            if excess == 0 {
                break;
            }
            let version = identity.api_version.clone();
            let Some(first) = firsts.get(&version) else {
                firsts.insert(version, identity);
                continue;
            };
            let bucket = Identity {
                manager: OLD_UPDATERS.to_owned(),
                operation: UPDATE.to_owned(),
                api_version: version,
                subresource: String::new(),
            };
            if !self.0.contains_key(&bucket)
                && let Some(owned) = self.0.remove(first)
            {
                self.0.insert(bucket.clone(), owned);
            }
            if identity == bucket {
                continue;
            }
            if let Some(owned) = self.0.remove(&identity)
                && let Some(joined) = self.0.get_mut(&bucket)
            {
                joined.fields.extend(&owned.fields);
                joined.time = time;
                excess -= 1;
            }
        }
    }

    /// The entries in their order: by operation, age and manager.
    pub(super) fn into_entries(self) -> Vec<ManagedFieldsEntry> {
        let mut entries: Vec<_> = self
            .0
            .into_iter()
            .map(|(identity, owned)| ManagedFieldsEntry {
                manager: identity.manager,
                operation: identity.operation,
                api_version: identity.api_version,
                time: owned.time,
                fields_type: "FieldsV1".to_owned(),
                fields_v1: Some(FieldsV1::from(&owned.fields.to_value())),
                subresource: identity.subresource,
            })
            .collect();
        // Entries of one operation and time stand by manager, version and subresource already.
        entries.sort_by(|a, b| (&a.operation, a.time).cmp(&(&b.operation, b.time)));
        entries
    }
}
