//! The recorded cases of Karmada's own API server, as far as they need no server.

use std::{collections::BTreeMap, fs, path::Path};

use fleetgate_apimachinery::{
    decode::unknown_fields,
    definition::{Definition, Field, Type},
    json,
    meta::Time,
    schema::GroupKind,
    status::Status,
};
use serde_json::Value;

use crate::{
    Cluster, GROUP, KIND, PRINTER, ResourceModeling, canonicalize, prepare_for_create, validate,
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

/// The schema called `name` in the recorded OpenAPI document.
fn schema<'a>(document: &'a Value, name: &str) -> &'a Value {
    let schema = &document["components"]["schemas"][name];
    assert!(schema.is_object(), "{name}");
    schema
}

/// The schema that a property points to, directly, as an item, or as a value.
fn target<'a>(document: &'a Value, property: &'a Value) -> Option<&'a Value> {
    let inner = [
        &property["items"],
        &property["additionalProperties"],
        property,
    ];
    let reference = inner.into_iter().find_map(|place| {
        place["$ref"]
            .as_str()
            .or_else(|| place["allOf"][0]["$ref"].as_str())
    })?;
    let target = schema(document, reference.rsplit('/').next()?);
    target["properties"].is_object().then_some(target)
}

#[track_caller]
fn check_definition(document: &Value, schema: &Value, definition: &Definition, path: &str) {
    let properties = schema["properties"].as_object().expect("properties");
    let fields = definition.fields();
    let names: Vec<_> = fields.iter().map(|field| field.name.to_owned()).collect();
    assert_eq!(
        names,
        properties.keys().cloned().collect::<Vec<_>>(),
        "{path}"
    );
    for Field { name, ty, .. } in fields {
        let (property, path) = (&properties[*name], format!("{path}.{name}"));
        let is_list = property["type"] == "array";
        assert_eq!(matches!(ty, Type::List(_)), is_list, "{path}");
        let inner = match ty {
            Type::List(list) => list.item,
            Type::Map(value) => **value,
            other => *other,
        };
        if let (Some(schema), Type::Named(definition)) = (target(document, property), inner) {
            check_definition(document, schema, definition, &path);
        }
    }
}

#[test]
fn the_definition_has_the_fields_of_the_recorded_schema() {
    let document = golden("openapi-v3.json");
    let schemas = document["components"]["schemas"]
        .as_object()
        .expect("schemas");
    let cluster = schemas
        .keys()
        .find(|name| name.ends_with(".v1alpha1.Cluster"));
    let cluster = schema(&document, cluster.expect("a schema of Cluster"));
    check_definition(&document, cluster, &crate::CLUSTER, "");
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
