//! Sequences of applies and patches as kube-apiserver answered them for a custom resource with
//! every kind of list and map (`recorded.json`), replayed.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Apply, Configuration, FieldManager, Force};
use crate::{
    decode::Expected,
    definition::{Definition, Field, List, ListKind, OBJECT_META, PatchStrategy, Shape, Type},
    meta::{ManagedFieldsEntry, ObjectMeta, Time},
    options::FieldValidation,
    schema::GroupVersion,
    status::Status,
};

const RECORDED: &str = include_str!("recorded.json");

const fn list(item: Type, kind: ListKind) -> List {
    List {
        item,
        kind,
        patch: PatchStrategy::Replace,
    }
}

const fn text(name: &'static str) -> Field {
    Field::optional(name, Type::String, "")
}

const fn field(name: &'static str, ty: Type) -> Field {
    Field::optional(name, ty, "")
}

const AB: &[Field] = &[text("a"), text("b")];
const TEXTS: Type = Type::List(&list(Type::String, ListKind::Set));

static PAIR: Definition = Definition::object("Pair", "", AB);
static DEEP: Definition = Definition::object("Deep", "", &[text("x"), text("y")]);
static OBJECT: Definition = Definition::object(
    "Object",
    "",
    &[text("a"), text("b"), field("deep", Type::Named(&DEEP))],
);
static ATOMIC_OBJECT: Definition = Definition {
    name: "AtomicObject",
    doc: "",
    shape: Shape::AtomicObject(AB),
    kinds: &[],
};
static KEYED: Definition = Definition::object(
    "Keyed",
    "",
    &[
        text("name"),
        text("value"),
        field("deep", Type::Named(&DEEP)),
        field("set", TEXTS),
    ],
);
static TWICE: Definition = Definition::object(
    "Twice",
    "",
    &[text("name"), field("port", Type::Int64), text("value")],
);
static WHOLE: Definition = Definition {
    name: "Whole",
    doc: "",
    shape: Shape::AtomicObject(&[text("name"), text("value")]),
    kinds: &[],
};
static CONDITION: Definition = Definition::object("Condition", "", &[text("type"), text("status")]);
static SPEC: Definition = Definition::object(
    "Spec",
    "",
    &[
        text("text"),
        field("number", Type::Int64),
        field("flag", Type::Boolean),
        field("object", Type::Named(&OBJECT)),
        field("atomicObject", Type::Named(&ATOMIC_OBJECT)),
        field("map", Type::Map(&Type::String)),
        field("mapOfObjects", Type::Map(&Type::Named(&PAIR))),
        field("set", TEXTS),
        field("numbers", Type::List(&list(Type::Int64, ListKind::Set))),
        field(
            "keyed",
            Type::List(&list(Type::Named(&KEYED), ListKind::Map(&["name"]))),
        ),
        field(
            "twice",
            Type::List(&list(Type::Named(&TWICE), ListKind::Map(&["name", "port"]))),
        ),
        field(
            "whole",
            Type::List(&list(Type::Named(&WHOLE), ListKind::Map(&["name"]))),
        ),
        field("atomic", Type::List(&list(Type::String, ListKind::Atomic))),
        field("plain", Type::List(&List::of(Type::Named(&PAIR)))),
    ],
);
static STATUS: Definition = Definition::object(
    "Status",
    "",
    &[
        text("phase"),
        field(
            "conditions",
            Type::List(&list(Type::Named(&CONDITION), ListKind::Map(&["type"]))),
        ),
    ],
);
/// What is said of the custom resource, as a definition.
pub(super) static THING: Definition = Definition::object(
    "Thing",
    "",
    &[
        text("apiVersion"),
        text("kind"),
        field("metadata", Type::Named(&OBJECT_META)),
        field("spec", Type::Named(&SPEC)),
        field("status", Type::Named(&STATUS)),
    ],
);

pub(super) const EXPECTED: Expected<'_> = Expected {
    group_version: GroupVersion {
        group: "fields.test",
        version: "v1",
    },
    kind: "Thing",
    definition: &THING,
};

#[derive(Debug, Deserialize)]
struct Step {
    op: String,
    manager: String,
    #[serde(default)]
    force: bool,
    body: Value,
    subresource: String,
    code: u16,
    message: Option<String>,
    object: Option<Value>,
}

/// An empty object.
pub(super) fn empty() -> Value {
    json!({"apiVersion": "fields.test/v1", "kind": "Thing"})
}

