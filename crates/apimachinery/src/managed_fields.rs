//! Who owns which field (`metadata.managedFields`), and server-side apply.
//!
//! The rules are those of structured merge diff. An update owns the fields that it changes, and
//! nobody else does. An apply owns the fields that it names, with others that want them the same;
//! what it named before and names no more goes, unless somebody else owns it.

mod apply;
mod check;
mod compare;
mod configuration;
mod conflict;
mod element;
mod entries;
mod last_applied;
mod merge;
mod prune;
mod set;

use serde_json::Value;

use self::{compare::compare, entries::Managed};
use crate::{
    definition::{Definition, Type},
    go,
    meta::{ManagedFieldsEntry, Time},
};

pub use self::{
    apply::{Applied, Apply, Force},
    configuration::Configuration,
    entries::Identity,
    set::FieldSet,
};

/// Most bytes of a manager's name that is taken from a user agent.
const NAME_MAX: usize = 128;

/// The operation of an entry that server-side apply made.
const APPLY: &str = "Apply";
/// The operation of an entry that any other write made.
const UPDATE: &str = "Update";

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
        self.update(&mut managed, live, new, now);
        managed.into_entries()
    }

    /// Notes in `managed` what the manager changes from `live` to `new`.
    fn update(&self, managed: &mut Managed, live: &Value, new: &Value, now: Time) {
        let ty = Type::Named(self.definition);
        managed.drop_other_versions(self.api_version);
        managed.settle(ty);
        let mut changes = compare(live, new, ty);
        for field in self.reset {
            changes.exclude(field);
        }
        managed.take(None, &changes);
        let mut own = changes.added_and_modified();
        own.strip();
        if !own.is_empty() {
            managed.give(self.identity(UPDATE), own, now);
        }
        managed.cap();
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

    fn identity(&self, operation: &str) -> Identity {
        Identity {
            manager: self.manager.to_owned(),
            operation: operation.to_owned(),
            api_version: self.api_version.to_owned(),
            subresource: self.subresource.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
