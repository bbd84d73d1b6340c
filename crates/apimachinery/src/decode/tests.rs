//! Bodies that can and cannot be read.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Decoded, Expected, decode, decode_json, decode_value, decode_yaml, json};
use crate::{
    definition::{Definition, Field, List, OBJECT_META, TIME, Type},
    negotiation::Input,
    options::FieldValidation,
    schema::GroupVersion,
    status::Status,
};

static THING: Definition = Definition::object(
    "example.v1.Thing",
    "",
    &[
        Field::optional("apiVersion", Type::String, ""),
        Field::optional("kind", Type::String, ""),
        Field::optional("metadata", Type::Named(&OBJECT_META), ""),
        Field::optional("spec", Type::Named(&SPEC), ""),
    ],
);

static SPEC: Definition = Definition::object(
    "example.v1.Spec",
    "",
    &[
        Field::optional("syncMode", Type::String, "").called("v1.Mode"),
        Field::optional("taints", Type::List(&List::of(Type::Named(&TAINT))), ""),
        Field::optional("notes", Type::Map(&Type::String), ""),
        Field::optional("since", Type::Named(&TIME), ""),
        Field::optional("grade", Type::Int32, "").called("uint"),
        Field::optional("count", Type::Int32, ""),
    ],
);

static TAINT: Definition = Definition::object(
    "example.v1.Taint",
    "",
    &[Field::optional("key", Type::String, "")],
);

const CLUSTER: Expected<'_> = Expected {
    group_version: GroupVersion {
        group: "cluster.karmada.io",
        version: "v1alpha1",
    },
    kind: "Cluster",
    definition: &THING,
};

fn read(body: &str, validation: FieldValidation) -> Result<Decoded, Status> {
    decode(body.as_bytes(), Input::Json, &CLUSTER, validation)
}

#[track_caller]
fn check_refused(body: &str, message: &str) {
    let status = read(body, FieldValidation::Strict).unwrap_err();
    assert_eq!((status.code, status.message.as_str()), (400, message));
}

#[test]
fn bodies_that_cannot_be_read_are_told_as_recorded() {
    let unrecognized = "the object provided is unrecognized (must be of type Cluster): couldn't \
                        get version/kind; json parse error:";
    check_refused(
        "{",
        &format!("{unrecognized} unexpected end of JSON input ({{)"),
    );
    check_refused(
        "",
        &format!("{unrecognized} unexpected end of JSON input (<empty>)"),
    );
    check_refused(
        "x",
        &format!("{unrecognized} invalid character 'x' looking for beginning of value (78)"),
    );
    check_refused(
        &format!("{{\"a\": 1 {}", "b".repeat(30)),
        &format!(
            "{unrecognized} invalid character 'b' after object key:value pair ({{\"a\": 1 {} ...)",
            "b".repeat(22)
        ),
    );
}

#[test]
fn objects_of_other_kinds_are_refused() {
    check_refused(
        r#"{"kind":"Pod","apiVersion":"v1"}"#,
        "Pod in version \"v1\" cannot be handled as a Cluster: no kind \"Pod\" is registered for \
         version \"v1\" in scheme \"cluster.karmada.io\"",
    );
    check_refused(
        r#"{"kind":"Pod"}"#,
        "Pod in version \"v1alpha1\" cannot be handled as a Cluster: no kind \"Pod\" is registered \
         for version \"cluster.karmada.io/v1alpha1\" in scheme \"cluster.karmada.io\"",
    );
    let unrecognized = "the object provided is unrecognized (must be of type Cluster):";
    check_refused(
        r#"{"apiVersion":"a/b/c"}"#,
        &format!(
            "{unrecognized} unexpected GroupVersion string: a/b/c ({{\"apiVersion\":\"a/b/c\"}})"
        ),
    );
    let parse = "couldn't get version/kind; json parse error: json: cannot unmarshal";
    check_refused(
        r#"{"kind":5}"#,
        &format!(
            "{unrecognized} {parse} number into Go struct field .kind of type string ({{\"kind\":5}})"
        ),
    );
    check_refused(
        "[]",
        &format!(
            "{unrecognized} {parse} array into Go value of type struct {{ APIVersion string \
             \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }} (5b5d)"
        ),
    );
    for nothing in ["{}", "null", r#"{"kind":null,"apiVersion":""}"#] {
        assert_eq!(
            read(nothing, FieldValidation::Strict).unwrap().warnings,
            [""; 0]
        );
    }
}

