//! Patches: JSON patch (RFC 6902), merge patch (RFC 7396) and strategic merge patch, with
//! Kubernetes' limits and errors. Server-side apply is no patch of the object, see
//! [`crate::managed_fields`].

mod json;
mod merge;
mod shown;
mod strategic;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use self::{
    json::{MAX_OPERATIONS, Operations},
    shown::{Touched, shown},
};
use crate::{
    decode::{Decoded, Expected, KindError, check, decode_json, strict_error, unrestorable},
    definition::{Definition, Field, List, Type},
    field::{FieldError, Path},
    go,
    json::to_vec,
    options::FieldValidation,
    schema::GroupKind,
    status::{Status, StatusDetails},
    zero::read_nulls,
};

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_MERGE_PATCH: &str = "application/strategic-merge-patch+json";
const APPLY_PATCH: &str = "application/apply-patch+yaml";
/// What a JSON patch is.
const OPERATIONS: Type = Type::List(&List::of(Type::Named(&OPERATION)));
static OPERATION: Definition = Definition::object(
    "handlers.jsonPatchOp",
    "",
    &[
        Field::optional("from", Type::String, ""),
        Field::optional("op", Type::String, ""),
        Field::optional("path", Type::String, ""),
        Field::optional("value", Type::Any, ""),
    ],
);
const GO_MAP: &str = "map[string]interface {}";
/// The types that patches are said to be read in, in Kubernetes' order.
const MEDIA_TYPES: [&str; 4] = [JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH];

/// The forms of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// `application/json-patch+json`.
    Json,
    /// `application/merge-patch+json`.
    Merge,
    /// `application/strategic-merge-patch+json`.
    Strategic,
}

/// A patch, to be applied as often as a write is tried.
#[derive(Clone, Debug)]
pub struct ObjectPatch {
    /// What it does; or what is wrong with it, which is told only if there is an object to patch.
    change: Result<Change, Status>,
    /// Duplicate and unknown fields of the patch itself.
    faults: Vec<String>,
    validation: FieldValidation,
}

#[derive(Clone, Debug)]
enum Change {
    /// A merge patch that takes the place of the object, and cannot: a list.
    List(Value),
    Json(Operations),
    Merge(Map<String, Value>),
    Strategic(Map<String, Value>),
}

/// Whether `content_type` is that of a server-side apply.
pub fn is_apply(content_type: &str) -> bool {
    content_type.split(';').next() == Some(APPLY_PATCH)
}

// === impl PatchType ===

impl PatchType {
    /// The form that a `Content-Type` names: exactly, up to its parameters.
    ///
    /// # Errors
    /// 415 for any other.
    pub fn of(content_type: &str) -> Result<Self, Status> {
        match content_type.split(';').next().unwrap_or_default() {
            JSON_PATCH => Ok(Self::Json),
            MERGE_PATCH => Ok(Self::Merge),
            STRATEGIC_MERGE_PATCH => Ok(Self::Strategic),
            _ => Err(unsupported(content_type)),
        }
    }
}

/// The status 415. Kubernetes' router looks for the type in a list and ignores spaces; what passes
/// it may still be none of the types, and is then told which there are.
fn unsupported(content_type: &str) -> Status {
    let mut listed = content_type
        .split(',')
        .map(|part| part.split(';').next().unwrap_or_default());
    if listed.any(|part| MEDIA_TYPES.contains(&part.trim())) {
        return Status::unsupported_media_type(&MEDIA_TYPES);
    }
    let message = "415: Unsupported Media Type";
    Status::failure(415, "UnsupportedMediaType", message).with_details(StatusDetails::default())
}

// === impl ObjectPatch ===

impl ObjectPatch {
    /// Reads `body`. What is wrong with it is told when it is applied.
    pub fn parse(kind: PatchType, body: &[u8], validation: FieldValidation) -> Self {
        let mut faults = Vec::new();
        let change = match kind {
            PatchType::Json => parse_operations(body, validation, &mut faults),
            PatchType::Merge => parse_merge(body, validation, &mut faults),
            PatchType::Strategic => parse_strategic(body, &mut faults).map(Change::Strategic),
        };
        if validation == FieldValidation::Ignore {
            faults.clear();
        }
        Self {
            change,
            faults,
            validation,
        }
    }