pub(super) fn manager<'a>(name: &'a str, subresource: &'a str) -> FieldManager<'a> {
    FieldManager {
        manager: name,
        api_version: "fields.test/v1",
        subresource,
        definition: &THING,
        reset: if subresource.is_empty() {
            &["status"]
        } else {
            &["metadata", "spec"]
        },
    }
}

/// `live` after `body` is applied.
pub(super) fn apply(
    manager: &FieldManager<'_>,
    live: &Value,
    body: &Value,
    force: Force,
) -> Result<Value, Status> {
    let body = body.to_string();
    let configuration = Configuration::parse(body.as_bytes(), &EXPECTED, FieldValidation::Strict)?;
    let applied = manager.apply(
        live,
        &Apply {
            configuration: &configuration,
            force,
            empty: &empty(),
            now: Time::now(),
        },
    )?;
    Ok(stored(live, applied.object, &applied.entries, manager))
}

/// What of an object is `stored`: the part that is written to, and who owns what.
pub(super) fn stored(
    live: &Value,
    mut stored: Value,
    entries: &[ManagedFieldsEntry],
    manager: &FieldManager<'_>,
) -> Value {
    for part in manager.reset {
        let stored = stored.as_object_mut().unwrap();
        match live.get(*part) {
            Some(old) => stored.insert((*part).to_owned(), old.clone()),
            None => stored.remove(*part),
        };
    }
    read_metadata(&mut stored);
    let metadata = &mut stored["metadata"];
    metadata["uid"] = json!("u");
    metadata["managedFields"] = serde_json::to_value(entries).unwrap();
    without_nothing(&mut stored);
    stored
}

/// Reads metadata into its type, as all servers do.
fn read_metadata(object: &mut Value) {
    let metadata: ObjectMeta = serde_json::from_value(object["metadata"].take()).unwrap();
    object["metadata"] = serde_json::to_value(metadata).unwrap();
}

/// Takes nulls out: what is not there and what is null are told apart by nobody.
fn without_nothing(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(without_nothing);
    }
    for item in value.as_array_mut().into_iter().flatten() {
        without_nothing(item);
    }
}

impl Step {
    fn run(&self, live: &Value) -> Result<Value, Status> {
        let manager = manager(&self.manager, &self.subresource);
        if self.op == "apply" {
            let force = Force::from(Some(self.force));
            return apply(&manager, live, &self.body, force);
        }
        let mut new = live.clone();
        json_patch::merge(&mut new, &self.body);
        read_metadata(&mut new);
        let entries = manager.track(live, &new, Time::now());
        Ok(stored(live, new, &entries, &manager))
    }
}

/// The object as it was recorded: without what differs from one run to the next.
fn masked(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for name in ["creationTimestamp", "generation", "resourceVersion", "uid"] {
        metadata.remove(name);
    }
    let entries = metadata.remove("managedFields").unwrap_or(json!([]));
    let mut entries = entries.as_array().unwrap().clone();
    for entry in &mut entries {
        let is_timed = entry.get("time").is_some_and(|time| *time != json!(false));
        entry["time"] = json!(is_timed);
    }
    entries.sort_by_key(ToString::to_string);
    metadata.insert("managedFields".to_owned(), entries.into());
    without_nothing(&mut object);
    object
}

/// The lines of a message in any order: conflicts are told in that of Go's maps.
fn lines(message: &str) -> Vec<&str> {
    let mut lines: Vec<_> = message.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn sequences_of_kube_apiserver_come_out_alike() {
    let sequences: Vec<Vec<Step>> = serde_json::from_str(RECORDED).unwrap();
    let mut faults = 0;
    for (number, steps) in sequences.iter().enumerate() {
        let mut live = empty();
        for (at, step) in steps.iter().enumerate() {
            // What the custom resource's schema refuses says nothing of ownership.
            if step.code == 422 {
                continue;
            }
            let got = step.run(&live);
            let fault = match (&got, &step.object) {
                (Ok(got), Some(want)) if masked(got) == masked(want) => None,
                (Ok(got), Some(want)) => {
                    Some(format!("got  {}\nwant {}", masked(got), masked(want)))
                }
                (Err(got), None)
                    if lines(&got.message) == lines(step.message.as_deref().unwrap()) =>
                {
                    None
                }
                (got, _) => Some(format!(
                    "got  {got:?}\nwant {} {:?}",
                    step.code, step.message
                )),
            };
            if let Some(fault) = fault {
                println!("sequence {number}, step {at}: {step:?}\nlive {live}\n{fault}\n");
                faults += 1;
                break;
            }
            if let Ok(next) = got {
                live = next;
            }
        }
    }
    assert_eq!(faults, 0);
}
