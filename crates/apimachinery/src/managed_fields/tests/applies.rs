//! What an apply is answered, in kube-apiserver's words.

use serde_json::{Value, json};

use super::{
    super::{Applied, Apply, Configuration, Force},
    recorded::{EXPECTED, apply, empty, manager},
};
use crate::{meta::Time, options::FieldValidation, status::Status};

const HEAD: &str = "apiVersion: fields.test/v1\nkind: Thing\n";

fn thing(rest: Value) -> Value {
    let mut thing =
        json!({"apiVersion": "fields.test/v1", "kind": "Thing", "metadata": {"name": "x"}});
    json_patch::merge(&mut thing, &rest);
    thing
}

fn read(body: &str, validation: FieldValidation) -> Result<Configuration, Status> {
    Configuration::parse(body.as_bytes(), &EXPECTED, validation)
}

fn apply_text(body: &str, validation: FieldValidation) -> Result<Applied<Value>, Status> {
    let configuration = read(body, validation)?;
    let apply = Apply {
        configuration: &configuration,
        force: Force::No,
        empty: &empty(),
        now: Time::now(),
    };
    manager("m", "").apply(&empty(), &apply)
}

#[track_caller]
fn check_refused(body: &str, code: u16, message: &str) {
    let status = apply_text(body, FieldValidation::Strict).unwrap_err();
    assert_eq!((status.code, status.message.as_str()), (code, message));
}

#[track_caller]
fn check_mistyped(rest: &str, what: &str) {
    let head = "failed to create typed patch object (/x; fields.test/v1, Kind=Thing): ";
    let body = format!("{HEAD}metadata: {{name: x}}\n{rest}\n");
    check_refused(&body, 500, &format!("{head}{what}"));
}

/// The refusal of `body`, applied by `name` to `live` without force.
fn conflict(live: &Value, name: &str, rest: Value) -> Status {
    apply(&manager(name, ""), live, &thing(rest), Force::No).unwrap_err()
}

#[test]
fn bodies_of_another_kind_are_refused() {
    check_refused("", 400, "invalid object type: /, Kind=");
    check_refused("kind: Thing\n", 400, "invalid object type: /, Kind=Thing");
    check_refused(
        "apiVersion: v2\nkind: Thing\n",
        400,
        "invalid object type: /v2, Kind=Thing",
    );
    check_refused(
        "[]",
        400,
        "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal \
         array into Go value of type map[string]interface {}",
    );
    let garbage = read("a: [b", FieldValidation::Warn).unwrap_err();
    let start = "error decoding YAML: error converting YAML to JSON: yaml: ";
    assert!(garbage.message.starts_with(start), "{}", garbage.message);
    for managed in ["[]", "[{manager: x}]"] {
        let body = format!("{HEAD}metadata: {{name: x, managedFields: {managed}}}\n");
        check_refused(&body, 400, "metadata.managedFields must be nil");
    }
}

#[test]
fn fields_of_another_type_are_refused() {
    let got = "got &value.valueUnstructured{Value:";
    check_mistyped(
        "spec: {nope: 1}",
        ".spec.nope: field not declared in schema",
    );
    check_mistyped(
        "spec: {text: 1}",
        &format!(".spec.text: expected string, {got}1}}"),
    );
    check_mistyped(
        "spec: {text: {a: [x, true]}}",
        &format!(
            ".spec.text: expected string, {got}map[string]interface {{}}{{\"a\":[]interface \
             {{}}{{\"x\", true}}}}}}"
        ),
    );
    check_mistyped(
        "spec: {number: x, map: 1}",
        "errors:\n  .spec.map: expected map, got &{1}\n  .spec.number: expected numeric (int or \
         float), got string",
    );
    check_mistyped("spec: {flag: x}", ".spec.flag: expected boolean, got &{x}");
    check_mistyped(
        "spec: {atomic: {a: b}}",
        ".spec.atomic: expected list, got &{map[a:b]}",
    );
    check_mistyped(
        "spec: {set: [a, a]}",
        ".spec.set: duplicate entries for key [=\"a\"]",
    );
    check_mistyped(
        "spec: {set: [null]}",
        ".spec.set: element 0: associative list without keys has an element that's an explicit null",
    );
    check_mistyped(
        "spec: {keyed: [{name: a, value: 1}]}",
        &format!(".spec.keyed[name=\"a\"].value: expected string, {got}1}}"),
    );
    check_mistyped(
        "spec: {twice: [{value: a}]}",
        ".spec.twice: element 0: associative list with keys has an element that omits all key \
         fields [\"name\" \"port\"] (and doesn't have default values for any key fields)",
    );
    check_mistyped(
        "spec: {plain: [{a: x}, {a: 1}]}",
        &format!(".spec.plain[1].a: expected string, {got}1}}"),
    );
}

