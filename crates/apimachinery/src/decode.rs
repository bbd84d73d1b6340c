//! Bodies to values: JSON and YAML, with unknown and duplicate fields found on the way.

mod json;
mod unknown;
mod yaml;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    definition::{Definition, Type},
    negotiation::Input,
    options::FieldValidation,
    schema::GroupVersion,
    status::Status,
};

pub use self::unknown::unknown_fields;

/// Most bytes of a body that a message shows.
const SUMMARY_MAX: usize = 30;

/// The kind of object that a body must hold.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Group and version.
    pub group_version: GroupVersion<'a>,
    /// Kind.
    pub kind: &'a str,
    /// Its type.
    pub definition: &'static Definition,
}

/// A body, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<T = Value> {
    /// What it holds.
    pub object: T,
    /// Texts for `Warning` headers.
    pub warnings: Vec<String>,
}

/// A body that is not JSON, or not YAML; Go's text as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SyntaxError(String);

/// A value with what is wrong with its fields.
#[derive(Clone, Debug, PartialEq)]
struct Parsed {
    value: Value,
    /// `duplicate field "spec.x"`; in JSON also `unknown field "spec.y"`.
    faults: Vec<String>,
}

/// Reads a body that holds an object.
///
/// # Errors
/// 400 for what cannot be read, is of another kind, or does not pass `validation`.
pub fn decode<T: DeserializeOwned>(
    body: &[u8],
    input: Input,
    expected: &Expected<'_>,
    validation: FieldValidation,
) -> Result<Decoded<T>, Status> {
    let ty = Type::Named(expected.definition);
    let Parsed { value, mut faults } = parse(body, input, ty).map_err(|error| {
        let format = match input {
            Input::Json => "json",
            Input::Yaml => "yaml",
        };
        expected.unrecognized(
            &format!("couldn't get version/kind; {format} parse error: {error}"),
            body,
        )
    })?;
    expected.check_kind(&value, body)?;
    match validation {
        FieldValidation::Ignore => faults.clear(),
        // YAML is read without its type.
        FieldValidation::Strict | FieldValidation::Warn if input == Input::Yaml => {
            faults.extend(unknown_fields(&value, ty));
        }
        FieldValidation::Strict | FieldValidation::Warn => {}
    }
    let object = T::deserialize(value).map_err(|error| expected.unhandled(&error.to_string()))?;
    match validation {
        FieldValidation::Strict if !faults.is_empty() => {
            Err(expected.unhandled(&strict_error(&faults)))
        }
        FieldValidation::Ignore | FieldValidation::Strict | FieldValidation::Warn => Ok(Decoded {
            object,
            warnings: faults,
        }),
    }
}

/// Reads a body of any kind, e.g. of delete options; the last of duplicate fields counts.
///
/// # Errors
/// [`SyntaxError`].
pub fn decode_value(body: &[u8], input: Input) -> Result<Value, SyntaxError> {
    parse(body, input, Type::Any).map(|parsed| parsed.value)
}

/// Reads JSON of type `ty`; gives the texts of duplicate and unknown fields too.
///
/// # Errors
/// [`SyntaxError`].
pub(crate) fn decode_json(body: &[u8], ty: Type) -> Result<(Value, Vec<String>), SyntaxError> {
    json::parse(body, ty).map(|Parsed { value, faults }| (value, faults))
}

/// Reads YAML, of which the first document counts; gives the texts of duplicate fields too.
///
/// # Errors
/// [`SyntaxError`].
pub(crate) fn decode_yaml(body: &[u8]) -> Result<(Value, Vec<String>), SyntaxError> {
    yaml::parse(body).map(|Parsed { value, faults }| (value, faults))
}

/// The text of a strict decoding error.
pub(crate) fn strict_error(faults: &[String]) -> String {
    format!("strict decoding error: {}", faults.join(", "))
}

fn parse(body: &[u8], input: Input, ty: Type) -> Result<Parsed, SyntaxError> {
    match input {
        Input::Json => json::parse(body, ty),
        Input::Yaml => yaml::parse(body),
    }
}

// === impl Expected ===

impl Expected<'_> {
    /// Refuses objects that say they are of another kind. One that says nothing is of this kind.
    fn check_kind(&self, value: &Value, body: &[u8]) -> Result<(), Status> {
        if !value.is_object() {
            let error = "couldn't get version/kind; json parse error: json: cannot unmarshal into \
                         Go value of type struct { APIVersion string; Kind string }";
            return Err(self.unrecognized(error, body));
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let wanted = self.group_version.to_string();
        if !api_version.is_empty() && api_version != wanted {
            return Err(Status::bad_request(format!(
                "the API version in the data ({api_version}) does not match the expected API \
                 version ({wanted})"
            )));
        }
        if !kind.is_empty() && kind != self.kind {
            let Self {
                group_version,
                kind: expected,
                ..
            } = self;
            return Err(Status::bad_request(format!(
                "{kind} in version {:?} cannot be handled as a {expected}: no kind {kind:?} is \
                 registered for version {wanted:?} in scheme \"{}\"",
                group_version.version, group_version.group
            )));
        }
        Ok(())
    }

    fn unhandled(&self, error: &str) -> Status {
        let Self {
            group_version: GroupVersion { version, .. },
            kind,
            ..
        } = self;
        Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: {error}"
        ))
    }

    fn unrecognized(&self, error: &str, body: &[u8]) -> Status {
        let (kind, summary) = (self.kind, summarize(body));
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {error} ({summary})"
        ))
    }
}

/// The first bytes of a body: as text if it begins as JSON does, else in hexadecimal.
fn summarize(body: &[u8]) -> String {
    let shown = &body[..body.len().min(SUMMARY_MAX)];
    let more = if body.len() > SUMMARY_MAX { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(shown)),
        Some(_) => {
            let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}{more}")
        }
    }
}

#[cfg(test)]
mod tests;
