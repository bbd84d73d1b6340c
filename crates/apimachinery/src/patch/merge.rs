//! Merge patch (RFC 7396), with the nulls within objects that are new taken out as Kubernetes takes
//! them out.

use serde_json::{Map, Value};

/// Merges `patch` into `object`.
pub(super) fn merge(object: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        if value.is_null() {
            object.remove(&name);
            continue;
        }
        match (object.get_mut(&name), value) {
            (Some(Value::Object(current)), Value::Object(patch)) => merge(current, patch),
            // What takes the place of an object is taken as it is.
            (Some(current @ Value::Object(_)), value) => *current = value,
            (_, mut value) => {
                drop_nulls(&mut value);
                object.insert(name, value);
            }
        }
    }
}

/// Takes the fields that are null out of the objects within `value`.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::merge;

    #[track_caller]
    fn check(object: Value, patch: Value, want: Value) {
        let (Value::Object(mut object), Value::Object(patch)) = (object, patch) else {
            panic!("objects are merged");
        };
        merge(&mut object, patch);
        assert_eq!(Value::Object(object), want);
    }

    #[test]
    fn objects_are_merged_and_everything_else_is_replaced() {
        check(
            json!({"a": {"b": 1, "c": 2}}),
            json!({"a": {"b": null, "d": 3}}),
            json!({"a": {"c": 2, "d": 3}}),
        );
        check(json!({"l": [1, 2]}), json!({"l": [3]}), json!({"l": [3]}));
        check(
            json!({"a": 1}),
            json!({"a": {"b": 2}}),
            json!({"a": {"b": 2}}),
        );
        check(json!({"a": {"b": 2}}), json!({"a": "x"}), json!({"a": "x"}));
        check(json!({"a": 1}), json!({"b": null}), json!({"a": 1}));
    }

    #[test]
    fn nulls_within_what_is_new_are_dropped() {
        check(
            json!({"l": [1]}),
            json!({"a": {"b": null, "c": {"d": null}}, "l": [{"e": null, "f": 1}, null]}),
            json!({"a": {"c": {}}, "l": [{"f": 1}, null]}),
        );
    }
}