#[test]
fn unknown_and_duplicate_fields_are_told_with_their_path() {
    let body = r#"{"kind":"Cluster","metadata":{"labels":{"x":"1","x":"2"},"nope":1},
        "spec":{"syncMode":"a","taints":[{"key":"k"},{"q":{"z":1,"z":2},"q":1}],"syncMode":"b"},
        "Kind":1}"#;
    // In the order in which they stand, each once, and nothing of what is within an unknown field.
    let faults = [
        "duplicate field \"metadata.labels.x\"",
        "unknown field \"metadata.nope\"",
        "unknown field \"spec.taints[1].q\"",
        "duplicate field \"spec.syncMode\"",
        "unknown field \"Kind\"",
    ];
    check_refused(
        body,
        &format!(
            "Cluster in version \"v1alpha1\" cannot be handled as a Cluster: strict decoding error: {}",
            faults.join(", ")
        ),
    );
    let warned = read(body, FieldValidation::Warn).unwrap();
    assert_eq!(warned.warnings, faults);
    assert_eq!(warned.object["spec"]["syncMode"], "b");
    assert_eq!(
        read(body, FieldValidation::Ignore).unwrap().warnings,
        [""; 0]
    );
}

#[test]
fn a_hundred_faults_are_told() {
    let fields: Vec<_> = (0..150).map(|index| format!("\"u{index}\":1")).collect();
    let warned = read(&format!("{{{}}}", fields.join(",")), FieldValidation::Warn).unwrap();
    assert_eq!(warned.warnings.len(), 100);
    assert_eq!(warned.warnings.last().unwrap(), "unknown field \"u99\"");
}

/// Bytes of what is told of `body`, whose fields are all known.
fn told(body: &str) -> usize {
    let (_, faults) = decode_json(body.as_bytes(), Type::Any).unwrap();
    assert!(!faults.is_empty());
    faults.iter().map(String::len).sum()
}

#[test]
fn what_is_told_of_long_paths_is_bounded() {
    let pairs = |count: u32| -> Vec<_> {
        let pair = |index| format!("\"{index}\":1,\"{index}\":1");
        (0..count).map(pair).collect()
    };
    let body = |key: usize| format!("{{\"{}\":{{{}}}}}", "k".repeat(key), pairs(100).join(","));
    assert!(told(&body(1 << 20)) < 2 << 20);
    assert!(told(&body(100 << 10)) < 2 << 20);
    // Told in full where they are not long.
    assert!(told(&body(1000)) > 100 * 1000);
}

#[test]
fn a_hundred_keys_of_yaml_that_are_there_twice_are_told() {
    let pairs: String = (0..150)
        .map(|index| format!("{{a: {index}, a: 1}},"))
        .collect();
    let keys: String = (0..300)
        .map(|index| format!("b{}: 1, ", index / 2))
        .collect();
    for body in [
        format!("[{pairs}]"),
        format!("{{{keys}}}"),
        format!("{{c: [{pairs}], {keys}}}"),
    ] {
        assert_eq!(decode_yaml(body.as_bytes()).unwrap().1.len(), 100);
    }
}

#[test]
fn yaml_is_read_as_go_reads_it() {
    let body = "kind: Cluster\nspec:\n  taints: [{key: \"0777\"}, {key: 0777}]\n";
    assert_eq!(
        decode_value(body.as_bytes(), Input::Yaml),
        Ok(json!({"kind": "Cluster", "spec": {"taints": [{"key": "0777"}, {"key": 511}]}}))
    );
    assert_eq!(
        decode_value(b"[100.0, -1e3, 1.5, 9007199254740993.0]", Input::Yaml),
        Ok(json!([100, -1000, 1.5, 9_007_199_254_740_992_i64]))
    );
    let status =
        decode::<Value>(b"a: [", Input::Yaml, &CLUSTER, FieldValidation::Warn).unwrap_err();
    let start = "the object provided is unrecognized (must be of type Cluster): yaml: line 1 ";
    assert!(status.message.starts_with(start), "{}", status.message);
}

