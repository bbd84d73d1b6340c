//! JSON and merge patches: where the library that knows nothing of Kubernetes can apply a patch too,
//! it makes the same of it; and no patch makes much more of an object than was sent.

use fleetgate_apimachinery::{
    options::FieldValidation,
    patch::{ObjectPatch, PatchType},
};
use serde_json::Value;

use super::{EXPECTED, cluster, size};

/// Most bytes that copies may add.
const MAX_COPIED: usize = 3 << 20;
/// Most bytes of a value whose copies are not bounded by its text: names of operations.
const SLACK: usize = 1024;

pub fn run(data: &[u8]) {
    let object = cluster();
    let plain = serde_json::from_slice::<Value>(data).ok();
    if let Some(mut got) = apply(PatchType::Json, data, &object) {
        assert!(size(&got) <= size(&object) + escaped(data) + MAX_COPIED + SLACK);
        if let Some(mut want) = plain.clone().and_then(|patch| json_patched(&object, patch)) {
            drop_nulls(&mut want);
            drop_nulls(&mut got);
            assert_eq!(got, want);
        }
    }
    if let Some(mut got) = apply(PatchType::Merge, data, &object) {
        assert!(size(&got) <= size(&object) + escaped(data));
        let mut want = object;
        json_patch::merge(&mut want, &plain.expect("what was applied is JSON"));
        drop_nulls(&mut want);
        drop_nulls(&mut got);
        assert_eq!(got, want);
    }
}

fn apply(kind: PatchType, patch: &[u8], object: &Value) -> Option<Value> {
    let patch = ObjectPatch::parse(kind, patch, FieldValidation::Ignore);
    let patched = patch.apply::<Value>(object, &EXPECTED);
    patched.ok().map(|patched| patched.object)
}

fn json_patched(object: &Value, patch: Value) -> Option<Value> {
    let patch: json_patch::Patch = serde_json::from_value(patch).ok()?;
    let mut object = object.clone();
    // Not `patch`, which undoes what it has done where it fails, and cannot undo a move into what was
    // moved.
    let patched = json_patch::patch_unsafe(&mut object, &patch);
    patched.ok().map(|()| object)
}

/// Bytes of `data` where each may have to be escaped.
fn escaped(data: &[u8]) -> usize {
    6 * data.len()
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
