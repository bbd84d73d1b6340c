//! Bodies that can and cannot be read.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Decoded, Expected, decode, decode_value, json};
use crate::{
    definition::{Definition, Field, List, OBJECT_META, Type},
    negotiation::Input,
    options::FieldValidation,
    schema::GroupVersion,
    status::Status,
};

static THING: Definition = Definition::object(
    "Thing",
    "",
    &[
        Field::optional("apiVersion", Type::String, ""),
        Field::optional("kind", Type::String, ""),
        Field::optional("metadata", Type::Named(&OBJECT_META), ""),
        Field::optional("spec", Type::Named(&SPEC), ""),
    ],
);

static SPEC: Definition = Definition::object(
    "Spec",
    "",
    &[
        Field::optional("syncMode", Type::String, ""),
        Field::optional("taints", Type::List(&List::of(Type::Named(&TAINT))), ""),
    ],
);

static TAINT: Definition =
    Definition::object("Taint", "", &[Field::optional("key", Type::String, "")]);

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
        "the API version in the data (v1) does not match the expected API version \
         (cluster.karmada.io/v1alpha1)",
    );
    check_refused(
        r#"{"kind":"Pod"}"#,
        "Pod in version \"v1alpha1\" cannot be handled as a Cluster: no kind \"Pod\" is registered \
         for version \"cluster.karmada.io/v1alpha1\" in scheme \"cluster.karmada.io\"",
    );
    assert!(read("{}", FieldValidation::Strict).is_ok());
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

#[test]
fn yaml_is_read_as_go_reads_it() {
    let body = "kind: Cluster\nspec:\n  syncMode: Push\n  taints: [{key: \"0777\"}, {key: 0777}]\n";
    let got: Decoded = decode(
        body.as_bytes(),
        Input::Yaml,
        &CLUSTER,
        FieldValidation::Strict,
    )
    .unwrap();
    assert_eq!(
        got.object,
        json!({"kind": "Cluster", "spec": {"syncMode": "Push",
        "taints": [{"key": "0777"}, {"key": 511}]}})
    );
    let twice = "kind: Cluster\nspec: {syncMode: a, syncMode: b}\n";
    let got: Decoded = decode(
        twice.as_bytes(),
        Input::Yaml,
        &CLUSTER,
        FieldValidation::Warn,
    )
    .unwrap();
    assert_eq!(got.warnings.len(), 1);
    assert_eq!(got.object["spec"]["syncMode"], "b");
    let status =
        decode::<Value>(b"a: [", Input::Yaml, &CLUSTER, FieldValidation::Warn).unwrap_err();
    assert!(
        status.message.contains("yaml parse error"),
        "{}",
        status.message
    );
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
