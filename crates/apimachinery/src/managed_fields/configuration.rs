//! What an applier sends: the fields that it wants, and nothing else.

use serde_json::{Map, Value};

use super::{check::check, element};
use crate::{
    decode::{Expected, decode_json, decode_yaml},
    definition::Type,
    options::FieldValidation,
    status::Status,
};

/// An applied configuration, read.
#[derive(Clone, Debug)]
pub struct Configuration {
    object: Value,
    /// Fields that stand in the body twice.
    faults: Vec<String>,
    validation: FieldValidation,
}

// === impl Configuration ===

impl Configuration {
    /// Reads `body`: YAML of which the first document counts, or JSON. What is wrong with its
    /// fields is told once it is applied, after conflicts.
    ///
    /// # Errors
    /// 400 for a body that cannot be read or is of another kind.
    pub fn parse(
        body: &[u8],
        expected: &Expected<'_>,
        validation: FieldValidation,
    ) -> Result<Self, Status> {
        let (mut object, faults) = read(body)?;
        if object.is_null() {
            object = Value::Object(Map::new());
        }
        let found = match object {
            Value::Object(_) => None,
            Value::Array(_) => Some("array"),
            Value::Bool(_) => Some("bool"),
            Value::Number(_) => Some("number"),
            Value::Null | Value::String(_) => Some("string"),
        };
        if let Some(found) = found {
            return Err(unreadable(&format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into \
                 Go value of type map[string]interface {{}}"
            )));
        }
        make_whole(&mut object);
        let configuration = Self {
            object,
            faults,
            validation,
        };
        let wanted = format!("{}, Kind={}", expected.group_version, expected.kind);
        match configuration.kind() {
            kind if kind == wanted => Ok(configuration),
            kind => Err(Status::bad_request(format!("invalid object type: {kind}"))),
        }
    }

    /// Texts for `Warning` headers, once it has been merged.
    pub fn warnings(&self) -> &[String] {
        match self.validation {
            FieldValidation::Ignore | FieldValidation::Strict => &[],
            FieldValidation::Warn => &self.faults,
        }
    }

    /// The object as it was sent.
    pub(super) const fn object(&self) -> &Value {
        &self.object
    }

    /// Refuses what can be seen without the object that it is applied to.
    pub(super) fn check(&self, ty: Type) -> Result<(), Status> {
        let managed = self.object.pointer("/metadata/managedFields");
        if managed.is_some_and(Value::is_array) {
            let message = "metadata.managedFields must be nil";
            return Err(Status::bad_request(message));
        }
        match check(&self.object, ty) {
            None => Ok(()),
            Some(what) => Err(self.failed("failed to create typed patch object", "", &what)),
        }
    }

    /// Refuses fields that stand there twice, where the caller wants that.
    pub(super) fn check_strictly(&self) -> Result<(), Status> {
        match (self.validation, self.faults.as_slice()) {
            (FieldValidation::Strict, [_, ..]) => Err(Status::bad_request(format!(
                "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal \
                 errors:\n  {}",
                self.faults.join("\n  ")
            ))),
            (FieldValidation::Ignore | FieldValidation::Strict | FieldValidation::Warn, _) => {
                Ok(())
            }
        }
    }

    /// 500 for a merged object that is not of its type.
    pub(super) fn misfit(&self, error: &serde_json::Error) -> Status {
        let kind = self.kind();
        let what = format!("unable to convert unstructured object to {kind}: {error}");
        self.failed("failed to convert new object", " to proper version", &what)
    }

    /// 500 as the API server tells it: without a reason.
    fn failed(&self, what: &str, how: &str, why: &str) -> Status {
        let text = |pointer: &str| self.object.pointer(pointer).and_then(Value::as_str);
        let name = text("/metadata/name").unwrap_or_default();
        let namespace = text("/metadata/namespace").unwrap_or_default();
        let kind = self.kind();
        let message = format!("{what} ({namespace}/{name}; {kind}){how}: {why}");
        Status::failure(500, "", message)
    }

    /// Version and kind, as messages show them.
    fn kind(&self) -> String {
        let text = |name: &str| self.object.get(name).and_then(Value::as_str);
        let kind = text("kind").unwrap_or_default();
        match text("apiVersion").unwrap_or_default() {
            "" => format!("/, Kind={kind}"),
            version if version.contains('/') => format!("{version}, Kind={kind}"),
            version => format!("/{version}, Kind={kind}"),
        }
    }
}

/// The value of `body`, with the texts of fields that stand there twice.
fn read(body: &[u8]) -> Result<(Value, Vec<String>), Status> {
    match decode_json(body, Type::Any) {
        Ok((value, faults)) if faults.is_empty() => Ok((value, faults)),
        // Not JSON, or faulty: the words are those of a YAML reader.
        Ok(_) | Err(_) => decode_yaml(body)
            .map_err(|error| unreadable(&format!("error converting YAML to JSON: yaml: {error}"))),
    }
}

fn unreadable(why: &str) -> Status {
    Status::bad_request(format!("error decoding YAML: {why}"))
}

/// Makes integers of numbers that have no fraction, as they are read into fields.
fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = number.as_f64().and_then(element::integer) {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(fields) => fields.values_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
