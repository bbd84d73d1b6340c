//! What holds of applies, whatever is applied.

use proptest::{collection::btree_map, prelude::*, sample::subsequence};
use serde_json::{Map, Value, json};

use super::{
    super::{FieldSet, Force, entries::Managed, merge::fields_of},
    recorded::{THING, apply, empty, manager},
};
use crate::definition::Type;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn text() -> impl Strategy<Value = Value> + Clone {
    prop::sample::select(vec!["1", "2"]).prop_map(Value::from)
}

/// An object with some of the fields of `names`, and at least one.
fn object(names: &'static [&'static str]) -> impl Strategy<Value = Value> + Clone {
    let names = subsequence(names.to_vec(), 1..=names.len());
    names.prop_flat_map(|names| {
        let texts = vec![text(); names.len()];
        texts.prop_map(move |texts| {
            let names = names.iter().map(|name| (*name).to_owned());
            Value::Object(names.zip(texts).collect())
        })
    })
}

/// A list of different texts, in any order.
fn set() -> impl Strategy<Value = Value> {
    let items = subsequence(NAMES.to_vec(), 1..=4).prop_shuffle();
    items.prop_map(|items| json!(items))
}

/// A list of objects with different names, in any order.
fn keyed(rest: impl Strategy<Value = Value> + Clone + 'static) -> impl Strategy<Value = Value> {
    let names = subsequence(NAMES.to_vec(), 1..=4).prop_shuffle();
    names.prop_flat_map(move |names| {
        let rests = vec![rest.clone(); names.len()];
        rests.prop_map(move |rests| {
            let items = names.iter().zip(rests).map(|(name, mut item)| {
                item["name"] = json!(name);
                item
            });
            items.collect()
        })
    })
}

fn item() -> impl Strategy<Value = Value> + Clone {
    let parts = (
        prop::option::of(text().boxed()),
        prop::option::of(object(&["x", "y"]).boxed()),
        prop::option::of(set().boxed()),
    );
    parts.prop_map(|(value, deep, set)| {
        let parts = [("value", value), ("deep", deep), ("set", set)];
        let parts = parts
            .into_iter()
            .filter_map(|(name, part)| Some((name.to_owned(), part?)));
        Value::Object(parts.collect())
    })
}

/// What is said of one field of the spec.
fn field() -> impl Strategy<Value = (String, Value)> {
    let named = |name: &'static str, value: BoxedStrategy<Value>| {
        value
            .prop_map(move |value| (name.to_owned(), value))
            .boxed()
    };
    let keys = btree_map("[abc]", object(&["a", "b"]), 1..3);
    prop_oneof![
        named("text", text().boxed()),
        named("object", object(&["a", "b"]).boxed()),
        named("atomicObject", object(&["a", "b"]).boxed()),
        named("map", object(&NAMES).boxed()),
        named("mapOfObjects", keys.prop_map(|keys| json!(keys)).boxed()),
        named("set", set().boxed()),
        named("keyed", keyed(item()).boxed()),
        named("whole", keyed(object(&["value"])).boxed()),
        named("atomic", set().boxed()),
        named(
            "plain",
            prop::collection::vec(object(&["a", "b"]), 1..3)
                .prop_map(Value::from)
                .boxed()
        ),
    ]
}

fn configuration() -> impl Strategy<Value = Value> {
    let fields = prop::collection::vec(field(), 1..5);
    fields.prop_map(|fields| with_spec(&fields.into_iter().collect::<Map<_, _>>().into()))
}

