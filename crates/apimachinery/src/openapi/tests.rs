//! A kind that exists nowhere else: its definitions and its entry in what is served are all that the
//! documents need.

use serde_json::Value;

use super::{Info, hash, v2, v3, v3_index};
use crate::{
    definition::{Definition, Field, LIST_META, List, ListKind, OBJECT_META, PatchStrategy, Type},
    discovery::{Group, Resource, Serves, Subresource, Version},
    schema::GroupVersionKind,
};

static WIDGET: Definition = Definition::object(
    "com.example.test.Widget",
    "Something with parts.",
    &[
        Field::optional("metadata", Type::Named(&OBJECT_META), "As of any object.").embedded(),
        Field::required("size", Type::Int64, "Its size."),
        Field::optional(
            "parts",
            Type::List(&List {
                item: Type::Named(&PART),
                kind: ListKind::Map(&["name"]),
                patch: PatchStrategy::MergeBy("name"),
            }),
            "Its parts.",
        ),
    ],
)
.of(&[GroupVersionKind {
    group: "test.example.com",
    version: "v2",
    kind: "Widget",
}]);
static PART: Definition = Definition::object(
    "com.example.test.Part",
    "A part.",
    &[Field::required("name", Type::String, "Its name.")],
);
static WIDGET_LIST: Definition = Definition::object(
    "com.example.test.WidgetList",
    "Widgets.",
    &[
        Field::required(
            "items",
            Type::List(&List::of(Type::Named(&WIDGET))),
            "The widgets.",
        ),
        Field::optional("metadata", Type::Named(&LIST_META), "As of any list.").embedded(),
    ],
);
const SERVED: &[Group] = &[Group {
    name: "test.example.com",
    versions: &[Version {
        name: "v2",
        resources: &[Resource {
            name: "widgets",
            singular: "widget",
            kind: "Widget",
            object: &WIDGET,
            list: &WIDGET_LIST,
            verbs: &["create", "get", "list"],
            subresources: &[Subresource {
                name: "scale",
                kind: "Widget",
                verbs: &["get"],
                serves: Serves::Object,
            }],
        }],
    }],
}];
const INFO: Info<'_> = Info {
    title: "Widgets",
    version: "2.1",
};

/// The names of a map's entries.
#[track_caller]
fn check_keys(map: &Value, want: &[&str]) {
    let keys: Vec<_> = map.as_object().expect("a map").keys().collect();
    assert_eq!(keys, want);
}

#[test]
fn a_kind_is_described_from_its_definition_and_its_entry_alone() {
    let document: Value = serde_json::from_slice(&v2(SERVED, INFO).json).expect("JSON");
    assert_eq!(document["info"]["title"], "Widgets");
    let paths = &document["paths"];
    check_keys(
        paths,
        &[
            "/apis/",
            "/apis/test.example.com/",
            "/apis/test.example.com/v2/",
            "/apis/test.example.com/v2/widgets",
            "/apis/test.example.com/v2/widgets/{name}",
            "/apis/test.example.com/v2/widgets/{name}/scale",
            "/version/",
        ],
    );
    let root = "/apis/test.example.com/v2/widgets";
    check_keys(&paths[root], &["get", "parameters", "post"]);
    let below = |path: &str| &paths[format!("{root}{path}")];
    check_keys(below("/{name}"), &["get", "parameters"]);
    let id = |operation: &Value| operation["operationId"].clone();
    assert_eq!(id(&paths[root]["get"]), "listTestExampleComV2Widget");
    assert_eq!(id(&paths[root]["post"]), "createTestExampleComV2Widget");
    assert_eq!(
        id(&below("/{name}/scale")["get"]),
        "readTestExampleComV2WidgetScale"
    );
    assert_eq!(paths[root]["get"]["tags"][0], "testExampleCom_v2");
    let widget = &document["definitions"]["com.example.test.Widget"];
    assert_eq!(widget["required"][0], "size");
    assert_eq!(
        widget["properties"]["parts"]["x-kubernetes-patch-merge-key"],
        "name"
    );
    assert_eq!(
        widget["x-kubernetes-group-version-kind"][0]["kind"],
        "Widget"
    );
    assert!(document["definitions"]["com.example.test.Part"].is_object());
    // Nothing is deleted, so there are no options for it.
    let options = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
    assert!(document["definitions"].get(options).is_none());
}

#[test]
fn the_index_has_each_document_under_its_hash() {
    let documents = v3(SERVED, INFO);
    let index: Value = serde_json::from_slice(&v3_index(&documents)).expect("JSON");
    check_keys(
        &index["paths"],
        &[
            "apis",
            "apis/test.example.com",
            "apis/test.example.com/v2",
            "version",
        ],
    );
    let document = &documents["apis/test.example.com/v2"];
    assert_eq!(document.hash, hash(&document.json));
    let url = format!(
        "/openapi/v3/apis/test.example.com/v2?hash={}",
        document.hash
    );
    assert_eq!(
        index["paths"]["apis/test.example.com/v2"]["serverRelativeURL"],
        url
    );
}

/// Every `$ref` of `value`.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn whatever_is_pointed_to_is_there() {
    let all = v3(SERVED, INFO).into_values().chain([v2(SERVED, INFO)]);
    for document in all {
        let document: Value = serde_json::from_slice(&document.json).expect("JSON");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let place = reference.strip_prefix('#').expect("of this document");
            assert!(document.pointer(place).is_some(), "{reference}");
        }
    }
}
