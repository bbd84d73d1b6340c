//! The options of list, watch, get and writes, from a query or a body, refused as Kubernetes
//! refuses them.

mod delete;
mod list;
mod write;

use crate::{
    field::{FieldError, Path},
    go,
};

pub use self::{
    delete::{DeleteOptions, Preconditions, Propagation},
    list::{GetOptions, ListOptions, ResourceVersion, ResourceVersionMatch},
    write::{CreateOptions, DryRun, FieldValidation, PatchOptions, UpdateOptions},
};

/// The group that options are of.
const META_GROUP: &str = "meta.k8s.io";
/// Most bytes of the name of a field manager.
const FIELD_MANAGER_MAX: usize = 128;

/// What is wrong with `manager` as the name of a field manager. Of one that is too long anyway only
/// the first bad character is told: each is told with the whole name.
pub(crate) fn validate_field_manager(manager: &str, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if manager.len() > FIELD_MANAGER_MAX {
        errors.push(FieldError::too_long(path, FIELD_MANAGER_MAX));
    }
    let most = if errors.is_empty() { usize::MAX } else { 1 };
    let bad = manager.char_indices().filter(|&(_, c)| !go::is_print(c));
    for (at, c) in bad.take(most) {
        let detail = format!(
            "invalid character U+{:04X} (at position {at})",
            u32::from(c)
        );
        errors.push(FieldError::invalid(path, manager, detail));
    }
    errors
}

#[cfg(test)]
mod tests;
