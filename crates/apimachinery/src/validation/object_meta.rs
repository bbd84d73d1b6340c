//! `ValidateObjectMeta` and `ValidateObjectMetaUpdate`, for resources without a namespace.

use std::{
    cell::LazyCell,
    collections::{BTreeMap, HashSet},
};

use super::{label_value, qualified_name};
use crate::{
    field::{BadValue, FieldError, Path, is_enough},
    go,
    meta::{ManagedFieldsEntry, ObjectMeta, OwnerReference, Time},
    options::validate_field_manager,
};

/// Most bytes of all annotations of an object together.
const ANNOTATIONS_MAX: usize = 256 << 10;
const SUBRESOURCE_MAX: usize = 256;
/// Most bytes of owners that are shown with errors of all of them, if there are several.
const OWNERS_SHOWN_MAX: usize = 64 << 10;
const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";
const IMMUTABLE: &str = "field is immutable";

/// What is wrong with the metadata of a new object, its name made already. `name_errors` says what
/// is wrong with a name.
pub fn validate_object_meta(
    meta: &ObjectMeta,
    name_errors: impl Fn(&str) -> Vec<String>,
) -> Vec<FieldError> {
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    let mut check_name = |field: &str, name: &str| {
        let wrong = name_errors(name).into_iter();
        errors.extend(wrong.map(|error| FieldError::invalid(&path.child(field), name, error)));
    };
    if !meta.generate_name.is_empty() {
        check_name("generateName", &meta.generate_name);
    }
    if meta.name.is_empty() {
        errors.push(FieldError::required(
            &path.child("name"),
            "name or generateName is required",
        ));
    } else {
        check_name("name", &meta.name);
    }
    if !meta.namespace.is_empty() {
        errors.push(FieldError::forbidden(
            &path.child("namespace"),
            "not allowed on this type",
        ));
    }
    check_generation(meta.generation, &path, &mut errors);
    check_common(meta, &path, &mut errors);
    check_finalizers(&meta.finalizers, &path.child("finalizers"), &mut errors);
    check_managed_fields(
        &meta.managed_fields,
        &path.child("managedFields"),
        &mut errors,
    );
    errors
}

/// What is wrong with `new` as the metadata that replaces `old`.
pub fn validate_object_meta_update(new: &ObjectMeta, old: &ObjectMeta) -> Vec<FieldError> {
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    if old.deletion_timestamp.is_some() {
        check_no_new_finalizers(new, old, &path.child("finalizers"), &mut errors);
    }
    if new.resource_version.is_empty() {
        let detail = "must be specified for an update";
        errors.push(FieldError::invalid(
            &path.child("resourceVersion"),
            "",
            detail,
        ));
    }
    check_generation(new.generation, &path, &mut errors);
    if new.generation < old.generation {
        let detail = "must not be decremented";
        errors.push(FieldError::invalid(
            &path.child("generation"),
            new.generation,
            detail,
        ));
    }
    let mut immutable = |field: &str, same: bool, value: BadValue| {
        if !same {
            errors.push(FieldError::invalid(&path.child(field), value, IMMUTABLE));
        }
    };
    let time = |time: Option<Time>| BadValue::json(&time);
    immutable("name", new.name == old.name, (&new.name).into());
    immutable(
        "namespace",
        new.namespace == old.namespace,
        (&new.namespace).into(),
    );
    immutable("uid", new.uid == old.uid, BadValue::json(&new.uid));
    immutable(
        "creationTimestamp",
        new.creation_timestamp == old.creation_timestamp,
        time(new.creation_timestamp),
    );
    immutable(
        "deletionTimestamp",
        new.deletion_timestamp == old.deletion_timestamp,
        time(new.deletion_timestamp),
    );
    immutable(
        "deletionGracePeriodSeconds",
        new.deletion_grace_period_seconds == old.deletion_grace_period_seconds,
        BadValue::json(&new.deletion_grace_period_seconds),
    );
    check_common(new, &path, &mut errors);
    check_managed_fields(
        &new.managed_fields,
        &path.child("managedFields"),
        &mut errors,
    );
    errors
}

fn check_generation(generation: i64, path: &Path, errors: &mut Vec<FieldError>) {
    if generation < 0 {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(
            &path.child("generation"),
            generation,
            detail,
        ));
    }
}

fn check_common(meta: &ObjectMeta, path: &Path, errors: &mut Vec<FieldError>) {
    let labels = path.child("labels");
    for (key, value) in &meta.labels {
        if is_enough(errors) {
            break;
        }
        errors.extend(
            qualified_name(key)
                .iter()
                .map(|e| FieldError::invalid(&labels, key, e)),
        );
        errors.extend(
            label_value(value)
                .iter()
                .map(|e| FieldError::invalid(&labels, value, e)),
        );
    }
    check_annotations(&meta.annotations, &path.child("annotations"), errors);
    check_owners(
        &meta.owner_references,
        &path.child("ownerReferences"),
        errors,
    );
}

