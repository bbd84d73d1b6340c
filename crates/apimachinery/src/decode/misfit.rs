//! Values that are not of their type, in the words of Go's JSON decoder.
//!
//! Go tells the first of them, by the struct and the fields that lead there; keys of maps and
//! indexes of lists do not count among these.

use serde_json::Value;

use crate::{
    definition::{Definition, Field, Shape, Type},
    go,
};

/// Where a reader stands, and the first value that did not fit.
#[derive(Debug, Default)]
pub(super) struct Misfits {
    /// The struct that the reader is in.
    within: &'static str,
    /// The fields that lead there.
    fields: Vec<&'static str>,
    /// What is said of the first.
    pub(super) first: Option<String>,
}

/// Where a reader stood before it went into a value.
pub(super) struct Outside {
    within: &'static str,
    depth: usize,
}

/// Whether a value that Go calls `found` can be of type `ty`. Types that read themselves say
/// themselves what they do not read.
pub(super) fn fits(ty: Type, found: &str) -> bool {
    match ty {
        Type::Any => true,
        Type::Boolean => found == "bool",
        Type::Int32 | Type::Int64 => found == "number",
        Type::String | Type::Enum(_) => found == "string",
        Type::List(_) => found == "array",
        Type::Map(_) => found == "object",
        Type::Named(definition) => match definition.shape {
            Shape::Object(_) | Shape::AtomicObject(_) => found == "object",
            Shape::Opaque => true,
            Shape::String { takes_numbers, .. } => takes_numbers || found == "string",
        },
    }
}

/// Whether the number in `text` can be held by the type `ty`, which Go may call `go`.
pub(super) fn holds(ty: Type, go: Option<&str>, text: &str) -> bool {
    match (ty, go) {
        (_, Some("uint")) => text.parse::<u64>().is_ok(),
        (_, Some("int")) | (Type::Int64, _) => text.parse::<i64>().is_ok(),
        (Type::Int32, _) => text.parse::<i32>().is_ok(),
        (
            Type::Any
            | Type::Boolean
            | Type::String
            | Type::Enum(_)
            | Type::Named(_)
            | Type::List(_)
            | Type::Map(_),
            _,
        ) => true,
    }
}

// === impl Misfits ===

impl Misfits {
    /// Goes into `field` of a value of type `ty`, or into a key of a map.
    pub(super) fn enter(&mut self, ty: Option<Type>, field: Option<&'static Field>) -> Outside {
        let outside = Outside {
            within: self.within,
            depth: self.fields.len(),
        };
        if let (Some(Type::Named(definition)), Some(field)) = (ty, field) {
            self.within = definition.go_struct();
            if is_type_meta(definition, field) {
                self.fields.push("TypeMeta");
            }
            self.fields.push(field.name);
        }
        outside
    }

    pub(super) fn leave(&mut self, outside: Outside) {
        self.within = outside.within;
        self.fields.truncate(outside.depth);
    }

    /// Notes a value that is `found` where one of `ty` should be, which Go may call `go`.
    pub(super) fn note(&mut self, found: &str, ty: Type, go: Option<&str>) {
        if self.first.is_some() {
            return;
        }
        // A time is read as the text that it is written as.
        let reads_text = matches!(
            ty,
            Type::Named(Definition {
                shape: Shape::String { .. },
                ..
            })
        );
        let ty = match go {
            _ if reads_text => "string".to_owned(),
            Some(go) => go.to_owned(),
            None => ty.go_type(),
        };
        let place = match self.fields.as_slice() {
            [] => "value".to_owned(),
            fields => format!("struct field {}.{}", self.within, fields.join(".")),
        };
        self.first = Some(format!(
            "json: cannot unmarshal {found} into Go {place} of type {ty}"
        ));
    }
}

/// Whether `field` is one of those that say the kind of an object: embedded in Go.
fn is_type_meta(definition: &Definition, field: &Field) -> bool {
    let says_kind = matches!(field.name, "apiVersion" | "kind");
    says_kind
        && definition
            .fields()
            .iter()
            .any(|field| field.name == "metadata")
}

/// What Kubernetes says of the first value within `value`, one of `ty`, that cannot be put back into
/// its type after a strategic merge: in the words of its own converter, which knows no fields.
pub(crate) fn unrestorable(value: &Value, ty: Type, go: Option<&str>) -> Option<String> {
    let whole = |what: &str| Some(format!("cannot restore {what} {}", kind_of(value)));
    match (ty, value) {
        (_, Value::Null) | (Type::Any, _) => None,
        (Type::List(list), Value::Array(items)) => items
            .iter()
            .find_map(|item| unrestorable(item, list.item, None)),
        (Type::List(_), _) => whole("slice from"),
        (Type::Map(entry), Value::Object(fields)) => fields
            .values()
            .find_map(|value| unrestorable(value, *entry, None)),
        (Type::Map(_), _) => whole("map from"),
        (Type::Named(definition), value) => match (definition.shape, value) {
            (Shape::Object(of) | Shape::AtomicObject(of), Value::Object(fields)) => of
                .iter()
                .filter_map(|field| Some((field, fields.get(field.name)?)))
                .find_map(|(field, value)| unrestorable(value, field.ty, field.go)),
            (Shape::Object(_) | Shape::AtomicObject(_), _) => whole("struct from:"),
            (Shape::Opaque, _) => None,
            (Shape::String { .. }, _) if fits(ty, go::json_type(value)) => None,
            (Shape::String { .. }, _) => Some(format!(
                "json: cannot unmarshal {} into Go value of type string",
                go::json_type(value)
            )),
        },
        (Type::Boolean | Type::Int32 | Type::Int64 | Type::String | Type::Enum(_), _) => {
            inconvertible(value, ty, go)
        }
    }
}

/// The same of `value` where a scalar of type `ty` should be.
fn inconvertible(value: &Value, ty: Type, go: Option<&str>) -> Option<String> {
    let is_number = matches!(ty, Type::Int32 | Type::Int64);
    let name = || go.map_or_else(|| ty.go_type(), str::to_owned);
    match value {
        Value::Number(number) if is_number && holds(ty, go, &number.to_string()) => None,
        Value::Number(_) if !matches!(ty, Type::Boolean) => {
            Some(format!("cannot convert {} to {}", kind_of(value), name()))
        }
        Value::Null => None,
        Value::Array(_)
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Object(_)
        | Value::String(_) => {
            let is_fit = !is_number && fits(ty, go::json_type(value));
            let ty = if is_number { name() } else { ty.go_type() };
            (!is_fit).then(|| format!("unrecognized type: {ty}"))
        }
    }
}

/// What Go's reflection calls what `value` decodes to.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}
