//! Owned fields: whatever `managedFields` a caller sends, they are read or reset, what is written of
//! a set of fields is read again, and a write that changes nothing changes nobody's.

use fleetgate_api::CLUSTER;
use fleetgate_apimachinery::{
    managed_fields::{FieldManager, FieldSet},
    meta::Time,
};
use serde_json::Value;

use super::two;

pub fn run(data: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<Value>(data)
        && let Some(set) = FieldSet::from_value(&value)
    {
        assert_eq!(FieldSet::from_value(&set.to_value()), Some(set));
    }
    let Some((live, new)) = two(data) else {
        return;
    };
    let (Ok(live), Ok(new)) = (object(live), object(new)) else {
        return;
    };
    let manager = FieldManager {
        manager: "fuzz",
        api_version: "cluster.karmada.io/v1alpha1",
        subresource: "",
        definition: &CLUSTER,
        reset: &["status"],
    };
    let now = Time::now();
    let entries = manager.track(&live, &new, now);
    assert!(entries.len() <= 1000 + 2);
    let mut written = new;
    written["metadata"]["managedFields"] =
        serde_json::to_value(&entries).expect("entries are JSON");
    let again = manager.track(&written, &written, now);
    assert_eq!(again.len(), entries.len());
}

/// An object with metadata, as handlers have it.
fn object(data: &[u8]) -> Result<Value, ()> {
    let mut value: Value = serde_json::from_slice(data).map_err(drop)?;
    let fields = value.as_object_mut().ok_or(())?;
    let metadata = fields
        .entry("metadata")
        .or_insert_with(|| Value::Object(Default::default()));
    if metadata.is_object() {
        Ok(value)
    } else {
        Err(())
    }
}
