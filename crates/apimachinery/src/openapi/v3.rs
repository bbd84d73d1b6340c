//! A document of version 3.

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
        "openapi": "3.0.0",
        "info": {"title": info.title, "version": info.version},
        "paths": items.collect::<Map<_, _>>(),
        "components": {"schemas": schemas(roots, groups, Dialect::V3)},
    })
}

fn operation(operation: &Operation) -> Value {
    let responses = operation.codes.iter().map(|code| {
        let schema = operation.answer.schema(Dialect::V3);
        let content = content(operation.produces, &schema);
        let response = json!({"description": phrase(*code), "content": content});
        (code.to_string(), response)
    });
    let mut out = map([
        ("description", operation.doc.clone().into()),
        ("tags", json!([operation.tag])),
        ("operationId", operation.id.clone().into()),
        ("responses", responses.collect::<Map<_, _>>().into()),
    ]);
    if let Some((parameter, definition)) = operation.body() {
        let schema = reference(definition, Dialect::V3);
        let mut body = map([("content", content(operation.consumes, &schema))]);
        if parameter.is_required {
            body.insert("required".to_owned(), true.into());
        }
        out.insert("requestBody".to_owned(), body.into());
    }
    out.extend(parameters(&operation.parameters));
    out.extend(operation.extensions());
    out.into()
}

/// `schema`, in each of `media_types`.
fn content(media_types: &[&str], schema: &Map<String, Value>) -> Value {
    let types = media_types
        .iter()
        .map(|media_type| ((*media_type).to_owned(), json!({"schema": schema})));
    types.collect::<Map<_, _>>().into()
}

/// `parameters`, if there are any beside the body.
fn parameters(parameters: &[Parameter]) -> Option<(String, Value)> {
    let parameters: Vec<_> = parameters
        .iter()
        .filter(|parameter| !matches!(parameter.place, Place::Body(_)))
        .map(|parameter| {
            let mut out = parameter.common();
            out.insert("schema".to_owned(), parameter.scalar().into());
            Value::from(out)
        })
        .collect();
    (!parameters.is_empty()).then(|| ("parameters".to_owned(), parameters.into()))
}
