//! Who owns which field, noted on each write.

use fleetgate_apimachinery::{
    managed_fields::FieldManager,
    meta::{ManagedFieldsEntry, Time},
    options::UpdateOptions,
    status::Status,
};
use serde_json::Value;

use super::{Part, Registry};
use crate::{Object, Strategy};

/// The fields that a write to the main part cannot change.
const NOT_OF_MAIN: [&str; 1] = ["status"];
/// The fields that a write to the status cannot change.
const NOT_OF_STATUS: [&str; 2] = ["metadata", "spec"];

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// `object`, which is created, with its fields as the manager's.
    pub(super) fn own_new(
        &self,
        object: S::Object,
        options: &UpdateOptions,
    ) -> Result<S::Object, Status> {
        self.own(Part::Main, object, &S::Object::default(), options)
    }

    /// `object`, which becomes of `old`, with what differs as the manager's.
    pub(super) fn own(
        &self,
        part: Part,
        mut object: S::Object,
        old: &S::Object,
        options: &UpdateOptions,
    ) -> Result<S::Object, Status> {
        let manager = self.manager(part, &options.field_manager);
        let entries = manager.track(&value(old)?, &value(&object)?, Time::now());
        object.metadata_mut().managed_fields = entries;
        Ok(object)
    }

    /// The manager called `name`, who writes to `part`.
    pub(super) fn manager<'m>(&self, part: Part, name: &'m str) -> FieldManager<'m> {
        let (subresource, reset): (_, &[_]) = match part {
            Part::Main => ("", &NOT_OF_MAIN),
            Part::Status => ("status", &NOT_OF_STATUS),
        };
        FieldManager {
            manager: name,
            api_version: self.strategy.names().api_version,
            subresource,
            definition: self.strategy.definition(),
            reset,
        }
    }
}

/// Whether two lists of entries differ at most in their times.
pub(super) fn same_owners(one: &[ManagedFieldsEntry], other: &[ManagedFieldsEntry]) -> bool {
    let timeless = |entry: &ManagedFieldsEntry| ManagedFieldsEntry {
        time: None,
        ..entry.clone()
    };
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| timeless(one) == timeless(other))
}

/// The object as ownership sees it.
pub(super) fn value<O: Object>(object: &O) -> Result<Value, Status> {
    serde_json::to_value(object).map_err(Status::internal)
}