fn with_spec(spec: &Value) -> Value {
    json!({"apiVersion": "fields.test/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec})
}

/// Applies of the managers `a` and `b`, with force.
fn applies() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let name = prop::sample::select(vec!["a", "b"]);
    prop::collection::vec((name, configuration()), 1..6)
}

fn applied(live: &Value, name: &str, configuration: &Value) -> Value {
    apply(&manager(name, ""), live, configuration, Force::Yes).unwrap()
}

fn owned(object: &Value) -> FieldSet {
    let entries = &object["metadata"]["managedFields"];
    Managed::from_value(entries).unwrap().all()
}

fn named(object: &Value) -> FieldSet {
    let ty = Type::Named(&THING);
    fields_of(&json!({"spec": object["spec"]}), ty).with_fields(Some(ty))
}

/// The value with lists of items that are known by themselves in one order, and without times.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| *name != "time");
            let fields = fields.map(|(name, value)| match (name.as_str(), ordered(value)) {
                ("set" | "keyed" | "whole" | "managedFields", Value::Array(mut items)) => {
                    items.sort_by_key(ToString::to_string);
                    (name.clone(), items.into())
                }
                (_, value) => (name.clone(), value),
            });
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.iter().map(ordered).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Deals what is owned by itself out to two: every field of the spec, every key of a map, every
/// item of a list.
fn deal(value: &Value, path: &str, sides: &[bool]) -> (Option<Value>, Option<Value>) {
    let parts: Vec<(String, &Value)> = match (path, value) {
        ("" | "map" | "object" | "mapOfObjects", Value::Object(fields)) => fields
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        ("set" | "keyed" | "whole", Value::Array(items)) => {
            items.iter().map(|item| (item.to_string(), item)).collect()
        }
        _ => {
            let hash: usize = path
                .bytes()
                .chain(value.to_string().bytes())
                .map(usize::from)
                .sum();
            return match sides[hash % sides.len()] {
                true => (Some(value.clone()), None),
                false => (None, Some(value.clone())),
            };
        }
    };
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for (name, value) in parts {
        let below = if path.is_empty() {
            name.as_str()
        } else {
            "leaf"
        };
        let (left, right) = deal(value, below, sides);
        one.extend(left.map(|left| (name.clone(), left)));
        other.extend(right.map(|right| (name, right)));
    }
    let put = |parts: Vec<(String, Value)>| match (parts.is_empty(), value) {
        (true, _) => None,
        (false, Value::Array(_)) => Some(parts.into_iter().map(|(_, item)| item).collect()),
        (false, _) => Some(Value::Object(parts.into_iter().collect())),
    };
    (put(one), put(other))
}

proptest! {
    #[test]
    fn an_apply_done_twice_is_as_one(before in applies(), configuration in configuration()) {
        let mut live = empty();
        for (name, configuration) in &before {
            live = applied(&live, name, configuration);
        }
        let once = applied(&live, "a", &configuration);
        prop_assert_eq!(&applied(&once, "a", &configuration), &once);
    }

    #[test]
    fn two_appliers_of_different_fields_can_come_in_any_order(
        configuration in configuration(),
        sides in prop::collection::vec(any::<bool>(), 7),
    ) {
        let (one, other) = deal(&configuration["spec"], "", &sides);
        let some = |spec: Option<Value>| with_spec(&spec.unwrap_or_else(|| json!({})));
        let (one, other) = (some(one), some(other));
        let run = |first: (&str, &Value), second: (&str, &Value)| {
            let live = apply(&manager(first.0, ""), &empty(), first.1, Force::No).unwrap();
            apply(&manager(second.0, ""), &live, second.1, Force::No).unwrap()
        };
        let (forth, back) = (run(("a", &one), ("b", &other)), run(("b", &other), ("a", &one)));
        prop_assert_eq!(ordered(&forth), ordered(&back));
        prop_assert_eq!(ordered(&forth["spec"]), ordered(&configuration["spec"]));
    }

    #[test]
    fn what_nobody_owns_any_more_is_gone(applies in applies()) {
        let mut live = empty();
        for (name, configuration) in &applies {
            live = applied(&live, name, configuration);
            let mut unowned = named(&live);
            unowned.subtract(&owned(&live).with_fields(Some(Type::Named(&THING))));
            prop_assert!(unowned.is_empty(), "{:?} of {}", unowned.shown(), live);
        }
    }

    #[test]
    fn nobody_owns_what_is_not_there(applies in applies(), patch in configuration()) {
        let mut live = empty();
        for (name, configuration) in &applies {
            live = applied(&live, name, configuration);
            let mut missing = owned(&live);
            missing.subtract(&named(&live));
            prop_assert!(missing.is_empty(), "{:?} of {}", missing.shown(), live);
        }
        // An update takes what it changes; the rest is as true as before.
        let mut new = live.clone();
        new["spec"] = patch["spec"].clone();
        let entries = manager("u", "").track(&live, &new, crate::meta::Time::now());
        new["metadata"]["managedFields"] = serde_json::to_value(entries).unwrap();
        let mut missing = owned(&new);
        missing.subtract(&named(&new));
        prop_assert!(missing.is_empty(), "{:?} of {}", missing.shown(), new);
    }
}
