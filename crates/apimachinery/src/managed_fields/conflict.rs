//! Fields that an applier wants otherwise than their owners.

use std::collections::BTreeMap;

use super::{FieldSet, Identity};
use crate::{
    go,
    status::{Status, StatusCause, StatusDetails},
};

/// What an apply would take from others, by owner.
#[derive(Clone, Debug, Default)]
pub(super) struct Conflicts(BTreeMap<Identity, FieldSet>);

// === impl Conflicts ===

impl Conflicts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what would be taken from `owner`.
    pub(super) fn add(&mut self, owner: &Identity, fields: FieldSet) {
        if !fields.is_empty() {
            self.0.insert(owner.clone(), fields);
        }
    }

    /// Leaves out `fields`, which may be taken.
    pub(super) fn allow(&mut self, fields: &FieldSet) {
        self.0.retain(|_, theirs| {
            theirs.subtract(fields);
            !theirs.is_empty()
        });
    }

    /// 409 with one cause a field.
    pub(super) fn status(&self) -> Status {
        let (mut causes, mut lines) = (Vec::new(), Vec::new());
        for (owner, fields) in &self.0 {
            let owner = shown(owner);
            lines.push(format!("conflicts with {owner}:"));
            for field in fields.shown() {
                lines.push(format!("- {field}"));
                causes.push(StatusCause {
                    reason: "FieldManagerConflict".to_owned(),
                    message: format!("conflict with {owner}"),
                    field,
                });
            }
        }
        let message = match causes.as_slice() {
            [one] => format!("1 conflict: {}: {}", one.message, one.field),
            many => format!("{} conflicts: {}", many.len(), lines.join("\n")),
        };
        let details = StatusDetails {
            causes,
            ..StatusDetails::default()
        };
        Status::failure(409, "Conflict", format!("Apply failed with {message}"))
            .with_details(details)
    }
}

/// The owner as messages show it.
fn shown(owner: &Identity) -> String {
    let mut text = go::quote(&owner.manager);
    if !owner.subresource.is_empty() {
        text.push_str(&format!(
            " with subresource {}",
            go::quote(&owner.subresource)
        ));
    }
    if owner.operation == super::UPDATE {
        text.push_str(&format!(" using {}", owner.api_version));
    }
    text
}
