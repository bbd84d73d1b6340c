//! A patched object as Kubernetes shows it where it is no good: what the patch went into has its
//! fields by name, everything else stands as the object was written.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Map, Value, value::RawValue};

use super::json::{Operations, unescape};
use crate::json;

/// An object or list that a patch goes into, with what it goes into below.
#[derive(Debug)]
pub(super) enum Touched<'p> {
    /// By a merge patch.
    Merge(&'p Map<String, Value>),
    /// By operations: what is left of their pointers (RFC 6901), by the next part of these.
    Operations(BTreeMap<Cow<'p, str>, Vec<&'p str>>),
}

/// `value`, which became of the JSON in `original`.
pub(super) fn shown(value: &Value, original: &[u8], touched: &Touched<'_>) -> String {
    let mut out = String::new();
    let original = serde_json::from_slice(original).ok();
    show(&mut out, value, original, Some(touched));
    out
}

// === impl Touched ===

impl<'p> Touched<'p> {
    /// What the operations of a JSON patch go into.
    pub(super) fn by_operations(operations: &'p Operations) -> Self {
        let pointers = operations.0.iter().flat_map(|operation| {
            let text = |name: &str| operation.get(name).and_then(Value::as_str);
            let takes = matches!(text("op"), Some("copy" | "move"));
            [text("path"), text("from").filter(|_| takes)]
        });
        let parts = pointers
            .flatten()
            .filter_map(|pointer| pointer.split_once('/'));
        Self::by_parts(parts.map(|(_, parts)| parts))
    }

    /// The last part of each of `pointers` names what is changed, into which nothing goes.
    fn by_parts(pointers: impl Iterator<Item = &'p str>) -> Self {
        let mut below: BTreeMap<Cow<'p, str>, Vec<&'p str>> = BTreeMap::new();
        for (part, rest) in pointers.filter_map(|pointer| pointer.split_once('/')) {
            below.entry(unescape(part)).or_default().push(rest);
        }
        Self::Operations(below)
    }

    fn below(&self, name: &str) -> Option<Self> {
        match self {
            Self::Merge(patch) => patch.get(name)?.as_object().map(Self::Merge),
            Self::Operations(below) => {
                let pointers = below.get(name)?;
                Some(Self::by_parts(pointers.iter().copied()))
            }
        }
    }
}

fn show(
    out: &mut String,
    value: &Value,
    original: Option<&RawValue>,
    touched: Option<&Touched<'_>>,
) {
    let is_same =
        |raw: &&RawValue| serde_json::from_str::<Value>(raw.get()).ok().as_ref() == Some(value);
    if touched.is_none()
        && let Some(raw) = original.filter(is_same)
    {
        return out.push_str(raw.get());
    }
    match value {
        Value::Object(fields) => show_object(out, fields, original, touched),
        Value::Array(items) => show_list(out, items, original, touched),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => push(out, value),
    }
}

fn show_object(
    out: &mut String,
    fields: &Map<String, Value>,
    original: Option<&RawValue>,
    touched: Option<&Touched<'_>>,
) {
    let originals: BTreeMap<String, &RawValue> = read(original);
    out.push('{');
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, name);
        out.push(':');
        let below = touched.and_then(|touched| touched.below(name));
        show(out, value, originals.get(name).copied(), below.as_ref());
    }
    out.push('}');
}

fn show_list(
    out: &mut String,
    items: &[Value],
    original: Option<&RawValue>,
    touched: Option<&Touched<'_>>,
) {
    let originals: Vec<&RawValue> = read(original);
    out.push('[');
    for (index, value) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let below = touched.and_then(|touched| touched.below(&index.to_string()));
        show(out, value, originals.get(index).copied(), below.as_ref());
    }
    out.push(']');
}