#[test]
fn an_owner_that_is_not_named_is_known_by_its_zero_name() {
    let body = format!("{HEAD}metadata: {{name: x, ownerReferences: [{{name: o}}]}}\n");
    let applied = apply_text(&body, FieldValidation::Strict).unwrap();
    assert_eq!(
        applied.entries[0].fields_v1.as_ref().unwrap().to_value(),
        json!({"f:metadata": {"f:ownerReferences": {"k:{\"uid\":\"\"}": {}}}})
    );
}

#[test]
fn fields_that_are_there_twice_are_told() {
    let body = format!("{HEAD}spec: {{text: a}}\nspec: {{text: b}}\n");
    let warned = read(&body, FieldValidation::Warn).unwrap();
    assert_eq!(
        warned.warnings(),
        ["line 4: key \"spec\" already set in map"]
    );
    let applied = apply_text(&body, FieldValidation::Warn).unwrap();
    assert_eq!(applied.object["spec"], json!({"text": "b"}));
    let ignored = read(&body, FieldValidation::Ignore).unwrap();
    assert_eq!(ignored.warnings(), [""; 0]);
    let head = "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:";
    let what = format!("{head}\n  line 4: key \"spec\" already set in map");
    check_refused(&body, 400, &what);
    let json = r#"{"apiVersion": "fields.test/v1", "kind": "Thing", "kind": "Thing"}"#;
    let what = format!("{head}\n  line 1: key \"kind\" already set in map");
    check_refused(json, 400, &what);

    // Only of what could be applied otherwise.
    let live = thing(json!({"spec": {"text": "a"}}));
    let live = apply(&manager("a", ""), &empty(), &live, Force::No).unwrap();
    let wanted = Apply {
        configuration: &read(&body, FieldValidation::Strict).unwrap(),
        force: Force::No,
        empty: &empty(),
        now: Time::now(),
    };
    let status = manager("b", "").apply::<Value>(&live, &wanted).unwrap_err();
    assert_eq!(status.code, 409);
}

#[test]
fn conflicts_are_told_by_owner() {
    let live = thing(json!({"spec": {"text": "1", "map": {"k": "1"}}, "status": {"phase": "1"}}));
    let live = apply(&manager("a", ""), &empty(), &live, Force::No).unwrap();
    let status = conflict(&live, "b", json!({"spec": {"text": "2"}}));
    assert_eq!(
        serde_json::to_value(&status).unwrap(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Apply failed with 1 conflict: conflict with \"a\": .spec.text",
            "reason": "Conflict", "details": {"causes": [{"reason": "FieldManagerConflict",
                "message": "conflict with \"a\"", "field": ".spec.text"}]}, "code": 409})
    );
    let mut new = live.clone();
    new["spec"]["map"] = json!({"k": "1", "u": "1"});
    new["status"] = json!({"phase": "2"});
    let entries = manager("u", "").track(&live, &new, Time::now());
    new["metadata"]["managedFields"] = serde_json::to_value(entries).unwrap();
    let wanted = json!({"spec": {"text": "2", "map": {"k": "2", "u": "2"}}});
    assert_eq!(
        conflict(&new, "b", wanted).message,
        "Apply failed with 3 conflicts: conflicts with \"a\":\n- .spec.text\n- .spec.map.k\n\
         conflicts with \"u\" using fields.test/v1:\n- .spec.map.u"
    );
    let body = thing(json!({"status": {"phase": "1"}}));
    let live = apply(&manager("s", "status"), &live, &body, Force::No).unwrap();
    let body = thing(json!({"status": {"phase": "2"}}));
    let status = apply(&manager("t", "status"), &live, &body, Force::No).unwrap_err();
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"s\" with subresource \"status\": \
         .status.phase"
    );
}

