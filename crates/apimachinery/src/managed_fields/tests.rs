//! Who owns what after which write.

mod applies;
mod laws;
mod recorded;

use serde_json::{Value, json};

use super::{FieldManager, FieldSet, manager_name};
use crate::{
    definition::{Definition, Field, List, OBJECT_META, Type},
    meta::{ManagedFieldsEntry, Time},
};

static SECRET: Definition = Definition::object(
    "Secret",
    "",
    &[
        Field::optional("name", Type::String, ""),
        Field::optional("namespace", Type::String, ""),
    ],
);
static SPEC: Definition = Definition::object(
    "Spec",
    "",
    &[
        Field::optional("proxyHeader", Type::Map(&Type::String), ""),
        Field::optional("secretRef", Type::Named(&SECRET), ""),
        Field::optional("taints", Type::List(&List::of(Type::Any)), ""),
    ],
);
static STATUS: Definition = Definition::object("Status", "", &[]);
static THING: Definition = Definition::object(
    "Thing",
    "",
    &[
        Field::optional("metadata", Type::Named(&OBJECT_META), ""),
        Field::optional("spec", Type::Named(&SPEC), ""),
        Field::optional("status", Type::Named(&STATUS), ""),
    ],
);

fn time(second: i64) -> Time {
    Time::from(jiff::Timestamp::from_second(second).unwrap())
}

fn manager<'a>(manager: &'a str, subresource: &'a str) -> FieldManager<'a> {
    FieldManager {
        manager,
        api_version: "g/v1",
        subresource,
        definition: &THING,
        reset: if subresource.is_empty() {
            &["status"]
        } else {
            &["metadata", "spec"]
        },
    }
}

fn empty() -> Value {
    json!({"metadata": {}, "spec": {"syncMode": ""}, "status": {}})
}

/// `live` with `patch` merged in.
fn changed(live: &Value, patch: Value) -> Value {
    let mut new = live.clone();
    json_patch::merge(&mut new, &patch);
    new
}

/// The object with its entries, as it would be stored.
fn stored(mut object: Value, entries: &[ManagedFieldsEntry]) -> Value {
    object["metadata"]["uid"] = json!("u");
    object["metadata"]["managedFields"] = serde_json::to_value(entries).unwrap();
    object
}

/// Entries as `manager/operation/subresource@second: fields`.
#[track_caller]
fn check(entries: &[ManagedFieldsEntry], want: &[(&str, Value)]) {
    let got: Vec<_> = entries
        .iter()
        .map(|entry| {
            let second = entry.time.map_or(0, |time| time.timestamp().as_second());
            let name = [&*entry.manager, &entry.operation, &entry.subresource].join("/");
            (
                format!("{name}@{second}"),
                entry.fields_v1.as_ref().unwrap().to_value(),
            )
        })
        .collect();
    let want: Vec<_> = want
        .iter()
        .map(|(name, fields)| ((*name).to_owned(), fields.clone()))
        .collect();
    assert_eq!(got, want);
}

#[test]
fn a_create_owns_what_it_sends() {
    // golden fields/f-create
    let new = changed(
        &empty(),
        json!({"metadata": {"name": "x", "labels": {"l": "1"}, "annotations": {"a": "1"}},
            "spec": {"syncMode": "Push", "zones": ["z1", "z2"], "proxyHeader": {"h": "v"},
                "taints": [{"key": "k", "effect": "NoSchedule"}]}, "status": {"x": 1}}),
    );
    let got = manager("a-post", "").track(&empty(), &new, time(1));
    check(
        &got,
        &[(
            "a-post/Update/@1",
            json!({
                "f:metadata": {"f:annotations": {".": {}, "f:a": {}}, "f:labels": {".": {}, "f:l": {}}},
                "f:spec": {"f:proxyHeader": {".": {}, "f:h": {}}, "f:syncMode": {}, "f:taints": {},
                    "f:zones": {}},
            }),
        )],
    );
    assert_eq!(
        (&*got[0].api_version, &*got[0].fields_type),
        ("g/v1", "FieldsV1")
    );
}

#[test]
fn lists_of_metadata_are_owned_item_by_item() {
    let new = changed(
        &empty(),
        json!({"metadata": {"finalizers": ["example.com/hold"],
            "ownerReferences": [{"uid": "1", "name": "n"}]}, "spec": {"secretRef": {"name": "s"}}}),
    );
    let got = manager("m", "").track(&empty(), &new, time(1));
    check(
        &got,
        &[(
            "m/Update/@1",
            json!({
                "f:metadata": {
                    "f:finalizers": {".": {}, "v:\"example.com/hold\"": {}},
                    "f:ownerReferences": {".": {}, "k:{\"uid\":\"1\"}": {}}},
                "f:spec": {"f:secretRef": {".": {}, "f:name": {}}},
            }),
        )],
    );
    let live = stored(new, &got);
    let next = changed(
        &live,
        json!({"metadata": {"finalizers": ["example.com/hold", "b"],
        "ownerReferences": [{"uid": "2"}]}}),
    );
    let got = manager("n", "").track(&live, &next, time(2));
    check(
        &got,
        &[
            (
                "m/Update/@1",
                json!({
            "f:metadata": {
                "f:finalizers": {".": {}, "v:\"example.com/hold\"": {}},
                "f:ownerReferences": {}},
            "f:spec": {"f:secretRef": {".": {}, "f:name": {}}}}),
            ),
            (
                "n/Update/@2",
                json!({
            "f:metadata": {"f:finalizers": {"v:\"b\"": {}},
                "f:ownerReferences": {"k:{\"uid\":\"2\"}": {}}}}),
            ),
        ],
    );
}

