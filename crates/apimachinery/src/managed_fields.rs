//! Who owns which field: `metadata.managedFields` for updates.
//!
//! The rules are those of structured merge diff for the operation `Update`: whoever changes a
//! field owns it, and nobody else does. Server-side apply is not here yet; its entries are kept,
//! and lose what an update changes.

mod compare;
mod entries;
mod set;

use serde_json::Value;

use self::{compare::compare, entries::Managed};
use crate::{
    definition::{Definition, Type},
    go,
    meta::{ManagedFieldsEntry, Time},
};

pub use self::{entries::Identity, set::FieldSet};

/// Most bytes of a manager's name that is taken from a user agent.
const NAME_MAX: usize = 128;

/// Never owned by anybody.
const UNOWNED: [&[&str]; 11] = [
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "creationTimestamp"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "resourceVersion"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
];

/// Notes what one write changes.
#[derive(Clone, Debug)]
pub struct FieldManager<'a> {
    /// Who writes; see [`manager_name`].
    pub manager: &'a str,
    /// Group and version in which the object is written.
    pub api_version: &'a str,
    /// The subresource that is written to, empty for the object itself.
    pub subresource: &'a str,
    /// The object's type.
    pub definition: &'static Definition,
    /// The top-level fields that this write cannot change, whatever it sends: `status`, or for the
    /// status subresource `metadata` and `spec`.
    pub reset: &'a [&'static str],
}

/// The manager's name: `field_manager` if the caller gives one, else the part of the user agent
/// before its first `/`.
pub fn manager_name(field_manager: &str, user_agent: &str) -> String {
    if !field_manager.is_empty() {
        return field_manager.to_owned();
    }
    let mut name = String::new();
    let product = user_agent.split('/').next().unwrap_or_default();
    for c in product.chars().filter(|&c| go::is_print(c)) {
        if name.len() + c.len_utf8() > NAME_MAX {
            break;
        }
        name.push(c);
    }
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}

// === impl FieldManager ===

impl FieldManager<'_> {
    /// The `managedFields` of `new`, a whole object that replaces `live`; for a create, `live` is
    /// the empty object of the type. Both may carry `managedFields`, and do not have to be sent
    /// through defaulting.
    pub fn track(&self, live: &Value, new: &Value, now: Time) -> Vec<ManagedFieldsEntry> {
        let mut managed = self.start(live, new);
        let is_create = live.pointer("/metadata/uid").is_none();
        if managed.is_empty() && !is_create {
            return Vec::new();
        }
        managed.drop_other_versions(self.api_version);
        let mut changes = compare(live, new, Type::Named(self.definition));
        for field in self.reset {
            changes.exclude(field);
        }
        managed.take(&changes.added_and_modified(), &changes.removed);
        let mut own = changes.added_and_modified();
        for path in UNOWNED {
            own.remove(path);
        }
        if !own.is_empty() {
            managed.give(self.identity(), own, now);
        }
        managed.cap();
        managed.into_entries()
    }

    /// The entries to go on from: those that the caller sends, where it may and they can be read,
    /// else those there are. One empty entry resets them.
    fn start(&self, live: &Value, new: &Value) -> Managed {
        let read = |object: &Value| {
            object
                .pointer("/metadata/managedFields")
                .and_then(Managed::from_value)
        };
        let sent = new
            .pointer("/metadata/managedFields")
            .filter(|_| self.subresource.is_empty());
        let is_reset = sent.and_then(Value::as_array).is_some_and(
            |entries| matches!(entries.as_slice(), [Value::Object(entry)] if entry.is_empty()),
        );
        if is_reset {
            return Managed::default();
        }
        let sent = sent
            .and_then(Managed::from_value)
            .filter(|managed| !managed.is_empty());
        sent.or_else(|| read(live)).unwrap_or_default()
    }

    fn identity(&self) -> Identity {
        Identity {
            manager: self.manager.to_owned(),
            operation: "Update".to_owned(),
            api_version: self.api_version.to_owned(),
            subresource: self.subresource.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
