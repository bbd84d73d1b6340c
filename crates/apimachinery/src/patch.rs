//! Patches: JSON patch (RFC 6902) and merge patch (RFC 7396), with Kubernetes' limits and errors.
//!
//! Strategic merge and server-side apply have their places in [`PatchType`] when they come.

use json_patch::{Patch, PatchOperation};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    decode::{Decoded, decode_json, strict_error, unknown_fields},
    definition::{Definition, Type},
    field::{FieldError, Path},
    json,
    options::FieldValidation,
    schema::GroupKind,
    status::Status,
};

/// Most operations of a JSON patch.
const MAX_OPERATIONS: usize = 10_000;
/// Most bytes that the copy operations of a JSON patch may add together.
const MAX_COPIED: usize = 3 << 20;
/// Most levels of a patched object: as many as a body may have. What walks through values may recur
/// this deep.
const MAX_DEPTH: usize = 127;
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// The forms of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// `application/json-patch+json`.
    Json,
    /// `application/merge-patch+json`.
    Merge,
}

/// A patch that was read, to be applied as often as a write is tried.
#[derive(Clone, Debug)]
pub struct ObjectPatch {
    change: Change,
    /// Duplicate fields of the patch itself.
    faults: Vec<String>,
}

#[derive(Clone, Debug)]
enum Change {
    Json(Patch),
    Merge(Value),
}

/// How one operation of a JSON patch makes a value larger.
struct Growth {
    /// Bytes that are there twice afterwards.
    copied: usize,
    /// Levels at the place that it changes.
    depth: usize,
}

// === impl PatchType ===

impl PatchType {
    /// The form that a `Content-Type` names.
    ///
    /// # Errors
    /// 415 for any other.
    pub fn of(content_type: &str) -> Result<Self, Status> {
        match crate::negotiation::essence(content_type).as_str() {
            JSON_PATCH => Ok(Self::Json),
            MERGE_PATCH => Ok(Self::Merge),
            _ => Err(Status::unsupported_media_type(&[JSON_PATCH, MERGE_PATCH])),
        }
    }
}

// === impl ObjectPatch ===

impl ObjectPatch {
    /// Reads `body`.
    ///
    /// # Errors
    /// 400 for what is no patch, 413 for too many operations.
    pub fn parse(kind: PatchType, body: &[u8]) -> Result<Self, Status> {
        let (value, faults) =
            decode_json(body).map_err(|error| Status::bad_request(error.to_string()))?;
        let change = match kind {
            PatchType::Json => {
                let count = value.as_array().map_or(0, Vec::len);
                if count > MAX_OPERATIONS {
                    return Err(too_many(count));
                }
                let patch = serde_json::from_value(value);
                Change::Json(patch.map_err(|error| Status::bad_request(error.to_string()))?)
            }
            PatchType::Merge if value.is_object() => Change::Merge(value),
            PatchType::Merge => return Err(Status::bad_request("Invalid JSON Patch")),
        };
        let faults = match kind {
            PatchType::Json => faults
                .iter()
                .map(|fault| format!("json patch {fault}"))
                .collect(),
            PatchType::Merge => faults,
        };
        Ok(Self { change, faults })
    }

    /// What becomes of `current`, read as a `T`; `definition` is its type.
    ///
    /// # Errors
    /// 422 if the patch cannot be applied, or its result is no `T` or does not pass `validation`.
    pub fn apply<T: DeserializeOwned>(
        &self,
        current: Value,
        definition: &'static Definition,
        validation: FieldValidation,
    ) -> Result<Decoded<T>, Status> {
        let patched = self.patch(current)?;
        let mut faults = match validation {
            FieldValidation::Ignore => Vec::new(),
            FieldValidation::Strict | FieldValidation::Warn => self.faults.clone(),
        };
        if validation != FieldValidation::Ignore {
            faults.extend(unknown_fields(&patched, Type::Named(definition)));
        }
        if validation == FieldValidation::Strict && !faults.is_empty() {
            return Err(refuse(&patched, &strict_error(&faults)));
        }
        match T::deserialize(&patched) {
            Ok(object) => Ok(Decoded {
                object,
                warnings: faults,
            }),
            Err(error) => Err(refuse(&patched, &error.to_string())),
        }
    }

    fn patch(&self, mut value: Value) -> Result<Value, Status> {
        match &self.change {
            Change::Merge(patch) => json_patch::merge(&mut value, patch),
            Change::Json(Patch(operations)) => {
                let mut copied = 0;
                for operation in operations {
                    let growth = Growth::of(operation, &value);
                    copied += growth.copied;
                    if copied > MAX_COPIED || growth.depth > MAX_DEPTH {
                        return Err(Status::unprocessable());
                    }
                    json_patch::patch(&mut value, std::slice::from_ref(operation))
                        .map_err(|_| Status::unprocessable())?;
                }
            }
        }
        Ok(value)
    }
}

// === impl Growth ===

impl Growth {
    /// What `operation` does to `value`.
    fn of(operation: &PatchOperation, value: &Value) -> Self {
        let source = |from: &str| value.pointer(from).unwrap_or(&Value::Null);
        let (path, put, copied) = match operation {
            PatchOperation::Add(add) => (&add.path, &add.value, 0),
            PatchOperation::Replace(replace) => (&replace.path, &replace.value, 0),
            PatchOperation::Move(from) => (&from.path, source(from.from.as_str()), 0),
            PatchOperation::Copy(from) => {
                let source = source(from.from.as_str());
                (
                    &from.path,
                    source,
                    json::to_vec(source).map_or(0, |bytes| bytes.len()),
                )
            }
            PatchOperation::Remove(_) | PatchOperation::Test(_) => {
                return Self {
                    copied: 0,
                    depth: 0,
                };
            }
        };
        Self {
            copied,
            depth: path.as_str().matches('/').count() + depth(put),
        }
    }
}