#[test]
fn owners_of_an_object_that_has_none_noted_are_called_so() {
    let live = thing(json!({"metadata": {"uid": "u"}, "spec": {"text": "1", "flag": true}}));
    let status = conflict(&live, "b", json!({"spec": {"text": "2"}}));
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using fields.test/v1: \
         .spec.text"
    );
}

#[test]
fn owners_of_another_version_are_forgotten_and_broken_ones_stop_applies() {
    let entry = json!({"manager": "a", "operation": "Apply", "apiVersion": "fields.test/v0",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:text": {}}}});
    let mut live = thing(json!({"spec": {"text": "1"}}));
    live["metadata"]["managedFields"] = json!([entry]);
    let wanted = thing(json!({"spec": {"text": "2"}}));
    let applied = apply(&manager("b", ""), &live, &wanted, Force::No).unwrap();
    let managers = applied["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(managers.len(), 1);
    live["metadata"]["managedFields"][0]["operation"] = json!("Take");
    let status = apply(&manager("b", ""), &live, &wanted, Force::No).unwrap_err();
    assert_eq!(status.code, 500);
}

#[test]
fn what_became_one_value_is_owned_as_one() {
    let entry = json!({"manager": "a", "operation": "Apply", "apiVersion": "fields.test/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:atomicObject": {"f:a": {}}, "f:keyed": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}}}}});
    let mut live = thing(json!({"spec": {"atomicObject": {"a": "1"}, "keyed": [{"name": "a"}]}}));
    live["metadata"]["managedFields"] = json!([entry]);
    let wanted = thing(json!({"spec": {"text": "2"}}));
    let applied = apply(&manager("b", ""), &live, &wanted, Force::No).unwrap();
    assert_eq!(
        applied["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:spec": {"f:atomicObject": {},
            "f:keyed": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}}}})
    );
}

#[test]
fn kubectl_takes_over_what_it_applied_by_annotation() {
    let key = "kubectl.kubernetes.io/last-applied-configuration";
    let last = thing(json!({"spec": {"text": "1"}})).to_string();
    let new = thing(json!({"metadata": {"annotations": {key: last}},
        "spec": {"text": "1", "map": {"k": "1"}}}));
    let entries = manager("kubectl-client-side-apply", "").track(&empty(), &new, Time::now());
    let mut live = new;
    live["metadata"]["uid"] = json!("u");
    live["metadata"]["managedFields"] = serde_json::to_value(entries).unwrap();

    let wanted = json!({"metadata": {"annotations": {"a": "<1>"}}, "spec": {"text": "2"}});
    let status = conflict(&live, "other", wanted.clone());
    assert_eq!(status.code, 409);
    let applied = apply(&manager("kubectl", ""), &live, &thing(wanted), Force::No).unwrap();
    assert_eq!(applied["spec"], json!({"text": "2", "map": {"k": "1"}}));
    assert_eq!(
        applied["metadata"]["annotations"],
        json!({"a": "<1>", key: "{\"apiVersion\":\"fields.test/v1\",\"kind\":\"Thing\",\"metadata\":\
            {\"annotations\":{\"a\":\"\\u003c1\\u003e\"},\"name\":\"x\"},\"spec\":{\"text\":\"2\"}}\n"})
    );
    let wanted = json!({"spec": {"text": "2", "map": {"k": "2"}}});
    let status = conflict(&live, "kubectl", wanted);
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using \
         fields.test/v1: .spec.map.k"
    );

    // Neither what somebody has changed since, nor what was applied in another version.
    let wanted = json!({"spec": {"text": "2"}});
    let mut changed = live.clone();
    changed["spec"]["text"] = json!("3");
    let entries = manager("u", "").track(&live, &changed, Time::now());
    changed["metadata"]["managedFields"] = serde_json::to_value(entries).unwrap();
    assert_eq!(conflict(&changed, "kubectl", wanted.clone()).code, 409);
    let mut other = live.clone();
    other["metadata"]["annotations"][key] = last.replace("fields.test/v1", "fields.test/v0").into();
    assert_eq!(conflict(&other, "kubectl", wanted).code, 409);

    // An annotation that has no room goes.
    let large = "x".repeat(130 << 10);
    let wanted = thing(json!({"metadata": {"annotations": {"a": large}}}));
    let applied = apply(&manager("kubectl", ""), &live, &wanted, Force::No).unwrap();
    let annotations = applied["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["a"]);
}
