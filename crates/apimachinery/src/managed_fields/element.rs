//! Elements of field paths: `f:name`, `k:{"uid":"1"}`, `v:"x"`, `i:0`.
//!
//! An element is kept in its written form. One written form stands for one element, so that
//! elements are equal as their texts are.

use serde_json::{Map, Value};

use crate::{
    definition::{Definition, Shape, Type},
    go, json,
};

/// The element of an item of a list cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoElement {
    #[error("associative list with keys may not have a null element")]
    KeyedNull,
    #[error("associative list with keys may not have non-map elements")]
    KeyedScalar,
    #[error(
        "associative list with keys has an element that omits all key fields {keys} (and doesn't \
         have default values for any key fields)"
    )]
    Keyless { keys: String },
    #[error("not supported: associative list with lists as elements")]
    List,
    #[error("associative list without keys has an element that's a map type")]
    Map,
    #[error("associative list without keys has an element that's an explicit null")]
    Null,
}

/// The element of the field, or of the key of a map, called `name`.
pub(super) fn field(name: &str) -> String {
    format!("f:{name}")
}

/// The element of `item` in a list whose items are known by their values.
pub(super) fn value(item: &Value) -> Result<String, NoElement> {
    match item {
        Value::Object(_) => Err(NoElement::Map),
        Value::Array(_) => Err(NoElement::List),
        Value::Null => Err(NoElement::Null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(format!("v:{}", written(item))),
    }
}

/// The element of `item` in a list of `ty` whose items are known by `keys`. A key that is not
/// there, and has no default, is left out.
pub(super) fn keyed(keys: &[&str], ty: Type, item: &Value) -> Result<String, NoElement> {
    let item = match item {
        Value::Object(fields) => fields,
        Value::Null => return Err(NoElement::KeyedNull),
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(NoElement::KeyedScalar);
        }
    };
    let pairs = keys.iter().filter_map(|&key| {
        let value = item.get(key).cloned().or_else(|| default(ty, key))?;
        Some((key.to_owned(), value))
    });
    let pairs: Map<_, _> = pairs.collect();
    if pairs.is_empty() {
        let keys: Vec<_> = keys.iter().map(|key| go::quote(key)).collect();
        let keys = format!("[{}]", keys.join(" "));
        return Err(NoElement::Keyless { keys });
    }
    Ok(format!("k:{}", written(&sorted(pairs))))
}

/// The name of the field, if `element` is one.
pub(super) fn name(element: &str) -> Option<&str> {
    element.strip_prefix("f:")
}

/// Brings `element`, which somebody else wrote, into the one written form. Nothing if it is of a
/// kind that is not known.
///
/// # Errors
/// If it is no element.
pub(super) fn read(element: &str) -> Result<Option<String>, serde_json::Error> {
    let (kind, text) = element.split_at_checked(2).unwrap_or((element, ""));
    match kind {
        "f:" => Ok(Some(element.to_owned())),
        "i:" => Ok(Some(format!("i:{}", serde_json::from_str::<i64>(text)?))),
        "k:" => {
            let pairs: Map<String, Value> = serde_json::from_str(text)?;
            Ok(Some(format!("k:{}", written(&sorted(pairs)))))
        }
        "v:" => {
            let value: Value = serde_json::from_str(text)?;
            Ok(Some(format!("v:{}", written(&value))))
        }
        _ if kind.ends_with(':') => Ok(None),
        _ => Err(serde::de::Error::custom("a path element has no colon")),
    }
}

/// `element` as messages show it: `.name`, `[uid="1"]`, `[="x"]`, `[0]`.
pub(super) fn shown(element: &str) -> String {
    let (kind, text) = element.split_at_checked(2).unwrap_or((element, ""));
    let parsed = || serde_json::from_str::<Value>(text).unwrap_or_default();
    match kind {
        "f:" => format!(".{text}"),
        "k:" => {
            let pairs = parsed();
            let pairs = pairs.as_object().into_iter().flatten();
            let pairs: Vec<_> = pairs
                .map(|(key, value)| format!("{key}={}", show_value(value)))
                .collect();
            format!("[{}]", pairs.join(","))
        }
        "v:" => format!("[={}]", show_value(&parsed())),
        _ => format!("[{text}]"),
    }
}

fn show_value(value: &Value) -> String {
    match value {
        Value::String(text) => go::quote(text),
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// What a key that is not there stands for: the zero value of a field that must be there.
fn default(ty: Type, key: &str) -> Option<Value> {
    let Type::Named(Definition {
        shape: Shape::Object(fields) | Shape::AtomicObject(fields),
        ..
    }) = ty
    else {
        return None;
    };
    let field = fields.iter().find(|field| field.name == key)?;
    match field.ty {
        _ if !field.is_required => None,
        Type::Boolean => Some(false.into()),
        Type::Int32 | Type::Int64 => Some(0.into()),
        Type::String | Type::Enum(_) => Some("".into()),
        Type::Any | Type::Named(_) | Type::List(_) | Type::Map(_) => None,
    }
}

/// The pairs in the order of their keys, whatever order the map keeps.
fn sorted(pairs: Map<String, Value>) -> Value {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    Value::Object(
        pairs
            .into_iter()
            .map(|(key, value)| (key, whole(value)))
            .collect(),
    )
}

/// A number without a fraction as an integer, as Go writes it.
fn whole(value: Value) -> Value {
    match value.as_f64() {
        Some(float) if value.is_f64() => integer(float).map_or(value, Value::from),
        Some(_) | None => value,
    }
}

/// `float` as an integer, if it is one that can be told exactly.
pub(super) fn integer(float: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if float.fract() != 0.0 || float.abs() > EXACT {
        return None;
    }
    format!("{float:.0}").parse().ok()
}

fn written(value: &Value) -> String {
    let bytes = json::to_vec(&whole(value.clone())).expect("a JSON value can be written");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}
