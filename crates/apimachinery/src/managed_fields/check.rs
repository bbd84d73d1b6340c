//! Whether an applied configuration is of its type, in the words of structured merge diff.

use std::collections::BTreeSet;

use serde_json::Value;

use super::element::{self, NoElement};
use crate::{
    definition::{ListKind, Shape, Type},
    go,
};

/// What is wrong with `value` as one of `ty`; nothing if nothing is.
pub(super) fn check(value: &Value, ty: Type) -> Option<String> {
    let mut search = Search {
        path: String::new(),
        faults: Vec::new(),
    };
    search.value(value, ty);
    match search.faults.as_slice() {
        [] => None,
        [fault] => Some(fault.clone()),
        faults => Some(format!("errors:\n  {}", faults.join("\n  "))),
    }
}

struct Search {
    path: String,
    faults: Vec<String>,
}

// === impl Search ===

impl Search {
    fn value(&mut self, value: &Value, ty: Type) {
        if value.is_null() {
            return;
        }
        match ty {
            Type::Any => {}
            Type::Boolean if value.is_boolean() => {}
            Type::Boolean => self.fault(&format!("expected boolean, got &{{{}}}", plain(value))),
            Type::Int32 | Type::Int64 if value.is_number() => {}
            Type::Int32 | Type::Int64 => {
                self.fault(&format!(
                    "expected numeric (int or float), got {}",
                    type_of(value)
                ));
            }
            Type::String | Type::Enum(_) if value.is_string() => {}
            Type::String | Type::Enum(_) => self.fault(&format!(
                "expected string, got &value.valueUnstructured{{Value:{}}}",
                syntax(value)
            )),
            Type::Named(definition) => self.named(value, ty, definition.shape),
            Type::Map(_) => self.map(value, ty),
            Type::List(list) => self.list(value, list.item, list.kind),
        }
    }

    fn named(&mut self, value: &Value, ty: Type, shape: Shape) {
        match shape {
            Shape::Object(_) | Shape::AtomicObject(_) | Shape::Opaque => self.map(value, ty),
            // Times and amounts may be written as numbers; what they mean is seen later.
            Shape::String { .. } if value.is_object() || value.is_array() => {
                self.fault(&format!("expected any scalar, got &{{{}}}", plain(value)));
            }
            Shape::String { .. } => {}
        }
    }

    fn map(&mut self, value: &Value, ty: Type) {
        let Some(fields) = value.as_object() else {
            return self.fault(&format!("expected map, got &{{{}}}", plain(value)));
        };
        for (name, value) in fields {
            let end = self.enter(&element::field(name));
            let ty = ty.entry(name);
            match ty {
                Some(ty) => self.value(value, ty),
                None => self.fault("field not declared in schema"),
            }
            self.path.truncate(end);
            if ty.is_none() {
                return;
            }
        }
    }

    fn list(&mut self, value: &Value, item: Type, kind: ListKind) {
        let Some(items) = value.as_array() else {
            return self.fault(&format!("expected list, got &{{{}}}", plain(value)));
        };
        let mut known = BTreeSet::new();
        for (index, value) in items.iter().enumerate() {
            let element = match element_of(kind, item, value) {
                None => format!("i:{index}"),
                Some(Err(why)) => return self.fault(&format!("element {index}: {why}")),
                Some(Ok(element)) => {
                    if !known.insert(element.clone()) {
                        let shown = element::shown(&element);
                        self.fault(&format!("duplicate entries for key {shown}"));
                    }
                    element
                }
            };
            let end = self.enter(&element);
            self.value(value, item);
            self.path.truncate(end);
        }
    }

    /// Goes on to `element`; the length of the path to come back to.
    fn enter(&mut self, element: &str) -> usize {
        let end = self.path.len();
        self.path.push_str(&element::shown(element));
        end
    }

    fn fault(&mut self, what: &str) {
        self.faults.push(match self.path.as_str() {
            "" => what.to_owned(),
            path => format!("{path}: {what}"),
        });
    }
}

/// The element of `value` in a list of that `kind`; nothing where items are not told apart.
pub(super) fn element_of(
    kind: ListKind,
    item: Type,
    value: &Value,
) -> Option<Result<String, NoElement>> {
    match kind {
        ListKind::Atomic | ListKind::Unspecified => None,
        ListKind::Set => Some(element::value(value)),
        ListKind::Map(keys) => Some(element::keyed(keys, item, value)),
    }
}

/// The name of Go's type for `value`.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// `value` as Go prints it by `%v`.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(plain).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name}:{}", plain(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
    }
}

/// `value` as Go prints it by `%#v`.
fn syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => go::quote(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", go::quote(name), syntax(value)));
            let fields = fields.collect::<Vec<_>>().join(", ");
            format!("map[string]interface {{}}{{{fields}}}")
        }
    }
}
