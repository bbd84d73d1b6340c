//! A patched object as Kubernetes shows it where it is no good: what the patch went into has its
//! fields by name, everything else stands as the object was written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, value::RawValue};

use super::json::Operations;
use crate::json;

/// Pointers (RFC 6901) to the objects and lists that a patch goes into.
#[derive(Debug, Default)]
pub(super) struct Touched(BTreeSet<String>);

/// `value`, which became of the JSON in `original`.
pub(super) fn shown(value: &Value, original: &[u8], touched: &Touched) -> String {
    let mut out = String::new();
    let original = serde_json::from_slice(original).ok();
    touched.show(&mut out, value, original, "");
    out
}

// === impl Touched ===

impl Touched {
    /// What a merge patch goes into.
    pub(super) fn by_merge(patch: &Map<String, Value>) -> Self {
        let mut touched = Self::default();
        touched.merge("", patch);
        touched
    }

    fn merge(&mut self, at: &str, patch: &Map<String, Value>) {
        self.0.insert(at.to_owned());
        for (name, value) in patch {
            if let Value::Object(patch) = value {
                self.merge(&below(at, name), patch);
            }
        }
    }

    /// What the operations of a JSON patch go into.
    pub(super) fn by_operations(operations: &Operations) -> Self {
        let paths = operations
            .0
            .iter()
            .flat_map(|operation| ["path", "from"].map(|name| operation.get(name)));
        let mut touched = BTreeSet::from([String::new()]);
        for path in paths.flatten().filter_map(Value::as_str) {
            let ends = path.match_indices('/').map(|(end, _)| end);
            touched.extend(ends.filter_map(|end| path.get(..end).map(str::to_owned)));
        }
        Self(touched)
    }

    fn show(&self, out: &mut String, value: &Value, original: Option<&RawValue>, at: &str) {
        let is_same =
            |raw: &&RawValue| serde_json::from_str::<Value>(raw.get()).ok().as_ref() == Some(value);
        if let Some(raw) = original.filter(is_same)
            && !self.0.contains(at)
        {
            return out.push_str(raw.get());
        }
        match value {
            Value::Object(fields) => self.show_object(out, fields, original, at),
            Value::Array(items) => self.show_list(out, items, original, at),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                push(out, value);
            }
        }
    }

    fn show_object(
        &self,
        out: &mut String,
        fields: &Map<String, Value>,
        original: Option<&RawValue>,
        at: &str,
    ) {
        let originals: BTreeMap<String, &RawValue> = read(original);
        out.push('{');
        for (index, (name, value)) in fields.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            push(out, name);
            out.push(':');
            self.show(out, value, originals.get(name).copied(), &below(at, name));
        }
        out.push('}');
    }

    fn show_list(&self, out: &mut String, items: &[Value], original: Option<&RawValue>, at: &str) {
        let originals: Vec<&RawValue> = read(original);
        out.push('[');
        for (index, value) in items.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            let item = originals.get(index).copied();
            self.show(out, value, item, &below(at, &index.to_string()));
        }
        out.push(']');
    }
}

/// What is within `original`; nothing if that is of another form.
fn read<'r, T: serde::Deserialize<'r> + Default>(original: Option<&'r RawValue>) -> T {
    original
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
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
    fn check(value: &Value, touched: &Touched, want: &str) {
        assert_eq!(shown(value, ORIGINAL.as_bytes(), touched), want);
    }

    #[test]
    fn what_a_merge_goes_into_is_shown_by_name() {
        let mut value: Value = serde_json::from_str(ORIGINAL).unwrap();
        value["spec"]["c"] = json!({"z": 1, "a": 2});
        // Even where that changes nothing.
        let patch = json!({"meta": {"labels": {"b": "1"}}, "spec": {"c": {"z": 1, "a": 2}}});
        let touched = Touched::by_merge(patch.as_object().unwrap());
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
}