#[test]
fn every_key_of_yaml_that_is_there_twice_is_told() {
    let body = "kind: Cluster\nmetadata:\n  labels: {1: a, 1: b, '1': c, yes: d}\n  labels:\n    x: a\n\
                \x20   x: b\nspec: {syncMode: a, nope: 1, syncMode: b}\nkind: Cluster\n---\nkind: Pod\n";
    let lines = [
        "line 3: key 1 already set in map",
        "line 6: key \"x\" already set in map",
        "line 5: key \"labels\" already set in map",
        "line 7: key \"syncMode\" already set in map",
        "line 8: key \"kind\" already set in map",
    ];
    let unknown = "unknown field \"spec.nope\"";
    // Where their second values begin.
    let read = |validation| decode(body.as_bytes(), Input::Yaml, &CLUSTER, validation);
    let warned: Decoded = read(FieldValidation::Warn).unwrap();
    assert_eq!(warned.warnings, [&lines[..], &[unknown]].concat());
    assert_eq!(warned.object["spec"]["syncMode"], "b");
    assert_eq!(warned.object["metadata"]["labels"], json!({"x": "b"}));
    let refused: Result<Decoded, Status> = read(FieldValidation::Strict);
    let want = format!(
        "Cluster in version \"v1alpha1\" cannot be handled as a Cluster: strict decoding error: \
         yaml: unmarshal errors:\n  {}, {unknown}",
        lines.join("\n  ")
    );
    assert_eq!(refused.unwrap_err().message, want);
}

#[track_caller]
fn check_misfit(spec: &str, want: &str) {
    let told =
        "Cluster in version \"v1alpha1\" cannot be handled as a Cluster: json: cannot unmarshal";
    let body = format!("{{\"nope\":1,\"spec\":{spec}}}");
    check_refused(&body, &format!("{told} {want}"));
    let yaml = decode::<Value>(
        body.as_bytes(),
        Input::Yaml,
        &CLUSTER,
        FieldValidation::Warn,
    );
    assert_eq!(yaml.unwrap_err().message, format!("{told} {want}"));
}

#[test]
fn values_of_another_type_are_told_in_gos_words() {
    check_misfit(
        "5",
        "number into Go struct field Thing.spec of type v1.Spec",
    );
    check_misfit(
        "[5]",
        "array into Go struct field Thing.spec of type v1.Spec",
    );
    check_misfit(
        "{\"syncMode\":true}",
        "bool into Go struct field Spec.spec.syncMode of type v1.Mode",
    );
    check_misfit(
        "{\"taints\":{}}",
        "object into Go struct field Spec.spec.taints of type []v1.Taint",
    );
    check_misfit(
        "{\"taints\":[null,5]}",
        "number into Go struct field Spec.spec.taints of type v1.Taint",
    );
    check_misfit(
        "{\"taints\":[{\"key\":{\"x\":1}}]}",
        "object into Go struct field Taint.spec.taints.key of type string",
    );
    check_misfit(
        "{\"notes\":{\"x\":1}}",
        "number into Go struct field Spec.spec.notes of type string",
    );
    check_misfit(
        "{\"notes\":\"x\"}",
        "string into Go struct field Spec.spec.notes of type map[string]string",
    );
    check_misfit(
        "{\"since\":5}",
        "number into Go struct field Spec.spec.since of type string",
    );
    check_misfit(
        "{\"grade\":-1}",
        "number -1 into Go struct field Spec.spec.grade of type uint",
    );
    check_misfit(
        "{\"grade\":\"x\"}",
        "string into Go struct field Spec.spec.grade of type uint",
    );
    check_misfit(
        "{\"count\":3000000000}",
        "number 3000000000 into Go struct field Spec.spec.count of type int32",
    );
    check_misfit(
        "{\"count\":1.5}",
        "number 1.5 into Go struct field Spec.spec.count of type int32",
    );
    // The first alone, and what is after it is read on.
    check_misfit(
        "{\"count\":{},\"grade\":{}}",
        "object into Go struct field Spec.spec.count of type int32",
    );
}

#[test]
fn nulls_are_of_every_type() {
    let fields = ["taints", "syncMode", "notes", "since", "grade", "count"];
    for field in fields {
        let body = format!("{{\"spec\":{{\"{field}\":null}}}}");
        assert!(read(&body, FieldValidation::Strict).is_ok(), "{field}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..64)) {
        for input in [Input::Json, Input::Yaml] {
            let _value = decode_value(&body, input).is_ok();
        }
    }

    #[test]
    fn json_is_read_as_serde_reads_it(text in "[\\[\\]{}\",:a01.e-]{0,24}") {
        let want = serde_json::from_str::<Value>(&text).ok();
        prop_assert_eq!(json::parse(text.as_bytes(), Type::Any).ok().map(|parsed| parsed.value), want);
    }
}
