//! Nulls, as Go reads them: a field that is null is as one that is not there.

use serde_json::Value;

use crate::definition::{Shape, Type};

/// Takes the nulls out of `value`, one of `ty`. What stands in a list or under the key of a map
/// cannot go: it becomes the zero value of its type.
pub fn read_nulls(value: &mut Value, ty: Type) {
    match value {
        Value::Object(fields) => {
            if let Type::Named(definition) = ty {
                let is_known =
                    |name: &str| definition.fields().iter().any(|field| field.name == name);
                fields.retain(|name, value| !value.is_null() || !is_known(name));
            }
            for (name, value) in fields {
                read(value, ty.entry(name).unwrap_or(Type::Any));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| read(item, ty.item())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn read(value: &mut Value, ty: Type) {
    if !value.is_null() {
        return read_nulls(value, ty);
    }
    *value = match ty {
        Type::Boolean => false.into(),
        Type::Int32 | Type::Int64 => 0.into(),
        Type::String | Type::Enum(_) => "".into(),
        Type::Named(definition) => match definition.shape {
            Shape::Object(_) | Shape::AtomicObject(_) => Value::Object(serde_json::Map::new()),
            Shape::String {
                takes_numbers: true,
                ..
            } => "0".into(),
            Shape::Opaque | Shape::String { .. } => Value::Null,
        },
        Type::Any | Type::List(_) | Type::Map(_) => Value::Null,
    };
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::read_nulls;
    use crate::definition::{Definition, Field, List, Type};

    static ITEM: Definition =
        Definition::object("Item", "", &[Field::optional("text", Type::String, "")]);
    static THING: Definition = Definition::object(
        "Thing",
        "",
        &[
            Field::optional("any", Type::Any, ""),
            Field::optional("items", Type::List(&List::of(Type::Named(&ITEM))), ""),
            Field::optional("map", Type::Map(&Type::String), ""),
            Field::optional("text", Type::String, ""),
            Field::optional("texts", Type::List(&List::of(Type::String)), ""),
        ],
    );

    #[track_caller]
    fn check(mut value: Value, want: Value) {
        read_nulls(&mut value, Type::Named(&THING));
        assert_eq!(value, want);
    }

    #[test]
    fn nulls_are_nothing_or_zero() {
        check(json!({"text": null, "map": null, "any": null}), json!({}));
        check(
            json!({"items": [{"text": null}, null], "map": {"a": null}, "texts": [null, "b"]}),
            json!({"items": [{}, {}], "map": {"a": ""}, "texts": ["", "b"]}),
        );
        check(
            json!({"any": {"a": null}, "unknown": null}),
            json!({"any": {"a": null}, "unknown": null}),
        );
    }
}