    /// What becomes of `current`, read as a `T`, which must be as `expected`.
    ///
    /// # Errors
    /// 400 for what is no patch, 413 for too many operations, 422 if the patch cannot be applied, or
    /// its result is no `T` or does not pass the validation.
    pub fn apply<T: DeserializeOwned>(
        &self,
        current: &impl Serialize,
        expected: &Expected<'_>,
    ) -> Result<Decoded<T>, Status> {
        let change = self.change.as_ref().map_err(Status::clone)?;
        let value = serde_json::to_value(current).map_err(Status::internal)?;
        let mut patched = change.apply(value, expected.definition)?;
        let faults = match change.check(&patched, expected) {
            Ok(faults) => faults,
            Err(error) => return Err(refuse(&change.shown(&patched, current), &error)),
        };
        let mut told = self.faults.clone();
        if self.validation != FieldValidation::Ignore {
            told.extend(faults);
        }
        if self.validation == FieldValidation::Strict && !told.is_empty() {
            let error = strict_error(&told);
            return Err(refuse(&change.shown(&patched, current), &error));
        }
        read_nulls(&mut patched, Type::Named(expected.definition));
        let object = T::deserialize(&patched)
            .map_err(|error| refuse(&change.shown(&patched, current), &error.to_string()))?;
        Ok(Decoded {
            object,
            warnings: told,
        })
    }
}

// === impl Change ===

impl Change {
    fn apply(&self, current: Value, definition: &'static Definition) -> Result<Value, Status> {
        match (self, current) {
            (Self::List(items), _) => Ok(items.clone()),
            (Self::Json(operations), current) => operations
                .apply(current)
                .map_err(|_| Status::unprocessable()),
            (Self::Merge(patch), Value::Object(mut object)) => {
                merge::merge(&mut object, patch.clone());
                Ok(Value::Object(object))
            }
            (Self::Strategic(patch), Value::Object(object)) => {
                let merged = strategic::merge(object, patch.clone(), definition)?;
                Ok(Value::Object(merged))
            }
            (Self::Merge(_) | Self::Strategic(_), _) => Err(Status::unprocessable()),
        }
    }

    /// What is wrong with the fields of `patched`.
    ///
    /// # Errors
    /// What it is instead of an object that is as `expected`, in the words of what reads it in
    /// Kubernetes: a decoder after JSON and merge patches, which were made to text, and a converter
    /// after a strategic one.
    fn check(&self, patched: &Value, expected: &Expected<'_>) -> Result<Vec<String>, String> {
        let ty = Type::Named(expected.definition);
        let (faults, misfit) = check(patched, ty);
        let misfit = match self {
            Self::Json(_) | Self::List(_) | Self::Merge(_) => {
                expected.check_kind(patched).map_err(|error| match error {
                    KindError::Unreadable(error) => error,
                    KindError::Other { kind, version } => expected.unregistered(&kind, &version),
                })?;
                misfit
            }
            Self::Strategic(_) => unrestorable(patched, ty, None),
        };
        misfit.map_or(Ok(faults), Err)
    }

    /// What is shown of a patch that makes `patched` of `current`, which is no good.
    fn shown(&self, patched: &Value, current: &impl Serialize) -> String {
        let touched = match self {
            Self::List(items) => {
                return String::from_utf8_lossy(&to_vec(items).unwrap_or_default()).into_owned();
            }
            Self::Json(operations) => Touched::by_operations(operations),
            Self::Merge(patch) => Touched::Merge(patch),
            Self::Strategic(patch) => return go::print(&Value::Object(patch.clone())),
        };
        shown(patched, &to_vec(current).unwrap_or_default(), &touched)
    }
}

