//! What is refused in metadata, word for word.

use serde_json::{Value, json};

use super::{validate_object_meta, validate_object_meta_update};
use crate::{
    field::{FieldError, MAX_ERRORS},
    meta::ObjectMeta,
    validation::dns_label,
};

fn meta(value: Value) -> ObjectMeta {
    serde_json::from_value(value).unwrap()
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// The errors of a new object begin with `want`, one for one.
#[track_caller]
fn check_new(value: Value, want: &[&str]) {
    let got = texts(&validate_object_meta(&meta(value), dns_label));
    assert_eq!(got.len(), want.len(), "{got:?}");
    for (got, want) in got.iter().zip(want) {
        assert!(got.starts_with(want), "{got} is not {want}");
    }
}

#[track_caller]
fn check_update(new: Value, old: Value, want: &[&str]) {
    assert_eq!(
        texts(&validate_object_meta_update(&meta(new), &meta(old))),
        want
    );
}

#[test]
fn names_and_maps_of_a_new_object() {
    check_new(
        json!({"name": "a", "labels": {"a/b": ""}, "annotations": {"A": "x"}}),
        &[],
    );
    check_new(
        json!({}),
        &["metadata.name: Required value: name or generateName is required"],
    );
    check_new(
        json!({"name": "a.b", "generateName": "x-", "namespace": "n"}),
        &[
            "metadata.generateName: Invalid value: \"x-\": a lowercase RFC 1123 label must",
            "metadata.name: Invalid value: \"a.b\": must not contain dots",
            "metadata.namespace: Forbidden: not allowed on this type",
        ],
    );
    check_new(
        json!({"name": "a", "labels": {"/x": "a b"}, "annotations": {"a b": ""}}),
        &[
            "metadata.labels: Invalid value: \"/x\": prefix part must be non-empty",
            "metadata.labels: Invalid value: \"a b\": a valid label must be an empty string",
            "metadata.annotations: Invalid value: \"a b\": name part must consist of",
        ],
    );
    check_new(
        json!({"name": "a", "annotations": {"a": "x".repeat(256 << 10)}}),
        &["metadata.annotations: Too long: may not be more than 262144 bytes"],
    );
}

#[test]
fn lists_of_a_new_object() {
    let owner = |name: &str| {
        json!({"apiVersion": "v1", "kind": "K", "name": name, "uid": "u",
        "controller": true})
    };
    check_new(
        json!({"name": "a", "ownerReferences": [owner("x"), owner("y")]}),
        &[
            "metadata.ownerReferences: Invalid value: [{\"apiVersion\":\"v1\",\"kind\":\"K\",\
           \"name\":\"x\",\"uid\":\"u\",\"controller\":true},{",
        ],
    );
    check_new(
        json!({"name": "a", "ownerReferences": [{"apiVersion": "a/b/c"}]}),
        &[
            "metadata.ownerReferences.apiVersion: Invalid value: \"a/b/c\": version must not be empty",
            "metadata.ownerReferences.kind: Invalid value: \"\": must not be empty",
            "metadata.ownerReferences.name: Invalid value: \"\": must not be empty",
            "metadata.ownerReferences.uid: Invalid value: \"\": must not be empty",
        ],
    );
    let event = json!({"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "u"});
    check_new(
        json!({"name": "a", "ownerReferences": [owner("x"), event]}),
        &[
            "metadata.ownerReferences: Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\
           \"name\":\"x\",\"uid\":\"u\"}: /v1, Kind=Event is disallowed from being an owner",
        ],
    );
    check_new(
        json!({"name": "a", "finalizers": ["a b", "orphan", "foregroundDeletion"]}),
        &[
            "metadata.finalizers: Invalid value: \"a b\": name part must",
            "metadata.finalizers: Invalid value: [\"a b\",\"orphan\",\"foregroundDeletion\"]: \
             finalizer orphan and foregroundDeletion cannot be both set",
        ],
    );
    check_new(
        json!({"name": "a", "managedFields": [{"operation": "X", "fieldsType": "Y"}, {}]}),
        &[
            "metadata.managedFields[0].operation: Unsupported value: \"X\": supported values: \
             \"Apply\", \"Update\"",
            "metadata.managedFields[0].fieldsType: Invalid value: \"Y\": must be `FieldsV1`",
            "metadata.managedFields[1].operation: Required value: must not be empty",
        ],
    );
}

#[test]
fn what_an_update_must_not_change() {
    let old = json!({"name": "a", "uid": "u", "generation": 2, "resourceVersion": "5",
        "creationTimestamp": "2026-01-01T00:00:00Z"});
    check_update(old.clone(), old.clone(), &[]);
    check_update(
        json!({"name": "b", "uid": "v", "generation": 1}),
        old,
        &[
            "metadata.resourceVersion: Invalid value: \"\": must be specified for an update",
            "metadata.generation: Invalid value: 1: must not be decremented",
            "metadata.name: Invalid value: \"b\": field is immutable",
            "metadata.uid: Invalid value: \"v\": field is immutable",
            "metadata.creationTimestamp: Invalid value: null: field is immutable",
        ],
    );
    let deleted = |finalizers: &[&str]| {
        json!({"name": "a", "resourceVersion": "5", "finalizers": finalizers,
            "deletionTimestamp": "2026-01-01T00:00:00Z"})
    };
    check_update(deleted(&[]), deleted(&["a"]), &[]);
    check_update(
        deleted(&["c", "b", "a"]),
        deleted(&["a"]),
        &[
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being \
           deleted, found new finalizers []string{\"b\", \"c\"}",
        ],
    );
}

/// Bytes of all errors of `count` owners that each say they control the object.
fn told_of_controllers(count: usize, name: &str) -> (usize, usize) {
    let owner = json!({"apiVersion": "v1", "kind": "K", "name": name, "uid": "u",
        "controller": true});
    let value = json!({"name": "a", "ownerReferences": vec![owner; count]});
    let told = texts(&validate_object_meta(&meta(value), dns_label));
    (told.len(), told.iter().map(String::len).sum())
}

#[test]
fn all_owners_are_shown_with_each_controller_of_a_few() {
    assert_eq!(told_of_controllers(4, "x").0, 3);
    // However long they are, once.
    let (count, bytes) = told_of_controllers(3, &"x".repeat(100_000));
    assert_eq!(count, 1);
    assert!(bytes < 600_000, "{bytes}");
    let (count, bytes) = told_of_controllers(2000, "x");
    assert_eq!(count, 1);
    assert!(bytes < 200_000, "{bytes}");
}

#[test]
fn no_more_errors_are_looked_for_than_are_told() {
    let check = |field: &str, value: Value| {
        let value = json!({"name": "a", field: value});
        let errors = validate_object_meta(&meta(value), dns_label);
        let is_bounded = (MAX_ERRORS..MAX_ERRORS + 150).contains(&errors.len());
        assert!(is_bounded, "{field}: {}", errors.len());
    };
    let keys = || (0..2000).map(|index| (format!("-{index}"), json!("")));
    check("labels", keys().collect());
    check("annotations", keys().collect());
    check("finalizers", keys().map(|(key, _)| key).collect());
    check("ownerReferences", json!(vec![json!({}); 2000]));
    let manager = json!({"operation": "Update", "manager": "\u{7f}".repeat(128)});
    check("managedFields", json!(vec![manager; 2000]));
}

#[test]
fn a_finalizer_that_was_there_is_not_new() {
    let many: Vec<_> = (0..2000).map(|index| format!("a/{index}")).collect();
    let deleted = |finalizers: &[String]| {
        json!({"name": "a", "resourceVersion": "5", "finalizers": finalizers,
            "deletionTimestamp": "2026-01-01T00:00:00Z"})
    };
    check_update(deleted(&many[1000..]), deleted(&many), &[]);
}
