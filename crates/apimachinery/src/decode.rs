//! Bodies to values: JSON and YAML, with unknown and duplicate fields found on the way.

mod json;
mod misfit;
mod unknown;
mod yaml;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    definition::{Definition, Type},
    go,
    negotiation::Input,
    options::FieldValidation,
    schema::GroupVersion,
    status::Status,
    zero::read_nulls,
};

pub(crate) use self::misfit::unrestorable;
pub use self::unknown::unknown_fields;

/// Most bytes of a body that a message shows.
const SUMMARY_MAX: usize = 30;
/// Most faults that are told of one body.
const MAX_FAULTS: usize = 100;
/// What the text of YAML that is not as it should be begins with.
const YAML_FAULTS: &str = "yaml: unmarshal errors:\n";

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

/// Why a value is not of the kind that it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KindError {
    /// It does not say its kind as kinds are said; Go's text.
    Unreadable(String),
    /// It is of this kind, in this group and version.
    Other {
        /// The kind.
        kind: String,
        /// Group and version.
        version: String,
    },
}

/// A value with what is wrong with its fields.
#[derive(Clone, Debug, PartialEq)]
struct Parsed {
    value: Value,
    /// `duplicate field "spec.x"`, `unknown field "spec.y"`.
    faults: Vec<String>,
    /// What is said of the first value that is not of its type.
    misfit: Option<String>,
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
    let parsed = parse(body, input, ty).map_err(|error| {
        let error = match input {
            Input::Json => format!("couldn't get version/kind; json parse error: {error}"),
            Input::Yaml => format!("yaml: {error}"),
        };
        expected.unrecognized(&error, body)
    })?;
    let Parsed {
        mut value,
        mut faults,
        misfit,
    } = parsed;
    expected.check_kind(&value).map_err(|error| match error {
        KindError::Unreadable(error) => expected.unrecognized(&error, body),
        KindError::Other { kind, version } => {
            let error = expected.unregistered(&kind, &version);
            expected.unfit(&kind, &version, &error)
        }
    })?;
    if let Some(misfit) = misfit {
        return Err(expected.unhandled(&misfit));
    }
    if validation == FieldValidation::Ignore {
        faults.clear();
    }
    if value.is_null() {
        value = Value::Object(Map::new());
    }
    read_nulls(&mut value, ty);
    let object = T::deserialize(value).map_err(|error| expected.unhandled(&error.to_string()))?;
    match validation {
        FieldValidation::Strict if !faults.is_empty() => {
            Err(expected.unhandled(&strict_error(&faults)))
        }
        FieldValidation::Ignore | FieldValidation::Strict | FieldValidation::Warn => Ok(Decoded {
            object,
            warnings: warnings(&faults),
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
    json::parse(body, ty).map(|parsed| (parsed.value, parsed.faults))
}

/// What is wrong with the fields of `value`, which should be of type `ty`: unknown ones, and what is
/// said of the first that is of another type.
pub(crate) fn check(value: &Value, ty: Type) -> (Vec<String>, Option<String>) {
    match json::parse(value.to_string().as_bytes(), ty) {
        Ok(parsed) => (parsed.faults, parsed.misfit),
        // It was read from JSON.
        Err(error) => (Vec::new(), Some(error.to_string())),
    }
}

/// Reads YAML, of which the first document counts; gives the texts of duplicate fields too.
///
/// # Errors
/// [`SyntaxError`].
pub(crate) fn decode_yaml(body: &[u8]) -> Result<(Value, Vec<String>), SyntaxError> {
    yaml::parse(body)
}

/// The text of a strict decoding error.
pub(crate) fn strict_error(faults: &[String]) -> String {
    format!("strict decoding error: {}", faults.join(", "))
}

fn parse(body: &[u8], input: Input, ty: Type) -> Result<Parsed, SyntaxError> {
    match input {
        Input::Json => json::parse(body, ty),
        Input::Yaml => {
            let (value, duplicates) = yaml::parse(body)?;
            // Go makes JSON of it and reads that.
            let mut parsed = json::parse(value.to_string().as_bytes(), ty)?;
            if !duplicates.is_empty() {
                let text = format!("{YAML_FAULTS}  {}", duplicates.join("\n  "));
                parsed.faults.insert(0, text);
            }
            Ok(parsed)
        }
    }
}

/// The texts that warn of `faults`: a line of YAML's each.
fn warnings(faults: &[String]) -> Vec<String> {
    let lines = |fault: &String| -> Vec<String> {
        match fault.strip_prefix(YAML_FAULTS) {
            Some(lines) => lines.lines().map(|line| line.trim().to_owned()).collect(),
            None => vec![fault.clone()],
        }
    };
    faults.iter().flat_map(lines).collect()
}

// === impl Expected ===

impl Expected<'_> {
    /// Refuses objects that say they are of another kind. One that says nothing is of this kind.
    pub(crate) fn check_kind(&self, value: &Value) -> Result<(), KindError> {
        let unreadable = |found: &Value, into: &str| {
            let found = go::json_type(found);
            KindError::Unreadable(format!(
                "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into \
                 Go {into}"
            ))
        };
        if !value.is_object() && !value.is_null() {
            let into = "value of type struct { APIVersion string \
                        \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
                        \"json:\\\"kind,omitempty\\\"\" }";
            return Err(unreadable(value, into));
        }
        let text = |name: &str| match value.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(found) => {
                let into = format!("struct field .{name} of type string");
                Err(unreadable(found, &into))
            }
        };
        let (api_version, kind) = (text("apiVersion")?, text("kind")?);
        if api_version.matches('/').count() > 1 {
            let error = format!("unexpected GroupVersion string: {api_version}");
            return Err(KindError::Unreadable(error));
        }
        let wanted = self.group_version.to_string();
        let or = |text: &str, wanted: &str| match text {
            "" => wanted.to_owned(),
            text => text.to_owned(),
        };
        let (kind, version) = (or(kind, self.kind), or(api_version, &wanted));
        if kind == self.kind && version == wanted {
            Ok(())
        } else {
            Err(KindError::Other { kind, version })
        }
    }

    /// What is said of an object of another `kind` in the group and version `version`.
    pub(crate) fn unregistered(&self, kind: &str, version: &str) -> String {
        format!(
            "no kind {} is registered for version {} in scheme \"{}\"",
            go::quote(kind),
            go::quote(version),
            self.group_version.group
        )
    }

    fn unhandled(&self, error: &str) -> Status {
        self.unfit(self.kind, self.group_version.version, error)
    }

    /// 400 for an object of `kind` in `version`, perhaps with its group, that cannot be taken.
    fn unfit(&self, kind: &str, version: &str, error: &str) -> Status {
        let version = version.rsplit('/').next().unwrap_or_default();
        Status::bad_request(format!(
            "{kind} in version {} cannot be handled as a {}: {error}",
            go::quote(version),
            self.kind
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