/// Reads a JSON patch.
fn parse_operations(
    body: &[u8],
    validation: FieldValidation,
    faults: &mut Vec<String>,
) -> Result<Change, Status> {
    let (prefix, list, item) = match validation {
        FieldValidation::Ignore => ("", "jsonpatch.Patch", "jsonpatch.Operation"),
        FieldValidation::Strict | FieldValidation::Warn => (
            "error decoding patch: ",
            "[]handlers.jsonPatchOp",
            "handlers.jsonPatchOp",
        ),
    };
    let refuse = |error: String| Status::bad_request(format!("{prefix}{error}"));
    let (value, found) =
        decode_json(body, OPERATIONS).map_err(|error| refuse(error.to_string()))?;
    let items = match value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            return Err(refuse(unmarshal_error(&value, list)));
        }
    };
    let operations: Result<Vec<_>, _> = items
        .into_iter()
        .map(|value| Ok(object(value, item)?.unwrap_or_default()))
        .collect();
    let operations = operations.map_err(refuse)?;
    if validation != FieldValidation::Ignore {
        check_texts(&operations).map_err(refuse)?;
    }
    if operations.len() > MAX_OPERATIONS {
        return Err(too_many(operations.len()));
    }
    faults.extend(found.into_iter().map(|fault| format!("json patch {fault}")));
    Ok(Change::Json(Operations(operations)))
}

/// Refuses operations with a name or a path that is no text.
fn check_texts(operations: &[Map<String, Value>]) -> Result<(), String> {
    for operation in operations {
        for name in ["op", "path", "from"] {
            match operation.get(name) {
                None | Some(Value::Null | Value::String(_)) => {}
                Some(value) => {
                    let found = go::json_type(value);
                    return Err(format!(
                        "json: cannot unmarshal {found} into Go struct field jsonPatchOp.{name} of \
                         type string"
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Reads a merge patch.
fn parse_merge(
    body: &[u8],
    validation: FieldValidation,
    faults: &mut Vec<String>,
) -> Result<Change, Status> {
    let refuse = |error: String| {
        Status::bad_request(match validation {
            FieldValidation::Ignore => "Invalid JSON Patch".to_owned(),
            FieldValidation::Strict | FieldValidation::Warn => {
                format!("error decoding patch: {error}")
            }
        })
    };
    let (mut value, duplicates) =
        decode_json(body, Type::Any).map_err(|error| refuse(error.to_string()))?;
    faults.extend(duplicates);
    if value.is_array() && validation == FieldValidation::Ignore {
        merge::drop_nulls(&mut value);
        return Ok(Change::List(value));
    }
    let patch = object(value, GO_MAP).map_err(refuse)?;
    patch
        .map(Change::Merge)
        .ok_or_else(|| Status::bad_request("Invalid JSON Patch"))
}

/// Reads a strategic merge patch.
fn parse_strategic(body: &[u8], faults: &mut Vec<String>) -> Result<Map<String, Value>, Status> {
    let (value, duplicates) =
        decode_json(body, Type::Any).map_err(|error| Status::bad_request(error.to_string()))?;
    faults.extend(duplicates);
    let patch = object(value, GO_MAP).map_err(Status::bad_request)?;
    Ok(patch.unwrap_or_default())
}

/// The object that `value` is; none where it is null.
fn object(value: Value, into: &str) -> Result<Option<Map<String, Value>>, String> {
    match value {
        Value::Object(fields) => Ok(Some(fields)),
        Value::Null => Ok(None),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(unmarshal_error(&value, into))
        }
    }
}

/// What Go says of a value that is to become another type.
fn unmarshal_error(value: &Value, into: &str) -> String {
    let found = go::json_type(value);
    format!("json: cannot unmarshal {found} into Go value of type {into}")
}

fn too_many(count: usize) -> Status {
    let message = format!(
        "Request entity too large: The allowed maximum operations in a JSON patch is \
         {MAX_OPERATIONS}, got {count}"
    );
    Status::failure(413, "RequestEntityTooLarge", message)
}

/// 422 for a patch, shown as `text`, whose result is no object.
fn refuse(text: &str, error: &str) -> Status {
    let error = FieldError::invalid(&Path::new("patch"), text, error);
    let unknown = GroupKind {
        group: "",
        kind: "",
    };
    Status::invalid(unknown, "", &[error])
}

#[cfg(test)]
mod tests;
