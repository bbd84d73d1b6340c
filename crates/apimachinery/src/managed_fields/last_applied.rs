//! The annotation in which `kubectl apply` of old keeps what it applied last.

use serde_json::{Map, Value};

use super::{FieldSet, compare::compare, configuration::Configuration, merge::fields_of};
use crate::{definition::Type, json};

/// The manager for which the annotation is minded: kubectl's own.
pub(super) const KUBECTL: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Most bytes of all annotations of an object.
const ANNOTATIONS_MAX: usize = 256 << 10;

/// The fields of `live` that are as kubectl applied them last: they may be taken by it.
pub(super) fn applied_before(live: &Value, api_version: &str, ty: Type) -> FieldSet {
    let text = annotation(live).unwrap_or_default();
    let Ok(applied) = serde_json::from_str::<Value>(text) else {
        return FieldSet::default();
    };
    let is_same_version = applied.get("apiVersion").and_then(Value::as_str) == Some(api_version);
    if !is_same_version || super::check::check(&applied, ty).is_some() {
        return FieldSet::default();
    }
    let mut fields = fields_of(&applied, ty);
    let changes = compare(&applied, live, ty);
    fields.subtract(&changes.added_and_modified());
    fields.subtract(&changes.removed);
    fields
}

/// Brings the annotation of `object`, if it has one, up to what is applied now.
pub(super) fn update(object: &mut Value, configuration: &Configuration) {
    if annotation(object).is_none_or(str::is_empty) {
        return;
    }
    let mut applied = configuration.object().clone();
    if let Some(annotations) = annotations_of(&mut applied) {
        annotations.remove(ANNOTATION);
    }
    let written = json::to_vec(&applied).ok().map(String::from_utf8);
    let (Some(Ok(mut text)), Some(annotations)) = (written, annotations_of(object)) else {
        return;
    };
    text.push('\n');
    annotations.remove(ANNOTATION);
    let size = annotations
        .iter()
        .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len));
    if size.sum::<usize>() + ANNOTATION.len() + text.len() <= ANNOTATIONS_MAX {
        annotations.insert(ANNOTATION.to_owned(), text.into());
    }
}

fn annotation(object: &Value) -> Option<&str> {
    let annotations = object.pointer("/metadata/annotations")?;
    annotations.get(ANNOTATION)?.as_str()
}

fn annotations_of(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.pointer_mut("/metadata/annotations")?.as_object_mut()
}
