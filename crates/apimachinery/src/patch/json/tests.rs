//! What JSON patches make of a value, as Kubernetes' server answered them.

use serde_json::{Map, Value, json};

use super::{Operations, Unfit};

fn apply(operations: Value) -> Result<Value, Unfit> {
    let operations: Option<Vec<Map<String, Value>>> = serde_json::from_value(operations).ok();
    Operations(operations.unwrap_or_default())
        .apply(json!({"a": {"b": 1, "~/": 2}, "l": ["x", "y"], "n": null}))
}

#[track_caller]
fn check(operations: Value, path: &str, want: Value) {
    let got = apply(operations).unwrap();
    assert_eq!(got.pointer(path), Some(&want), "in {got}");
}

#[track_caller]
fn check_unfit(operation: Value) {
    assert_eq!(apply(json!([operation])), Err(Unfit));
}

#[test]
fn operations_change_what_they_name() {
    check(
        json!([{"op": "add", "path": "/a/c", "value": 3}]),
        "/a/c",
        json!(3),
    );
    check(json!([{"op": "add", "path": "/a/c"}]), "/a/c", Value::Null);
    check(
        json!([{"op": "add", "path": "/a", "value": {}}, {"op": "add", "path": "/a/~01", "value": 1}]),
        "/a",
        json!({"~1": 1}),
    );
    check(
        json!([{"op": "remove", "path": "/a/~0~1"}]),
        "/a",
        json!({"b": 1}),
    );
    check(
        json!([{"op": "replace", "path": "/a/b", "value": {}}]),
        "/a/b",
        json!({}),
    );
    check(
        json!([{"op": "replace", "path": "/a/new", "value": 1}]),
        "/a/new",
        json!(1),
    );
    check(
        json!([{"op": "replace", "path": "", "value": {"z": 1}}]),
        "",
        json!({"z": 1}),
    );
    check(
        json!([{"op": "move", "from": "/a", "path": "/l/0"}]),
        "/l/0/b",
        json!(1),
    );
    check(
        json!([{"op": "copy", "from": "/l", "path": "/l/-"}]),
        "/l/2",
        json!(["x", "y"]),
    );
    check(
        json!([{"op": "copy", "from": "/a/none", "path": "/c"}]),
        "/c",
        Value::Null,
    );
    check(json!([]), "/l/0", json!("x"));
}

#[test]
fn items_are_named_from_both_ends() {
    let add = |index: &str| json!([{"op": "add", "path": format!("/l/{index}"), "value": "z"}]);
    check(add("0"), "/l", json!(["z", "x", "y"]));
    check(add("2"), "/l", json!(["x", "y", "z"]));
    check(add("-"), "/l", json!(["x", "y", "z"]));
    check(add("-1"), "/l", json!(["x", "y", "z"]));
    check(add("-3"), "/l", json!(["z", "x", "y"]));
    check(
        json!([{"op": "remove", "path": "/l/-1"}]),
        "/l",
        json!(["x"]),
    );
    check(
        json!([{"op": "replace", "path": "/l/1", "value": 1}]),
        "/l",
        json!(["x", 1]),
    );
    for index in ["3", "-4", "a", ""] {
        check_unfit(json!({"op": "add", "path": format!("/l/{index}"), "value": 1}));
    }
    for index in ["2", "-3", "-", "+"] {
        check_unfit(json!({"op": "remove", "path": format!("/l/{index}")}));
        check_unfit(json!({"op": "replace", "path": format!("/l/{index}"), "value": 1}));
        check_unfit(json!({"op": "test", "path": format!("/l/{index}"), "value": 1}));
    }
}

#[test]
fn tests_hold_or_end_the_patch() {
    check(
        json!([{"op": "test", "path": "/a", "value": {"~/": 2, "b": 1}}]),
        "/a/b",
        json!(1),
    );
    // A field that is missing is as one that is null.
    check(
        json!([{"op": "test", "path": "/none", "value": null}]),
        "/a/b",
        json!(1),
    );
    check(json!([{"op": "test", "path": "/n"}]), "/a/b", json!(1));
    check_unfit(json!({"op": "test", "path": "/a/b", "value": 1.0}));
    check_unfit(json!({"op": "test", "path": "/none", "value": 1}));
    check_unfit(json!({"op": "test", "path": "/none/deeper", "value": null}));
    check_unfit(json!({"op": "test", "path": "", "value": {}}));
}

#[test]
fn what_does_not_fit_is_refused() {
    check_unfit(json!({"op": "remove", "path": "/none"}));
    check_unfit(json!({"op": "add", "path": "/none/b", "value": 1}));
    check_unfit(json!({"op": "add", "path": "/a/b/c", "value": 1}));
    check_unfit(json!({"op": "add", "path": "", "value": {}}));
    check_unfit(json!({"op": "remove", "path": ""}));
    check_unfit(json!({"op": "replace", "path": "", "value": 1}));
    check_unfit(json!({"op": "replace", "path": ""}));
    check_unfit(json!({"op": "move", "from": "/none", "path": "/c"}));
    check_unfit(json!({"op": "move", "from": "/a", "path": "/a/b"}));
    check_unfit(json!({"op": "frob", "path": "/a"}));
    check_unfit(json!({"op": "add", "value": 1}));
    check_unfit(json!({"path": "/a"}));
}

#[test]
fn a_patch_cannot_grow_the_value_or_work_without_bound() {
    let nested = vec![json!({"op": "copy", "from": "/a", "path": "/a/c"}); 200];
    assert_eq!(apply(Value::Array(nested)), Err(Unfit));
    let large = json!({"op": "add", "path": "/l/0", "value": "x".repeat(64 << 10)});
    let copy = json!({"op": "copy", "from": "/l/0", "path": "/l/-"});
    let copies = |count: usize| {
        let mut operations = vec![large.clone()];
        operations.resize(count + 1, copy.clone());
        apply(Value::Array(operations))
    };
    assert!(copies(47).is_ok());
    assert_eq!(copies(48), Err(Unfit));
    let many = json!({"op": "add", "path": "/m", "value": vec![0; 100_000]});
    let mut moves = vec![many];
    for _ in 0..100 {
        moves.push(json!({"op": "move", "from": "/m", "path": "/k"}));
        moves.push(json!({"op": "move", "from": "/k", "path": "/m"}));
    }
    assert_eq!(apply(Value::Array(moves)), Err(Unfit));
}
