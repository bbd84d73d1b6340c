//! What is read as a patch, what a patched object must be, and the errors as Kubernetes' server
//! gave them.

use serde_json::{Value, json};

use super::{ObjectPatch, PatchType};
use crate::{
    decode::{Decoded, Expected},
    definition::{Definition, Field, List, Type},
    options::FieldValidation,
    schema::GroupVersion,
    status::Status,
};

static THING: Definition = Definition::object(
    "dev.example.v1.Thing",
    "",
    &[
        Field::optional("apiVersion", Type::String, ""),
        Field::optional("kind", Type::String, ""),
        Field::optional("n", Type::Int32, "").called("uint"),
        Field::optional("s", Type::String, "").called("v1.Text"),
        Field::optional("a", Type::Any, ""),
        Field::optional("l", Type::List(&List::of(Type::Any)), ""),
    ],
);

const EXPECTED: Expected<'_> = Expected {
    group_version: GroupVersion {
        group: "example.dev",
        version: "v1",
    },
    kind: "Thing",
    definition: &THING,
};

const ALL: [PatchType; 3] = [PatchType::Json, PatchType::Merge, PatchType::Strategic];
const REJECTED: &str = "the server rejected our request due to an error in our request";

fn apply(kind: PatchType, patch: &str, validation: FieldValidation) -> Result<Decoded, Status> {
    let patch = ObjectPatch::parse(kind, patch.as_bytes(), validation);
    patch.apply(&json!({"a": {"b": 1}, "l": [1, 2]}), &EXPECTED)
}

#[track_caller]
fn check(kind: PatchType, patch: &str, want: Value) {
    let got = apply(kind, patch, FieldValidation::Strict).unwrap();
    assert_eq!(got.object, want);
}

#[track_caller]
fn check_refused(kind: PatchType, patch: &str, code: u16, message: &str) {
    let status = apply(kind, patch, FieldValidation::Strict).unwrap_err();
    assert_eq!((status.code, status.message.as_str()), (code, message));
}

#[track_caller]
fn check_warned(kind: PatchType, patch: &str, want: &[&str]) {
    let got = apply(kind, patch, FieldValidation::Warn).unwrap();
    assert_eq!(got.warnings, want);
    let got = apply(kind, patch, FieldValidation::Ignore).unwrap();
    assert_eq!(got.warnings, [""; 0]);
}

#[test]
fn patches_change_what_they_name() {
    let merge = r#"{"a": {"b": null, "c": 2}, "l": [3]}"#;
    check(PatchType::Merge, merge, json!({"a": {"c": 2}, "l": [3]}));
    check(
        PatchType::Strategic,
        "null",
        json!({"a": {"b": 1}, "l": [1, 2]}),
    );
    check(PatchType::Strategic, r#"{"a": null}"#, json!({"l": [1, 2]}));
    check(PatchType::Json, "null", json!({"a": {"b": 1}, "l": [1, 2]}));
    let json_patch = r#"[{"op": "add", "path": "/l/-", "value": 3}, {"op": "test", "path": "/a/b",
        "value": 1}, {"op": "remove", "path": "/a"}]"#;
    check(PatchType::Json, json_patch, json!({"l": [1, 2, 3]}));
}