/// Levels of objects and lists in `value`.
fn depth(value: &Value) -> usize {
    let below = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
    };
    1 + below.unwrap_or_default()
}

fn too_many(count: usize) -> Status {
    let message = format!(
        "Request entity too large: The allowed maximum operations in a JSON patch is \
         {MAX_OPERATIONS}, got {count}"
    );
    Status::failure(413, "RequestEntityTooLarge", message)
}

/// 422 for a patch whose result is no object.
fn refuse(patched: &Value, error: &str) -> Status {
    let text = patched.to_string();
    let error = FieldError::invalid(&Path::new("patch"), &text, error);
    Status::invalid(
        GroupKind {
            group: "",
            kind: "",
        },
        "",
        &[error],
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ObjectPatch, PatchType};
    use crate::{
        decode::Decoded,
        definition::{Definition, Field, List, Type},
        options::FieldValidation,
        status::Status,
    };

    static THING: Definition = Definition::object(
        "Thing",
        "",
        &[
            Field::optional("a", Type::Any, ""),
            Field::optional("l", Type::List(&List::of(Type::Any)), ""),
        ],
    );

    fn apply(kind: PatchType, patch: &str, validation: FieldValidation) -> Result<Decoded, Status> {
        let patch = ObjectPatch::parse(kind, patch.as_bytes())?;
        patch.apply(json!({"a": {"b": 1}, "l": [1, 2]}), &THING, validation)
    }

    #[track_caller]
    fn check(kind: PatchType, patch: &str, want: Value) {
        assert_eq!(
            apply(kind, patch, FieldValidation::Strict).unwrap().object,
            want
        );
    }

    #[track_caller]
    fn check_refused(kind: PatchType, patch: &str, code: u16, message: &str) {
        let status = apply(kind, patch, FieldValidation::Strict).unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (code, message));
    }

    #[test]
    fn patches_change_what_they_name() {
        let merge = r#"{"a": {"b": null, "c": 2}, "l": [3]}"#;
        check(PatchType::Merge, merge, json!({"a": {"c": 2}, "l": [3]}));
        let json_patch = r#"[{"op": "add", "path": "/l/-", "value": 3}, {"op": "test", "path": "/a/b",
            "value": 1}, {"op": "remove", "path": "/a"}]"#;
        check(PatchType::Json, json_patch, json!({"l": [1, 2, 3]}));
    }

    #[test]
    fn patches_that_do_not_fit_are_refused() {
        let rejected = "the server rejected our request due to an error in our request";
        check_refused(
            PatchType::Json,
            r#"[{"op": "test", "path": "/a/b", "value": 2}]"#,
            422,
            rejected,
        );
        check_refused(
            PatchType::Json,
            r#"[{"op": "remove", "path": "/x"}]"#,
            422,
            rejected,
        );
        check_refused(PatchType::Merge, "[]", 400, "Invalid JSON Patch");
        check_refused(PatchType::Merge, "{", 400, "unexpected end of JSON input");
        check_refused(
            PatchType::Merge,
            r#"{"x": 1, "a": 1}"#,
            422,
            " \"\" is invalid: patch: Invalid value: \"{\\\"a\\\":1,\\\"l\\\":[1,2],\\\"x\\\":1}\": \
             strict decoding error: unknown field \"x\"",
        );
        let warned = apply(
            PatchType::Merge,
            r#"{"a": 1, "a": 2}"#,
            FieldValidation::Warn,
        )
        .unwrap();
        assert_eq!(warned.warnings, ["duplicate field \"a\""]);
    }

    #[test]
    fn a_json_patch_cannot_grow_without_bound() {
        let rejected = "the server rejected our request due to an error in our request";
        let nested = vec![r#"{"op": "copy", "from": "", "path": "/a"}"#; 200].join(",");
        check_refused(PatchType::Json, &format!("[{nested}]"), 422, rejected);
        let add = json!({"op": "add", "path": "/l/0", "value": "x".repeat(64 << 10)});
        let copies = vec![r#"{"op": "copy", "from": "/l/0", "path": "/l/-"}"#; 47].join(",");
        assert!(
            apply(
                PatchType::Json,
                &format!("[{add},{copies}]"),
                FieldValidation::Warn
            )
            .is_ok()
        );
        let copies = vec![r#"{"op": "copy", "from": "/l/0", "path": "/l/-"}"#; 48].join(",");
        check_refused(PatchType::Json, &format!("[{add},{copies}]"), 422, rejected);
        let many = vec![r#"{"op": "remove", "path": "/a"}"#; 10_001].join(",");
        check_refused(
            PatchType::Json,
            &format!("[{many}]"),
            413,
            "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got \
             10001",
        );
    }

    #[test]
    fn other_forms_are_not_read() {
        assert_eq!(
            PatchType::of("application/merge-patch+json; charset=utf-8"),
            Ok(PatchType::Merge)
        );
        let status = PatchType::of("application/apply-patch+yaml").unwrap_err();
        assert_eq!(status.code, 415);
    }
}
