//! Server-side apply: whatever is applied, by whomever and on top of whatever, an apply done twice is
//! as one, nobody owns what the object does not hold, what is changed by force is owned by nobody
//! else, and what an applier no longer names and nobody else owns is gone.
//!
//! Whoever applies null, or what is empty, owns the field, and the object does not hold it, as in
//! Kubernetes; of what comes after that, who owns what is not checked. Whoever updated a map or a
//! list owns that it is there, and still does when others have emptied it.
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

/// What an applier sends who wants nothing any more.
const BARE: &[u8] = b"{\"apiVersion\": \"cluster.karmada.io/v1alpha1\", \"kind\": \"Cluster\"}";

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
            check_owned(&live, &written);
            match who {
                b'a' | b'A' => check_applied("a", &live, &written),
                b'b' | b'B' => check_applied("b", &live, &written),
                _ => {}
            }
        }
        live = written;
    }
}

/// Whether `body` says of a field what an object says by leaving it out.
fn holds_zero(body: &[u8]) -> bool {
    holds_any(body, is_zero)
}

/// Whether an item of a list in `body` has a field that is null.
fn has_null_in_item(body: &[u8]) -> bool {
    holds_any(body, |value| {
        let items = value.as_array().into_iter().flatten();
        let mut fields = items.filter_map(Value::as_object).flatten();
        fields.any(|(_, field)| field.is_null())
    })
}

/// Whether `body` is, or has at any depth, a value that is `wanted`.
fn holds_any(body: &[u8], wanted: fn(&Value) -> bool) -> bool {
    fn is_in(value: &Value, wanted: fn(&Value) -> bool) -> bool {
        wanted(value)
            || match value {
                Value::Array(items) => items.iter().any(|item| is_in(item, wanted)),
                Value::Object(fields) => fields.values().any(|field| is_in(field, wanted)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
            }
    }
    decode_value(body, Input::Yaml).is_ok_and(|value| is_in(&value, wanted))
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

/// What `body` makes of `live`, which is the same if it is applied again. But for an item of a list
/// that is told from others by null: what is stored has a text there, and validation refuses it.
fn apply(name: &str, by_force: bool, body: &[u8], live: &Value) -> Option<Value> {
    let configuration = Configuration::parse(body, &EXPECTED, FieldValidation::Warn).ok()?;
    let once = applied(name, by_force, &configuration, live)?;
    let twice = applied(name, by_force, &configuration, &once);
    let same = twice.as_ref() == Some(&once);
    assert!(
        same || has_null_in_item(body),
        "twice, of {live}: {once}, {twice:?}"
    );
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

/// What holds once `name` has applied and made `written` of `live`.
fn check_applied(name: &str, live: &Value, written: &Value) {
    let (ours, others): (Vec<_>, Vec<_>) = entries(written)
        .partition(|entry| entry["manager"] == name && entry["operation"] == "Apply");
    let others: Vec<_> = others.iter().map(|entry| &entry["fieldsV1"]).collect();
    let mut leaves = Vec::new();
    for entry in &ours {
        leaves_of(&entry["fieldsV1"], &mut Vec::new(), &mut leaves);
    }
    for leaf in &leaves {
        let before = at(live, leaf);
        if before.is_some() && before != at(written, leaf) {
            // That somebody owns what the field is in, as whoever updated it does, is no matter.
            let owner = others.iter().find(|fields| has(fields, leaf));
            assert!(
                owner.is_none(),
                "{leaf:?} was changed, and is {owner:?}'s too"
            );
        }
    }
    let bare = apply(name, true, BARE, written).expect("nothing is in the way");
    for leaf in leaves {
        // What has others' fields beside it is what they are told apart by.
        let (_, above) = leaf.split_last().expect("a path has a part");
        let is_key = above.last().is_some_and(|part| part.starts_with("k:"));
        let needed = if is_key { above } else { &leaf };
        let is_needed = others.iter().any(|fields| owned(fields, needed).is_some());
        let left = at(&bare, &leaf).filter(|left| !is_zero(left));
        assert!(is_needed || left.is_none(), "{leaf:?} is left: {left:?}");
    }
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    let entries = object.pointer("/metadata/managedFields");
    entries.and_then(Value::as_array).into_iter().flatten()
}

/// The paths within `fields`, which are in the form of `fieldsV1`, with nothing below them.
fn leaves_of(fields: &Value, path: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) {
    for (name, fields) in fields.as_object().into_iter().flatten() {
        if name == "." {
            continue;
        }
        path.push(name.clone());
        if fields.as_object().is_some_and(Map::is_empty) {
            leaves.push(path.clone());
        }
        leaves_of(fields, path, leaves);
        path.pop();
    }
}

/// What of `fields` is at `path`, or owns all of what is there.
fn owned<'f>(fields: &'f Value, path: &[String]) -> Option<&'f Value> {
    path.iter().try_fold(fields, |fields, part| {
        match fields.as_object().is_some_and(Map::is_empty) {
            true => Some(fields),
            false => fields.get(part),
        }
    })
}

/// Whether `path` itself is in `fields`.
fn has(fields: &Value, path: &[String]) -> bool {
    let found = path
        .iter()
        .try_fold(fields, |fields, part| fields.get(part));
    found.is_some()
}

/// What `value` holds at `path`.
fn at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter()
        .try_fold(value, |value, part| child(value, part))
}

/// What `value` holds where `part` of a path leads.
fn child<'v>(value: &'v Value, part: &str) -> Option<&'v Value> {
    let (kind, name) = part.split_at_checked(2)?;
    let of_item = || serde_json::from_str::<Value>(name).ok();
    match kind {
        "f:" => value.get(name),
        "i:" => value.get(name.parse::<usize>().ok()?),
        "v:" => {
            let wanted = of_item()?;
            value.as_array()?.iter().find(|item| **item == wanted)
        }
        "k:" => {
            let keys = of_item()?;
            let has_keys = |item: &&Value| {
                let mut keys = keys.as_object().into_iter().flatten();
                keys.all(|(name, key)| item.get(name) == Some(key))
            };
            value.as_array()?.iter().find(has_keys)
        }
        _ => None,
    }
}

/// Whether an object says `value` by leaving it out.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// What holds of all who own fields once `live` was made `written`.
fn check_owned(live: &Value, written: &Value) {
    for entry in entries(written) {
        let mut leaves = Vec::new();
        leaves_of(&entry["fieldsV1"], &mut Vec::new(), &mut leaves);
        for leaf in leaves {
            let held = at(written, &leaf).is_some() || was_emptied(live, entry, &leaf);
            assert!(
                held,
                "{} does not hold {leaf:?} of {entry}",
                without_entries(written)
            );
        }
    }
}

/// Whether what is at `leaf` was a map or a list in `live`, or was as little there for whom `entry`
/// is.
fn was_emptied(live: &Value, entry: &Value, leaf: &[String]) -> bool {
    let is_theirs = |other: &Value| {
        let same = |name: &str| other[name] == entry[name];
        same("manager") && same("operation") && has(&other["fieldsV1"], leaf)
    };
    match at(live, leaf) {
        Some(value) => value.is_object() || value.is_array(),
        None => entries(live).any(is_theirs),
    }
}

fn without_entries(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["managedFields"].take();
    object
}
