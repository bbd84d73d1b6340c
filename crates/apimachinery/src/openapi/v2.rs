//! The document of version 2.

use serde_json::{Map, Value, json};

use super::{
    Info,
    operation::{Operation, phrase},
    parameter::{Parameter, Place},
    path::PathItem,
    schema::{Dialect, map, reference, schemas},
};
use crate::discovery::Group;

pub(super) fn document(paths: &[PathItem], groups: &[Group], info: Info<'_>) -> Value {
    let roots = paths.iter().flat_map(PathItem::definitions);
    let items = paths
        .iter()
        .map(|item| (item.path.clone(), item.to_value(operation, parameters)));
    json!({
        "swagger": "2.0",
        "info": {"title": info.title, "version": info.version},
        "paths": items.collect::<Map<_, _>>(),
        "definitions": schemas(roots, groups, Dialect::V2),
        "parameters": shared(paths),
        "securityDefinitions": {"BearerToken": {
            "description": "A bearer token.",
            "type": "apiKey",
            "name": "authorization",
            "in": "header",
        }},
        "security": [{"BearerToken": []}],
    })
}

/// The parameters that are described once.
fn shared(paths: &[PathItem]) -> Map<String, Value> {
    let of_operations = paths
        .iter()
        .flat_map(|item| &item.operations)
        .flat_map(|operation| &operation.parameters);
    let all = of_operations.chain(paths.iter().flat_map(|item| &item.parameters));
    all.filter_map(|parameter| Some((parameter.shared?.to_owned(), described(parameter))))
        .collect()
}

fn operation(operation: &Operation) -> Value {
    let mut responses: Map<_, _> = operation
        .codes
        .iter()
        .map(|code| {
            let schema = operation.answer.schema(Dialect::V2);
            let response = json!({"description": phrase(*code), "schema": schema});
            (code.to_string(), response)
        })
        .collect();
    responses.insert("401".to_owned(), json!({"description": "Unauthorized"}));
    let mut out = map([
        ("description", operation.doc.clone().into()),
        ("consumes", json!(operation.consumes)),
        ("produces", json!(operation.produces)),
        ("schemes", json!(["https"])),
        ("tags", json!([operation.tag])),
        ("operationId", operation.id.clone().into()),
        ("responses", responses.into()),
    ]);
    out.extend(parameters(&operation.parameters));
    out.extend(operation.extensions());
    out.into()
}

/// `parameters`, if there are any.
fn parameters(parameters: &[Parameter]) -> Option<(String, Value)> {
    let parameters: Vec<_> = parameters.iter().map(parameter).collect();
    (!parameters.is_empty()).then(|| ("parameters".to_owned(), parameters.into()))
}

fn parameter(parameter: &Parameter) -> Value {
    match parameter.shared {
        Some(name) => json!({"$ref": format!("#/parameters/{name}")}),
        None => described(parameter),
    }
}

fn described(parameter: &Parameter) -> Value {
    let mut out = parameter.common();
    match parameter.place {
        Place::Body(definition) => {
            let schema = reference(definition, Dialect::V2);
            out.insert("schema".to_owned(), schema.into());
        }
        Place::Path | Place::Query(_) => out.extend(parameter.scalar()),
    }
    out.into()
}
