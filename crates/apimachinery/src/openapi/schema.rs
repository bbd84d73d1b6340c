//! Definitions as schemas, in the two versions' dialects.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    definition::{
        DELETE_OPTIONS, Definition, Field, List, ListKind, PatchStrategy, Shape, Type, WATCH_EVENT,
    },
    discovery::Group,
};

/// The version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V2,
    V3,
}

/// `roots` and all that they are made of, by name.
pub(super) fn schemas(
    roots: impl IntoIterator<Item = &'static Definition>,
    groups: &[Group],
    dialect: Dialect,
) -> Map<String, Value> {
    let mut found = BTreeMap::new();
    for root in roots {
        collect(root, &mut found);
    }
    let schemas = found.into_values().map(|definition| {
        (
            definition.name.to_owned(),
            schema(definition, groups, dialect),
        )
    });
    schemas.collect()
}

fn collect(
    definition: &'static Definition,
    found: &mut BTreeMap<&'static str, &'static Definition>,
) {
    if found.insert(definition.name, definition).is_none() {
        for named in definition
            .fields()
            .iter()
            .filter_map(|field| named(field.ty))
        {
            collect(named, found);
        }
    }
}

/// The definition that a type comes down to.
fn named(ty: Type) -> Option<&'static Definition> {
    match ty {
        Type::Named(definition) => Some(definition),
        Type::List(list) => named(list.item),
        Type::Map(value) => named(*value),
        Type::Any | Type::Boolean | Type::Int32 | Type::Int64 | Type::String | Type::Enum(_) => {
            None
        }
    }
}

fn schema(definition: &'static Definition, groups: &[Group], dialect: Dialect) -> Value {
    let mut out = map([("description", definition.doc.into())]);
    out.extend(shape(definition.shape, dialect));
    let fields = definition.fields();
    let required = fields.iter().filter(|field| field.is_required);
    let required: Vec<_> = required.map(|field| field.name).collect();
    if !required.is_empty() {
        out.extend(map([("required", required.into())]));
    }
    let properties = fields
        .iter()
        .map(|field| (field.name.to_owned(), property(field, dialect)));
    let properties: Map<_, _> = properties.collect();
    if !properties.is_empty() {
        out.extend(map([("properties", properties.into())]));
    }
    let kinds = kinds(definition, groups);
    if !kinds.is_empty() {
        out.extend(map([("x-kubernetes-group-version-kind", kinds.into())]));
    }
    out.into()
}

fn shape(shape: Shape, dialect: Dialect) -> Map<String, Value> {
    match shape {
        Shape::Object(_) | Shape::Opaque => map([("type", "object".into())]),
        Shape::AtomicObject(_) => map([
            ("type", "object".into()),
            ("x-kubernetes-map-type", "atomic".into()),
        ]),
        Shape::String {
            takes_numbers: true,
            ..
        } if dialect == Dialect::V3 => {
            map([("oneOf", json!([{"type": "string"}, {"type": "number"}]))])
        }
        Shape::String {
            format: Some(format),
            ..
        } => map([("type", "string".into()), ("format", format.into())]),
        Shape::String { format: None, .. } => map([("type", "string".into())]),
    }
}

/// The kinds of a type. Options and events are kinds of every group that is served.
fn kinds(definition: &'static Definition, groups: &[Group]) -> Vec<Value> {
    let mut kinds: Vec<_> = definition
        .kinds
        .iter()
        .map(|kind| (kind.group, kind.version, kind.kind))
        .collect();
    let is_everywhere = [&DELETE_OPTIONS, &WATCH_EVENT]
        .iter()
        .any(|everywhere| everywhere.name == definition.name);
    if let (true, Some((_, _, kind))) = (is_everywhere, kinds.first().copied()) {
        for group in groups {
            let versions = group.versions.iter();
            kinds.extend(versions.map(|version| (group.name, version.name, kind)));
        }
    }
    kinds.sort_unstable();
    kinds
        .into_iter()
        .map(|(group, version, kind)| json!({"group": group, "version": version, "kind": kind}))
        .collect()
}

