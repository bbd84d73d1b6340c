//! Server-side apply: whatever is applied, by whomever and on top of whatever, an apply done twice is
//! as one, and nobody owns what the object does not hold.
//!
//! Whoever applies null, or what is empty, owns the field, and the object does not hold it, as in
//! Kubernetes; of what comes after that, who owns what is not checked.
//!
//! A line is one write. Its first byte says whose: `a`, `b` and `k` (kubectl) apply, in upper case
//! with force; `u` updates.

use fleetgate_api::{CLUSTER, Cluster};
use fleetgate_apimachinery::{
    decode::decode_value,
    managed_fields::{Apply, Configuration, FieldManager, Force},
    meta::Time,
    negotiation::Input,
    options::FieldValidation,
};
use serde_json::{Map, Value, json};

use super::EXPECTED;

/// Most writes of one input.
const MAX_WRITES: usize = 8;

pub fn run(data: &[u8]) {
    let (mut live, mut has_zero) = (empty(), false);
    for line in data.split(|byte| *byte == b'\n').take(MAX_WRITES) {
        let Some((who, body)) = line.split_first() else {
            continue;
        };
        let written = match who {
            b'a' | b'A' => apply("a", who.is_ascii_uppercase(), body, &live),
            b'b' | b'B' => apply("b", who.is_ascii_uppercase(), body, &live),
            b'k' | b'K' => apply("kubectl", who.is_ascii_uppercase(), body, &live),
            b'u' => update(body, &live),
            _ => None,
        };
        let Some(written) = written else {
            continue;
        };
        has_zero |= holds_zero(body);
        if !has_zero {
            check_owned(&written);
        }
        live = written;
    }
}

/// Whether `body` says of a field what an object says by leaving it out.
fn holds_zero(body: &[u8]) -> bool {
    fn is_in(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Bool(value) => !value,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty() || items.iter().any(is_in),
            Value::Object(fields) => fields.is_empty() || fields.values().any(is_in),
        }
    }
    decode_value(body, Input::Yaml).is_ok_and(|value| is_in(&value))
}

fn empty() -> Value {
    json!({
        "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
        "metadata": {}, "spec": {"syncMode": ""}, "status": {},
    })
}

fn now() -> Time {
    serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time")
}

fn manager(name: &str) -> FieldManager<'_> {
    FieldManager {
        manager: name,
        api_version: "cluster.karmada.io/v1alpha1",
        subresource: "",
        definition: &CLUSTER,
        reset: &["status"],
    }
}

/// What `body` makes of `live`, which is the same if it is applied again.
fn apply(name: &str, by_force: bool, body: &[u8], live: &Value) -> Option<Value> {
    let configuration = Configuration::parse(body, &EXPECTED, FieldValidation::Warn).ok()?;
    let once = applied(name, by_force, &configuration, live)?;
    let twice = applied(name, by_force, &configuration, &once);
    assert_eq!(twice.as_ref(), Some(&once), "twice, of {live}");
    Some(once)
}

fn applied(
    name: &str,
    by_force: bool,
    configuration: &Configuration,
    live: &Value,
) -> Option<Value> {
    let (empty, force) = (empty(), Force::from(Some(by_force)));
    let apply = Apply {
        configuration,
        force,
        empty: &empty,
        now: now(),
    };
    let applied = manager(name).apply::<Cluster>(live, &apply).ok()?;
    let object = serde_json::to_value(applied.object).expect("a cluster is JSON");
    Some(with_entries(object, json!(applied.entries)))
}

/// `live` with the body in its place, where that is a cluster.
fn update(body: &[u8], live: &Value) -> Option<Value> {
    let new: Cluster = serde_json::from_slice(body).ok()?;
    let mut new = serde_json::to_value(new).expect("a cluster is JSON");
    new["status"] = live["status"].clone();
    new["metadata"].as_object_mut()?.remove("managedFields");
    let entries = manager("u").track(live, &new, now());
    Some(with_entries(new, json!(entries)))
}

fn with_entries(mut object: Value, entries: Value) -> Value {
    let metadata = object.as_object_mut().map(|object| {
        object
            .entry("metadata")
            .or_insert_with(|| Value::Object(Map::new()))
    });
    if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
        metadata.insert("managedFields".to_owned(), entries);
    }
    object
}

fn check_owned(object: &Value) {
    let entries = object.pointer("/metadata/managedFields");
    for entry in entries.and_then(Value::as_array).into_iter().flatten() {
        let holds = holds(object, &entry["fieldsV1"]);
        assert!(holds, "{} does not hold {entry}", without_entries(object));
    }
}

fn without_entries(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["managedFields"].take();
    object
}

/// Whether `value` has all of `fields`, which are in the form of `fieldsV1`.
fn holds(value: &Value, fields: &Value) -> bool {
    let fields = fields.as_object().into_iter().flatten();
    let mut below = fields.filter(|(name, _)| *name != ".");
    below.all(|(name, fields)| {
        let (kind, name) = name.split_at_checked(2).unwrap_or_default();
        let of_item = || serde_json::from_str::<Value>(name).unwrap_or_default();
        let items = || value.as_array().map(Vec::as_slice).unwrap_or_default();
        match kind {
            "f:" => value.get(name).is_some_and(|value| holds(value, fields)),
            "v:" => items().contains(&of_item()),
            "i:" => name.parse().is_ok_and(|index: usize| index < items().len()),
            "k:" => {
                let keys = of_item();
                let has_keys = |item: &&Value| {
                    let keys = keys.as_object().into_iter().flatten();
                    keys.into_iter()
                        .all(|(name, key)| item.get(name) == Some(key))
                };
                items()
                    .iter()
                    .find(has_keys)
                    .is_some_and(|item| holds(item, fields))
            }
            _ => false,
        }
    })
}
