//! The recorded cases of Karmada's own API server, as far as they need no server.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use fleetgate_apimachinery::{
    decode::unknown_fields, definition::Type, json, meta::Time, openapi, schema::GroupKind,
    status::Status,
};
use serde_json::{Map, Value};

use crate::{
    Cluster, GROUP, KIND, PRINTER, ResourceModeling, SERVED, canonicalize, prepare_for_create,
    validate,
};

fn golden(file: &str) -> Value {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let text = fs::read_to_string(dir.join(file)).expect("the golden files are in the repository");
    serde_json::from_str(&text).expect("the golden files are JSON")
}

/// The body that each case whose name starts with `prefix` posts first, with what was answered.
fn first_posts(prefix: &str) -> Vec<(String, Value, Value)> {
    let (cases, expected) = (golden("cases.json"), golden("expected.json"));
    let cases = cases.as_array().expect("a list of cases");
    let posts = cases.iter().filter_map(|case| {
        let name = case["name"].as_str()?;
        let step = &case["steps"][0];
        (name.starts_with(prefix) && step["method"] == "POST").then(|| {
            (
                name.to_owned(),
                step["body"].clone(),
                expected[name][0]["body"].clone(),
            )
        })
    });
    posts.collect()
}

/// The times of an answer, masked as the recorded ones are.
fn masked(mut value: Value) -> Value {
    if let Some(taints) = value
        .pointer_mut("/spec/taints")
        .and_then(Value::as_array_mut)
    {
        for taint in taints
            .iter_mut()
            .filter(|taint| taint["timeAdded"].is_string())
        {
            taint["timeAdded"] = "TIME".into();
        }
    }
    value
}

#[test]
fn stored_values_are_read_and_written_byte_for_byte() {
    let stored: BTreeMap<String, Value> =
        serde_json::from_value(golden("etcd.json")).expect("keys with values");
    assert!(!stored.is_empty());
    for (key, value) in stored {
        let stored = value["value"].as_str().expect("a value");
        let cluster: Cluster = serde_json::from_str(stored).expect("a cluster");
        let mut again = json::to_vec(&cluster).expect("a cluster serializes");
        again.push(b'\n');
        assert_eq!(
            String::from_utf8(again).expect("JSON is UTF-8"),
            stored,
            "{key}"
        );
    }
}

#[test]
fn what_was_refused_is_refused_in_the_same_words() {
    let posts = first_posts("invalid/");
    assert_eq!(posts.len(), 17);
    for (name, body, want) in posts {
        let mut cluster: Cluster = serde_json::from_value(body).expect("a cluster");
        prepare_for_create(&mut cluster, ResourceModeling::Customized);
        let errors = validate(&cluster);
        let kind = GroupKind {
            group: GROUP,
            kind: KIND,
        };
        let status = Status::invalid(kind, &cluster.metadata.name, &errors);
        let got = serde_json::to_value(&status).expect("a status serializes");
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn what_was_accepted_is_accepted_with_the_same_defaults() {
    let posts = first_posts("crud-");
    assert_eq!(posts.len(), 5);
    for (name, body, want) in posts {
        let mut cluster: Cluster = serde_json::from_value(body).expect("a cluster");
        prepare_for_create(&mut cluster, ResourceModeling::Customized);
        assert_eq!(validate(&cluster), [], "{name}");
        canonicalize(&mut cluster, Time::now());
        let got = masked(serde_json::to_value(&cluster).expect("a cluster serializes"));
        for part in ["spec", "status", "kind", "apiVersion"] {
            assert_eq!(got[part], want[part], "{name}: {part}");
        }
        assert_eq!(
            got["metadata"]["generation"], want["metadata"]["generation"],
            "{name}"
        );
    }
}

/// `value` without what is said for people.
fn without_descriptions(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(key, value)| key != "description" || !value.is_string())
            .map(|(key, value)| (key, without_descriptions(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_descriptions).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

#[track_caller]
fn check_document(document: &openapi::Document, file: &str) {
    let got = serde_json::from_slice(&document.json).expect("the document is JSON");
    let (got, want) = (without_descriptions(got), golden(file));
    let mut different = Vec::new();
    differences("", &got, &want, &mut different);
    assert_eq!(different, [""; 0], "{file}");
}

/// Where `got` is not as `want`.
fn differences(path: &str, got: &Value, want: &Value, found: &mut Vec<String>) {
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => {
            let keys: BTreeSet<_> = got.keys().chain(want.keys()).collect();
            for key in keys {
                let member = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                let path = format!("{path} {key}");
                differences(&path, &member(got), &member(want), found);
            }
        }
        (got, want) if got == want => {}
        (got, want) => found.push(format!("{path}: {got}, not {want}")),
    }
}

#[test]
fn the_openapi_documents_are_those_recorded() {
    let info = |title| openapi::Info {
        title,
        version: "1.36",
    };
    check_document(&openapi::v2(SERVED, info("Karmada")), "openapi-v2.json");
    let documents = openapi::v3(SERVED, info("Generic API Server"));
    assert_eq!(
        documents.keys().collect::<Vec<_>>(),
        [
            "apis",
            "apis/cluster.karmada.io",
            "apis/cluster.karmada.io/v1alpha1",
            "version"
        ]
    );
    check_document(
        &documents["apis/cluster.karmada.io/v1alpha1"],
        "openapi-v3.json",
    );
}

#[test]
fn every_type_and_field_says_what_it_is() {
    let info = openapi::Info {
        title: "",
        version: "",
    };
    let document: Value =
        serde_json::from_slice(&openapi::v2(SERVED, info).json).expect("the document is JSON");
    for (name, schema) in document["definitions"].as_object().expect("definitions") {
        let said = |schema: &Value| {
            schema["description"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        };
        assert!(said(schema), "{name}");
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(said(schema), "{name} {field}");
        }
    }
}

#[test]
fn every_field_is_written_under_its_name() {
    let full = golden("etcd.json");
    let stored = full["/registry/cluster.karmada.io/clusters/stored-full"]["value"].as_str();
    let cluster: Value = serde_json::from_str(stored.expect("a value")).expect("JSON");
    assert_eq!(
        unknown_fields(&cluster, Type::Named(&crate::CLUSTER)),
        Vec::<String>::new()
    );
}

#[test]
fn clusters_are_shown_as_recorded() {
    let expected = golden("expected.json");
    for (case, step) in [("crud-minimal", 2), ("crud-full", 1)] {
        let table = &expected[case][step]["body"];
        let mut columns = serde_json::to_value(PRINTER.columns).expect("columns serialize");
        for column in columns.as_array_mut().expect("a list") {
            column["description"] = "TEXT".into();
        }
        assert_eq!(columns, table["columnDefinitions"], "{case}");
        let body = golden("cases.json")
            .as_array()
            .expect("a list of cases")
            .iter()
            .find(|known| known["name"] == case)
            .map(|known| known["steps"][0]["body"].clone());
        let mut cluster: Cluster =
            serde_json::from_value(body.expect("the case")).expect("a cluster");
        cluster.metadata.creation_timestamp = Some(Time::now());
        let mut cells = (PRINTER.cells)(&cluster, Time::now());
        cells[4] = "AGE".into();
        assert_eq!(Value::from(cells), table["rows"][0]["cells"], "{case}");
    }
}