fn property(field: &Field, dialect: Dialect) -> Value {
    let mut out = match (field.ty, dialect) {
        (Type::Named(definition), Dialect::V3) => {
            map([("allOf", json!([reference(definition, dialect)]))])
        }
        (ty, _) => of(ty, dialect),
    };
    out.insert("description".to_owned(), field.doc.into());
    if let (Some(default), Dialect::V3) = (zero(field), dialect) {
        out.insert("default".to_owned(), default);
    }
    out.into()
}

/// What Go has where nothing was said: for scalars that must be there, and structs.
fn zero(field: &Field) -> Option<Value> {
    match field.ty {
        Type::Named(_) => field.is_embedded.then(|| json!({})),
        Type::Boolean if field.is_required => Some(false.into()),
        Type::Int32 | Type::Int64 if field.is_required => Some(0.into()),
        Type::String | Type::Enum(_) if field.is_required => Some("".into()),
        Type::Any
        | Type::Boolean
        | Type::Int32
        | Type::Int64
        | Type::String
        | Type::Enum(_)
        | Type::List(_)
        | Type::Map(_) => None,
    }
}

/// The schema of a type that stands somewhere.
fn of(ty: Type, dialect: Dialect) -> Map<String, Value> {
    match ty {
        Type::Any => Map::new(),
        Type::Boolean | Type::String => map([("type", scalar(ty).into())]),
        Type::Int32 => map([("type", scalar(ty).into()), ("format", "int32".into())]),
        Type::Int64 => map([("type", scalar(ty).into()), ("format", "int64".into())]),
        Type::Enum(values) => map([("type", scalar(ty).into()), ("enum", json!(values))]),
        Type::Named(definition) => reference(definition, dialect),
        Type::List(list) => list_schema(list, dialect),
        Type::Map(value) => map([
            ("type", "object".into()),
            ("additionalProperties", of(*value, dialect).into()),
        ]),
    }
}

fn list_schema(list: &List, dialect: Dialect) -> Map<String, Value> {
    let mut out = map([
        ("type", "array".into()),
        ("items", of(list.item, dialect).into()),
    ]);
    out.extend(match list.kind {
        ListKind::Unspecified => Map::new(),
        ListKind::Atomic => map([("x-kubernetes-list-type", "atomic".into())]),
        ListKind::Set => map([("x-kubernetes-list-type", "set".into())]),
        ListKind::Map(keys) => map([
            ("x-kubernetes-list-type", "map".into()),
            ("x-kubernetes-list-map-keys", json!(keys)),
        ]),
    });
    out.extend(match list.patch {
        PatchStrategy::Replace => Map::new(),
        PatchStrategy::Merge => map([("x-kubernetes-patch-strategy", "merge".into())]),
        PatchStrategy::MergeBy(key) => map([
            ("x-kubernetes-patch-strategy", "merge".into()),
            ("x-kubernetes-patch-merge-key", key.into()),
        ]),
    });
    out
}

/// What points to a definition.
pub(super) fn reference(definition: &Definition, dialect: Dialect) -> Map<String, Value> {
    let place = match dialect {
        Dialect::V2 => "#/definitions/",
        Dialect::V3 => "#/components/schemas/",
    };
    let reference = format!("{place}{}", definition.name);
    map([("$ref", reference.into())])
}

/// A JSON object of `entries`.
pub(super) fn map<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The name of a scalar type.
pub(super) const fn scalar(ty: Type) -> &'static str {
    match ty {
        Type::Boolean => "boolean",
        Type::Int32 | Type::Int64 => "integer",
        Type::Any | Type::String | Type::Enum(_) => "string",
        Type::Named(_) | Type::Map(_) => "object",
        Type::List(_) => "array",
    }
}
