//! Strategic merge patch: objects are merged by what their type says of each field, and by
//! directives within the patch.
//!
//! The rules are those of `k8s.io/apimachinery`'s `strategicpatch`, which its clients were written
//! against: also where they surprise. Where Go goes through a map in any order, this goes through it
//! by name.

mod list;

use serde_json::{Map, Value};

use super::merge::drop_nulls;
use crate::{
    definition::{Definition, List, PatchStrategy, Type},
    go,
    status::Status,
};

/// What is to be done with an object or with an item: `replace` or `delete`.
const DIRECTIVE: &str = "$patch";
/// The fields that an object keeps.
const RETAIN_KEYS: &str = "$retainKeys";
/// Before a `/` and the name of a field: the scalars to take out of it.
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
/// Before a `/` and the name of a field: the order of its items.
const ELEMENT_ORDER: &str = "$setElementOrder";

/// Why a patch cannot be merged, in Kubernetes' words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MergeError {
    /// A directive that names no list.
    #[error("invalid patch format of primitive list")]
    DeleteFromList,
    /// A directive that names no list, or whose list is none.
    #[error("invalid patch format of setElementOrder list")]
    ElementOrder,
    /// Everything that Kubernetes answers with 500.
    #[error("{0}")]
    Other(String),
    /// A field that is set and not retained, or a list that is none.
    #[error("invalid patch format of retainKeys")]
    RetainKeys,
    /// Items that are lists, or that cannot be compared.
    #[error("lists of lists are not supported")]
    Unmergeable,
}

/// Merges `patch` into `object`, which is of the type `definition`.
///
/// # Errors
/// [`MergeError`].
pub(super) fn merge(
    object: Map<String, Value>,
    patch: Map<String, Value>,
    definition: &'static Definition,
) -> Result<Map<String, Value>, MergeError> {
    merge_objects(object, patch, Type::Named(definition))
}

/// Merges `patch` into `object`, which is of type `ty`.
fn merge_objects(
    mut object: Map<String, Value>,
    mut patch: Map<String, Value>,
    ty: Type,
) -> Result<Map<String, Value>, MergeError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Map::new()),
            Some(_) | None => Err(unknown_directive(directive, &patch)),
        };
    }
    retain_keys(&mut object, &mut patch)?;
    set_orders(&mut object, &mut patch, ty)?;
    for (name, value) in patch {
        let deleted_from = name.starts_with(DELETE_FROM_LIST);
        let name = match deleted_from {
            true => match field_of(&name, DELETE_FROM_LIST) {
                // Without a name, it is a field like others.
                Some("") => name,
                Some(field) => field.to_owned(),
                None => return Err(MergeError::DeleteFromList),
            },
            false => name,
        };
        if value.is_null() {
            object.remove(&name);
        } else if deleted_from {
            delete_from(&mut object, &name, value, ty)?;
        } else {
            merge_field(&mut object, name, value, ty)?;
        }
    }
    Ok(object)
}

/// Merges `value` into the field `name` of `object`, which is of type `ty`.
fn merge_field(
    object: &mut Map<String, Value>,
    name: String,
    mut value: Value,
    ty: Type,
) -> Result<(), MergeError> {
    let merged = match (object.remove(&name), value) {
        (Some(Value::Object(current)), Value::Object(patch)) => {
            let field = field_type(ty, &name)?;
            Value::Object(merge_objects(current, patch, field)?)
        }
        (Some(Value::Array(current)), Value::Array(patch)) => {
            let field = field_type(ty, &name)?;
            Value::Array(list::merge(current, patch, list_type(field)?)?)
        }
        (_, patch) => {
            value = patch;
            drop_nulls(&mut value);
            match without_directives(value) {
                Some(value) => value,
                None => return Ok(()),
            }
        }
    };
    object.insert(name, merged);
    Ok(())
}

/// Takes `unwanted` out of the list `name` of `object`.
fn delete_from(
    object: &mut Map<String, Value>,
    name: &str,
    unwanted: Value,
    ty: Type,
) -> Result<(), MergeError> {
    if let (Some(Value::Array(items)), Value::Array(unwanted)) = (object.get_mut(name), unwanted) {
        list::delete(items, &unwanted, list_type(field_type(ty, name)?)?)?;
    }
    Ok(())
}