#[test]
fn an_update_takes_what_it_changes_from_all() {
    // golden fields/f-update-takes and f-noop
    let applied = json!([{"manager": "a", "operation": "Apply", "apiVersion": "g/v1",
        "time": "1970-01-01T00:00:01Z", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:provider": {}, "f:region": {}, "f:syncMode": {}}}}]);
    let live = json!({"metadata": {"uid": "u", "managedFields": applied},
        "spec": {"syncMode": "Push", "provider": "p", "region": "r"}, "status": {}});
    let got = manager("b", "").track(
        &live,
        &changed(&live, json!({"spec": {"provider": "q"}})),
        time(2),
    );
    check(
        &got,
        &[
            (
                "a/Apply/@1",
                json!({"f:spec": {"f:region": {}, "f:syncMode": {}}}),
            ),
            ("b/Update/@2", json!({"f:spec": {"f:provider": {}}})),
        ],
    );
    let got = manager("b", "").track(&live, &live, time(2));
    check(
        &got,
        &[(
            "a/Apply/@1",
            json!({"f:spec": {"f:provider": {}, "f:region": {}, "f:syncMode": {}}}),
        )],
    );
    let gone = changed(
        &live,
        json!({"spec": {"provider": null, "region": null, "syncMode": ""}}),
    );
    let got = manager("b", "").track(&live, &gone, time(2));
    check(
        &got,
        &[("b/Update/@2", json!({"f:spec": {"f:syncMode": {}}}))],
    );
}

#[test]
fn updates_of_one_manager_are_one_entry() {
    let first = changed(&empty(), json!({"spec": {"a": 1, "b": 1}}));
    let live = stored(
        first.clone(),
        &manager("m", "").track(&empty(), &first, time(1)),
    );
    let got = manager("m", "").track(&live, &changed(&live, json!({"spec": {"a": 2}})), time(2));
    check(
        &got,
        &[("m/Update/@2", json!({"f:spec": {"f:a": {}, "f:b": {}}}))],
    );
    let got = manager("m", "").track(&live, &live, time(2));
    check(
        &got,
        &[("m/Update/@1", json!({"f:spec": {"f:a": {}, "f:b": {}}}))],
    );
}

#[test]
fn a_subresource_has_its_own_entry_and_resets_the_rest() {
    let first = changed(&empty(), json!({"spec": {"a": 1}}));
    let live = stored(
        first.clone(),
        &manager("m", "").track(&empty(), &first, time(1)),
    );
    let new = changed(
        &live,
        json!({"metadata": {"managedFields": [{}]}, "spec": {"a": 2}, "status": {"v": "1"}}),
    );
    let got = manager("m", "status").track(&live, &new, time(2));
    check(
        &got,
        &[
            ("m/Update/@1", json!({"f:spec": {"f:a": {}}})),
            ("m/Update/status@2", json!({"f:status": {"f:v": {}}})),
        ],
    );
}

#[test]
fn entries_can_be_reset_and_then_are_not_tracked() {
    let first = changed(&empty(), json!({"spec": {"a": 1}}));
    let live = stored(
        first.clone(),
        &manager("m", "").track(&empty(), &first, time(1)),
    );
    let reset = changed(
        &live,
        json!({"metadata": {"managedFields": [{}]}, "spec": {"a": 2}}),
    );
    check(&manager("b", "").track(&live, &reset, time(2)), &[]);
    let garbage = changed(
        &live,
        json!({"metadata": {"managedFields": [{"operation": "x"}]}}),
    );
    check(
        &manager("b", "").track(&live, &garbage, time(2)),
        &[("m/Update/@1", json!({"f:spec": {"f:a": {}}}))],
    );
}

#[test]
fn the_oldest_of_many_updates_are_joined() {
    let mut live = empty();
    for n in 0..12 {
        let name = format!("m{n:02}");
        let new = changed(&live, json!({"spec": {(name.clone()): 1}}));
        let entries = manager(&name, "").track(&live, &new, time(n + 1));
        live = stored(new, &entries);
    }
    let entries: Vec<ManagedFieldsEntry> =
        serde_json::from_value(live["metadata"]["managedFields"].clone()).unwrap();
    assert_eq!(entries.len(), 10);
    check(
        &entries[..2],
        &[
            (
                "ancient-changes/Update/@3",
                json!({"f:spec": {"f:m00": {}, "f:m01": {}, "f:m02": {}}}),
            ),
            ("m03/Update/@4", json!({"f:spec": {"f:m03": {}}})),
        ],
    );
}

#[test]
fn a_manager_without_a_name_is_called_after_its_program() {
    assert_eq!(manager_name("given", "kubectl/v1"), "given");
    assert_eq!(manager_name("", "kubectl/v1.36 (linux)"), "kubectl");
    assert_eq!(manager_name("", "a\u{7}b"), "ab");
    assert_eq!(manager_name("", "/x"), "unknown");
    assert_eq!(manager_name("", &"é".repeat(100)).len(), 128);
}

#[test]
fn a_number_that_is_no_integer_is_read_as_it_was_written() {
    let fields =
        json!({"f:spec": {"v:73770000000000000000000000099199900000000000000000000000000000": {}}});
    let set = FieldSet::from_value(&fields).expect("fields");
    assert_eq!(FieldSet::from_value(&set.to_value()), Some(set));
}