#[test]
fn what_is_no_patch_is_refused() {
    let decoding = |error: &str| format!("error decoding patch: {error}");
    let eof = "unexpected end of JSON input";
    let map = |found: &str| {
        format!("json: cannot unmarshal {found} into Go value of type map[string]interface {{}}")
    };
    for body in ["", "{"] {
        check_refused(PatchType::Json, body, 400, &decoding(eof));
        check_refused(PatchType::Merge, body, 400, &decoding(eof));
        check_refused(PatchType::Strategic, body, 400, eof);
    }
    for (body, found) in [("[]", "array"), ("1", "number"), ("\"x\"", "string")] {
        check_refused(PatchType::Merge, body, 400, &decoding(&map(found)));
        check_refused(PatchType::Strategic, body, 400, &map(found));
    }
    check_refused(PatchType::Merge, "null", 400, "Invalid JSON Patch");
    let ops = "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp";
    check_refused(PatchType::Json, "{}", 400, &decoding(ops));
    let op = "json: cannot unmarshal number into Go value of type handlers.jsonPatchOp";
    check_refused(PatchType::Json, "[1]", 400, &decoding(op));
    let text = "json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string";
    check_refused(PatchType::Json, r#"[{"op": 1}]"#, 400, &decoding(text));
    check_refused(PatchType::Json, "[null]", 422, REJECTED);
    let lenient = |kind, body| {
        apply(kind, body, FieldValidation::Ignore)
            .unwrap_err()
            .message
    };
    assert_eq!(lenient(PatchType::Merge, "x"), "Invalid JSON Patch");
    assert_eq!(lenient(PatchType::Json, ""), eof);
    // What no map is read of first is refused as the object that it makes.
    let none = "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go \
                value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind \
                string \"json:\\\"kind,omitempty\\\"\" }";
    assert_eq!(
        lenient(PatchType::Merge, r#" [{"b": "x", "a": null}, null] "#),
        format!(r#" "" is invalid: patch: Invalid value: "[{{\"b\":\"x\"}},null]": {none}"#)
    );
    assert_eq!(
        lenient(PatchType::Json, "[1]"),
        "json: cannot unmarshal number into Go value of type jsonpatch.Operation"
    );
}

#[test]
fn patches_that_do_not_fit_are_refused() {
    let operation = r#"[{"op": "test", "path": "/a/b", "value": 2}]"#;
    check_refused(PatchType::Json, operation, 422, REJECTED);
    let operation = r#"[{"op": "remove", "path": "/x"}]"#;
    check_refused(PatchType::Json, operation, 422, REJECTED);
    let many = vec![r#"{"op": "remove", "path": "/a"}"#; 10_001].join(",");
    let message = "Request entity too large: The allowed maximum operations in a JSON patch is \
                   10000, got 10001";
    check_refused(PatchType::Json, &format!("[{many}]"), 413, message);
}

#[test]
fn a_patched_object_is_shown_where_it_is_refused() {
    check_refused(
        PatchType::Merge,
        r#"{"x": 1, "a": 1}"#,
        422,
        " \"\" is invalid: patch: Invalid value: \"{\\\"a\\\":1,\\\"l\\\":[1,2],\\\"x\\\":1}\": \
         strict decoding error: unknown field \"x\"",
    );
    check_refused(
        PatchType::Strategic,
        r#"{"y": {"a": null, "f": 1.5}, "x": 1, "x": [2]}"#,
        422,
        " \"\" is invalid: patch: Invalid value: \"map[x:[2] y:map[a:<nil> f:1.5]]\": strict \
         decoding error: duplicate field \"x\", unknown field \"x\", unknown field \"y\"",
    );
}

#[test]
fn faults_of_a_patch_are_told() {
    check_warned(
        PatchType::Merge,
        r#"{"a": 1, "a": 2}"#,
        &["duplicate field \"a\""],
    );
    check_warned(
        PatchType::Strategic,
        r#"{"x": 1}"#,
        &["unknown field \"x\""],
    );
    check_warned(
        PatchType::Json,
        r#"[{"op": "add", "x": {}, "op": "test", "path": "/a/b", "value": 1}]"#,
        &[
            "json patch unknown field \"[0].x\"",
            "json patch duplicate field \"[0].op\"",
        ],
    );
}

#[test]
fn the_form_is_named_exactly() {
    for (kind, name) in ALL
        .into_iter()
        .zip(["json-patch", "merge-patch", "strategic-merge-patch"])
    {
        assert_eq!(PatchType::of(&format!("application/{name}+json")), Ok(kind));
        assert_eq!(
            PatchType::of(&format!("application/{name}+json; charset=utf-8")),
            Ok(kind)
        );
    }
    let refused = |content_type| PatchType::of(content_type).unwrap_err().message;
    for unknown in ["", "application/json", "Application/Merge-Patch+JSON"] {
        assert_eq!(refused(unknown), "415: Unsupported Media Type");
    }
    let listed = "the body of the request was in an unknown format - accepted media types include: \
                  application/json-patch+json, application/merge-patch+json, \
                  application/strategic-merge-patch+json, application/apply-patch+yaml";
    assert_eq!(
        refused("application/merge-patch+json ; charset=utf-8"),
        listed
    );
    assert_eq!(refused("text/plain, application/merge-patch+json"), listed);
}

#[test]
fn a_patch_makes_no_object_of_another_kind() {
    let shown = |fields: &str| {
        let text = format!("{{\"a\":{{\"b\":1}},{fields},\"l\":[1,2]}}");
        format!(
            " \"\" is invalid: patch: Invalid value: {}: ",
            crate::go::quote(&text)
        )
    };
    let check_kind = |merge: &str, json: &str, fields: &str, error: &str| {
        let message = format!("{}{error}", shown(fields));
        check_refused(PatchType::Merge, merge, 422, &message);
        check_refused(PatchType::Json, json, 422, &message);
    };
    check_kind(
        r#"{"kind":"Pod"}"#,
        r#"[{"op":"add","path":"/kind","value":"Pod"}]"#,
        r#""kind":"Pod""#,
        "no kind \"Pod\" is registered for version \"example.dev/v1\" in scheme \"example.dev\"",
    );
    check_kind(
        r#"{"kind":5}"#,
        r#"[{"op":"add","path":"/kind","value":5}]"#,
        r#""kind":5"#,
        "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct \
         field .kind of type string",
    );
    let version = r#"{"apiVersion":"a/b/c"}"#;
    let error = "unexpected GroupVersion string: a/b/c";
    let text = r#"{"a":{"b":1},"apiVersion":"a/b/c","l":[1,2]}"#;
    let text = crate::go::quote(text);
    let message = format!(" \"\" is invalid: patch: Invalid value: {text}: {error}");
    check_refused(PatchType::Merge, version, 422, &message);
    // A strategic merge does not read what it makes.
    check(
        PatchType::Strategic,
        r#"{"kind":"Pod"}"#,
        json!({"a": {"b": 1}, "l": [1, 2], "kind": "Pod"}),
    );
}

#[track_caller]
fn check_misfit(patch: &str, merged: &str, restored: &str) {
    let status = apply(PatchType::Merge, patch, FieldValidation::Warn).unwrap_err();
    assert!(
        status.message.ends_with(&format!(": {merged}")),
        "{}",
        status.message
    );
    let status = apply(PatchType::Strategic, patch, FieldValidation::Warn).unwrap_err();
    assert!(
        status.message.ends_with(&format!(": {restored}")),
        "{}",
        status.message
    );
}

#[test]
fn what_becomes_of_a_patch_is_of_its_type() {
    let into = "into Go struct field Thing";
    check_misfit(
        r#"{"s":5}"#,
        &format!("json: cannot unmarshal number {into}.s of type v1.Text"),
        "cannot convert int64 to v1.Text",
    );
    check_misfit(
        r#"{"s":{}}"#,
        &format!("json: cannot unmarshal object {into}.s of type v1.Text"),
        "unrecognized type: string",
    );
    check_misfit(
        r#"{"n":1.5}"#,
        &format!("json: cannot unmarshal number 1.5 {into}.n of type uint"),
        "cannot convert float64 to uint",
    );
    check_misfit(
        r#"{"n":"x"}"#,
        &format!("json: cannot unmarshal string {into}.n of type uint"),
        "unrecognized type: uint",
    );
    check_misfit(
        r#"{"l":"x"}"#,
        &format!("json: cannot unmarshal string {into}.l of type []interface {{}}"),
        "cannot restore slice from string",
    );
}
