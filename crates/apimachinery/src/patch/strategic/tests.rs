//! Strategic merges, as Kubernetes' library did them.

use serde_json::{Map, Value, json};

use super::merge;
use crate::{
    definition::{Definition, Field, List, ListKind, PatchStrategy, Type},
    status::Status,
};

static THING: Definition = Definition::object(
    "v1.Thing",
    "",
    &[
        Field::optional("a", Type::String, ""),
        Field::optional("m", Type::Map(&Type::String), ""),
        Field::optional("s", Type::Named(&ITEM), ""),
        Field::optional("r", Type::List(&List::of(Type::String)), ""),
        Field::optional("p", Type::List(&TEXTS), ""),
        Field::optional("i", Type::List(&ITEMS), ""),
        Field::optional("l", Type::List(&List::of(Type::Named(&ITEM))), ""),
    ],
);
static ITEM: Definition = Definition::object(
    "v1.Item",
    "",
    &[
        Field::optional("k", Type::String, ""),
        Field::optional("v", Type::String, ""),
        Field::optional("p", Type::List(&TEXTS), ""),
        Field::optional("i", Type::List(&ITEMS), ""),
        Field::optional("m", Type::Map(&Type::String), ""),
    ],
);
static TEXTS: List = List {
    item: Type::String,
    kind: ListKind::Set,
    patch: PatchStrategy::Merge,
};
static ITEMS: List = List {
    item: Type::Named(&ITEM),
    kind: ListKind::Map(&["k"]),
    patch: PatchStrategy::MergeBy("k"),
};

fn fields(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// What the library made of the patches in `cases.json`: an error, or what differs afterwards.
#[test]
fn patches_do_what_they_do_in_kubernetes() {
    let recorded: Value = serde_json::from_str(include_str!("cases.json")).unwrap();
    for case in recorded["cases"].as_array().unwrap() {
        let object = fields(
            case.get("object")
                .unwrap_or_else(|| &recorded["object"])
                .clone(),
        );
        let got = merge(object.clone(), fields(case["patch"].clone()), &THING);
        match case["error"].as_str() {
            Some(want) => assert_eq!(got.unwrap_err().to_string(), want, "{case}"),
            None => assert_eq!(
                Value::Object(got.unwrap()),
                expected(object, case),
                "{case}"
            ),
        }
    }
}

/// The object after a case that has no error.
fn expected(mut object: Map<String, Value>, case: &Value) -> Value {
    if case.get("object").is_some() {
        return case["want"].clone();
    }
    for gone in case["gone"].as_array().into_iter().flatten() {
        object.remove(gone.as_str().unwrap());
    }
    object.extend(fields(case["want"].clone()));
    Value::Object(object)
}

#[track_caller]
fn check_status(patch: Value, code: u16, reason: &str) {
    let object = fields(json!({"p": ["a"], "m": {}, "i": []}));
    let status = Status::from(merge(object, fields(patch), &THING).unwrap_err());
    assert_eq!((status.code, &*status.reason), (code, reason));
}

#[test]
fn errors_have_the_codes_of_kubernetes() {
    check_status(json!({"$retainKeys": "a"}), 400, "BadRequest");
    check_status(json!({"$setElementOrder": []}), 400, "BadRequest");
    check_status(json!({"$deleteFromPrimitiveList": []}), 400, "BadRequest");
    check_status(json!({"m": {"$patch": "x"}}), 500, "");
    check_status(json!({"i": [[]]}), 422, "Invalid");
    check_status(json!({"i": [null]}), 422, "Invalid");
}

#[test]
fn large_lists_are_merged_in_time_that_grows_with_their_size() {
    let items = |from: usize| -> Vec<_> {
        (from..from + 10_000)
            .map(|k| json!({"k": k.to_string()}))
            .collect()
    };
    let object = fields(json!({"i": items(0)}));
    let patch = fields(json!({"i": items(5_000), "$setElementOrder/i": items(5_000)}));
    let merged = merge(object, patch, &THING).unwrap();
    assert_eq!(merged["i"].as_array().unwrap().len(), 15_000);
}