fn check_annotations(
    annotations: &BTreeMap<String, String>,
    path: &Path,
    errors: &mut Vec<FieldError>,
) {
    for key in annotations.keys() {
        if is_enough(errors) {
            break;
        }
        let wrong = qualified_name(&key.to_lowercase());
        errors.extend(
            wrong
                .iter()
                .map(|error| FieldError::invalid(path, key, error)),
        );
    }
    let size: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > ANNOTATIONS_MAX {
        errors.push(FieldError::too_long(path, ANNOTATIONS_MAX));
    }
}

fn check_owners(owners: &[OwnerReference], path: &Path, errors: &mut Vec<FieldError>) {
    let mut controller: Option<&OwnerReference> = None;
    let all = LazyCell::new(|| BadValue::json(owners));
    let mut shown = 0;
    for owner in owners {
        if is_enough(errors) {
            return;
        }
        check_owner(owner, path, errors);
        if owner.controller != Some(true) {
            continue;
        }
        let Some(first) = controller else {
            controller = Some(owner);
            continue;
        };
        shown += all.len();
        if shown > OWNERS_SHOWN_MAX && shown > all.len() {
            continue;
        }
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for \
             {}/{} and {}/{}",
            first.kind, first.name, owner.kind, owner.name
        );
        errors.push(FieldError::invalid(path, BadValue::clone(&all), detail));
    }
}

/// `path` is that of the list: which of the owners it is goes untold.
fn check_owner(owner: &OwnerReference, path: &Path, errors: &mut Vec<FieldError>) {
    let mut check = |field: &str, value: &str, present: bool, detail: &str| {
        if !present {
            errors.push(FieldError::invalid(&path.child(field), value, detail));
        }
    };
    let version = owner.api_version.as_str();
    let has_version = match version.matches('/').count() {
        0 => !version.is_empty(),
        1 => !version.ends_with('/'),
        _ => false,
    };
    check(
        "apiVersion",
        version,
        has_version,
        "version must not be empty",
    );
    for (field, value) in [
        ("kind", &owner.kind),
        ("name", &owner.name),
        ("uid", &owner.uid),
    ] {
        check(field, value, !value.is_empty(), "must not be empty");
    }
    if version == "v1" && owner.kind == "Event" {
        let detail = "/v1, Kind=Event is disallowed from being an owner";
        errors.push(FieldError::invalid(path, BadValue::json(owner), detail));
    }
}

fn check_finalizers(finalizers: &[String], path: &Path, errors: &mut Vec<FieldError>) {
    for name in finalizers {
        if is_enough(errors) {
            break;
        }
        errors.extend(
            qualified_name(name)
                .iter()
                .map(|e| FieldError::invalid(path, name, e)),
        );
    }
    let has = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
    if has(ORPHAN) && has(FOREGROUND) {
        let detail = format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set");
        errors.push(FieldError::invalid(
            path,
            BadValue::json(finalizers),
            detail,
        ));
    }
}

fn check_no_new_finalizers(
    new: &ObjectMeta,
    old: &ObjectMeta,
    path: &Path,
    errors: &mut Vec<FieldError>,
) {
    let kept: HashSet<_> = old.finalizers.iter().collect();
    let added = new.finalizers.iter().filter(|name| !kept.contains(name));
    let mut added: Vec<_> = added.map(|name| go::quote(name)).collect();
    added.sort();
    added.dedup();
    if !added.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers \
             []string{{{}}}",
            added.join(", ")
        );
        errors.push(FieldError::forbidden(path, detail));
    }
}

fn check_managed_fields(entries: &[ManagedFieldsEntry], path: &Path, errors: &mut Vec<FieldError>) {
    for (index, entry) in entries.iter().enumerate() {
        if is_enough(errors) {
            return;
        }
        let path = path.index(index);
        match entry.operation.as_str() {
            "Apply" | "Update" => {}
            "" => errors.push(FieldError::required(
                &path.child("operation"),
                "must not be empty",
            )),
            other => {
                let path = path.child("operation");
                errors.push(FieldError::not_supported(
                    &path,
                    other,
                    &["Apply", "Update"],
                ));
            }
        }
        if !matches!(entry.fields_type.as_str(), "" | "FieldsV1") {
            let path = path.child("fieldsType");
            errors.push(FieldError::invalid(
                &path,
                &entry.fields_type,
                "must be `FieldsV1`",
            ));
        }
        errors.extend(validate_field_manager(
            &entry.manager,
            &path.child("manager"),
        ));
        if entry.subresource.len() > SUBRESOURCE_MAX {
            errors.push(FieldError::too_long(
                &path.child("subresource"),
                SUBRESOURCE_MAX,
            ));
        }
    }
}

#[cfg(test)]
mod tests;