/// What is within `original`; nothing if that is of another form.
fn read<'r, T: serde::Deserialize<'r> + Default>(original: Option<&'r RawValue>) -> T {
    original
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

/// Writes a text, or what else has nothing within it, as Go writes it.
fn push(out: &mut String, value: &(impl serde::Serialize + ?Sized)) {
    let bytes = json::to_vec(value).unwrap_or_default();
    out.push_str(&String::from_utf8_lossy(&bytes));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Touched, shown};
    use crate::patch::json::Operations;

    const ORIGINAL: &str = r#"{"kind":"K","meta":{"name":"n","labels":{"b":"1","a":"2"}},"spec":{"z":[{"k":1,"e":2},{"y":1,"x":2}],"b":"<"}}"#;

    #[track_caller]
    fn check(value: &Value, touched: &Touched<'_>, want: &str) {
        assert_eq!(shown(value, ORIGINAL.as_bytes(), touched), want);
    }

    #[test]
    fn what_a_merge_goes_into_is_shown_by_name() {
        let mut value: Value = serde_json::from_str(ORIGINAL).unwrap();
        value["spec"]["c"] = json!({"z": 1, "a": 2});
        // Even where that changes nothing.
        let patch = json!({"meta": {"labels": {"b": "1"}}, "spec": {"c": {"z": 1, "a": 2}}});
        let touched = Touched::Merge(patch.as_object().unwrap());
        let want = r#"{"kind":"K","meta":{"labels":{"a":"2","b":"1"},"name":"n"},"spec":{"b":"<","c":{"a":2,"z":1},"z":[{"k":1,"e":2},{"y":1,"x":2}]}}"#;
        check(&value, &touched, want);
    }

    #[test]
    fn what_operations_go_into_is_shown_by_name() {
        let mut value: Value = serde_json::from_str(ORIGINAL).unwrap();
        value["spec"]["z"][0]["k"] = json!(7);
        // Even where they change nothing.
        let operations = [
            json!({"op": "add", "path": "/spec/z/0/k", "value": 7}),
            json!({"op": "test", "path": "/meta/labels/b", "value": "1"}),
        ];
        let operations = operations.map(|operation| operation.as_object().unwrap().clone());
        let operations = Operations(operations.to_vec());
        let want = r#"{"kind":"K","meta":{"labels":{"a":"2","b":"1"},"name":"n"},"spec":{"b":"<","z":[{"e":2,"k":7},{"y":1,"x":2}]}}"#;
        check(&value, &Touched::by_operations(&operations), want);
    }

    fn operations(value: Value) -> Operations {
        serde_json::from_value(value).map(Operations).unwrap()
    }

    #[test]
    fn parts_of_pointers_are_read_as_the_patch_reads_them() {
        let original = r#"{"a/b":{"z":{"y":1,"x":2}},"c~d":{"y":1,"x":2}}"#;
        let value: Value = serde_json::from_str(original).unwrap();
        let patch = operations(json!([
            {"op": "copy", "from": "/a~1b/z/x", "path": "/a~1b/z/x"},
            {"op": "add", "from": "/c~0d/y", "path": "/e"},
        ]));
        // What is not read has no say.
        let want = r#"{"a/b":{"z":{"x":2,"y":1}},"c~d":{"y":1,"x":2}}"#;
        let touched = Touched::by_operations(&patch);
        assert_eq!(shown(&value, original.as_bytes(), &touched), want);
    }

    /// Bytes of all that is kept of pointers.
    fn kept(touched: &Touched<'_>) -> usize {
        match touched {
            Touched::Merge(_) => 0,
            Touched::Operations(below) => {
                let rests = below.iter().map(|(part, rests)| {
                    part.len() + rests.iter().map(|rest| rest.len()).sum::<usize>()
                });
                rests.sum()
            }
        }
    }

    #[test]
    fn no_more_is_kept_of_pointers_than_is_written() {
        let long = "/".repeat(200 << 10);
        let patch = operations(json!([{"op": "move", "from": long, "path": "/a/b"}]));
        assert_eq!(kept(&Touched::by_operations(&patch)), long.len() - 2 + 2);
        let patch = operations(json!([{"op": "add", "from": long, "path": "/a/b"}]));
        assert_eq!(kept(&Touched::by_operations(&patch)), 2);
    }
}