/// Takes the fields out of `object` that `$retainKeys` does not name.
fn retain_keys(
    object: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
) -> Result<(), MergeError> {
    let Some(keys) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    let keys = keys.as_array().ok_or(MergeError::RetainKeys)?;
    let keys: std::collections::HashSet<&str> = keys.iter().filter_map(Value::as_str).collect();
    let is_kept = |name: &str| keys.contains(name);
    let is_set = |name: &str, value: &Value| {
        !value.is_null() && !name.starts_with(DELETE_FROM_LIST) && !name.starts_with(ELEMENT_ORDER)
    };
    if patch
        .iter()
        .any(|(name, value)| is_set(name, value) && !is_kept(name))
    {
        return Err(MergeError::RetainKeys);
    }
    object.retain(|name, _| is_kept(name));
    Ok(())
}

/// Merges the lists of which the patch gives the order, and takes them out of the patch.
fn set_orders(
    object: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    ty: Type,
) -> Result<(), MergeError> {
    let directives: Vec<String> = patch
        .keys()
        .filter(|name| name.starts_with(ELEMENT_ORDER))
        .cloned()
        .collect();
    for directive in directives {
        let order = into_list(patch.remove(&directive).unwrap_or_default())?;
        let name = field_of(&directive, ELEMENT_ORDER).ok_or(MergeError::ElementOrder)?;
        let current = object.get(name).cloned().map(into_list).transpose()?;
        let patched = patch.get(name).cloned().map(into_list).transpose()?;
        let field = list_type(field_type(ty, name)?)?;
        if let Some(merged) = list::merge_in_order(current, patched, order, field)? {
            object.insert(name.to_owned(), Value::Array(merged));
            patch.remove(name);
        }
    }
    Ok(())
}

/// `value` without what has a directive in it; nothing if that is `value` itself.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => {
            let kept = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(
            items.into_iter().filter_map(without_directives).collect(),
        )),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value),
    }
}

/// The field that a directive is about.
fn field_of<'a>(directive: &'a str, prefix: &str) -> Option<&'a str> {
    directive.strip_prefix(prefix)?.strip_prefix('/')
}

/// The type of the field `name` of an object of type `ty`.
fn field_type(ty: Type, name: &str) -> Result<Type, MergeError> {
    let Type::Named(definition) = ty else {
        let kind = kind_name(ty);
        let why = "merging an object in json but data type is not struct, instead is:";
        return Err(MergeError::Other(format!("{why} {kind}")));
    };
    ty.entry(name).ok_or_else(|| {
        let of = definition.name.rsplit('.').next().unwrap_or_default();
        let name = go::quote(name);
        let why = format!("unable to find api field in struct {of} for the json field {name}");
        MergeError::Other(why)
    })
}

/// The type of a list and what a patch does to it.
fn list_type(ty: Type) -> Result<&'static List, MergeError> {
    if let Type::List(list) = ty {
        return Ok(list);
    }
    let why = "expected slice or array type, but got: struct";
    Err(MergeError::Other(why.to_owned()))
}

/// What Go calls the kind of a type.
const fn kind_name(ty: Type) -> &'static str {
    match ty {
        Type::Any => "interface",
        Type::Boolean => "bool",
        Type::Int32 => "int32",
        Type::Int64 => "int64",
        Type::String | Type::Enum(_) => "string",
        Type::Named(_) => "struct",
        Type::List(_) => "slice",
        Type::Map(_) => "map",
    }
}

fn into_list(value: Value) -> Result<Vec<Value>, MergeError> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(wrong_type("[]interface {}", &value))
        }
    }
}

fn wrong_type(expected: &str, value: &Value) -> MergeError {
    let received = if value.is_null() {
        "%!s(<nil>)"
    } else {
        go::type_name(value)
    };
    MergeError::Other(format!("expected a {expected}, but received a {received}"))
}

fn unknown_directive(directive: &Value, object: &Map<String, Value>) -> MergeError {
    let (directive, object) = (go::print_as_text(directive), print(object));
    MergeError::Other(format!("unknown patch type: {directive} in map: {object}"))
}

fn no_merge_key(object: &Map<String, Value>, key: &str) -> MergeError {
    let object = print(object);
    MergeError::Other(format!(
        "map: {object} does not contain declared merge key: {key}"
    ))
}

fn print(object: &Map<String, Value>) -> String {
    go::print(&Value::Object(object.clone()))
}

impl From<MergeError> for Status {
    fn from(error: MergeError) -> Self {
        match error {
            MergeError::DeleteFromList | MergeError::ElementOrder | MergeError::RetainKeys => {
                Self::bad_request(error.to_string())
            }
            MergeError::Other(why) => Self::failure(500, "", why),
            MergeError::Unmergeable => Self::unprocessable(),
        }
    }
}

impl PatchStrategy {
    /// The field that tells items apart; empty where none does.
    const fn merge_key(self) -> &'static str {
        match self {
            Self::MergeBy(key) => key,
            Self::Merge | Self::Replace => "",
        }
    }
}

#[cfg(test)]
mod tests;
