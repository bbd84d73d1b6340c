//! Delete options from a body, refused in the words of Go's JSON decoder.

use serde_json::{Map, Value};

use super::{Preconditions, Said};
use crate::go;

/// Where Kubernetes' own options are registered, as its messages name that place.
const SCHEME: &str = "pkg/runtime/scheme.go:111";
/// What Go reads kind and version into, as its messages name it.
const TYPE_META: &str = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;

/// An object whose fields are read one by one.
struct Fields<'v> {
    object: &'v Map<String, Value>,
    /// What stands before the name of a field in a message.
    place: &'static str,
}

/// Reads the options in `body`; `null` is none at all.
///
/// # Errors
/// Go's message.
pub(super) fn read(body: &Value) -> Result<Said, String> {
    let object = match body {
        Value::Null => return Ok(Said::default()),
        Value::Object(object) => object,
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let name = go::json_type(body);
            return Err(unread(&format!(
                "cannot unmarshal {name} into Go value of type {TYPE_META}"
            )));
        }
    };
    check_type(object)?;
    let fields = Fields {
        object,
        place: "DeleteOptions",
    };
    Ok(Said {
        grace_period_seconds: fields.integer("gracePeriodSeconds")?,
        preconditions: fields.preconditions()?,
        orphan_dependents: fields.boolean("orphanDependents")?,
        propagation_policy: fields.text("propagationPolicy", "v1.DeletionPropagation")?,
        dry_run: fields.texts("dryRun")?,
    })
}

/// Refuses what says that it is something else.
fn check_type(object: &Map<String, Value>) -> Result<(), String> {
    let fields = Fields { object, place: "" };
    let text = |name| {
        let text = fields.text(name, "string");
        text.map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))
    };
    let version = text("apiVersion")?.unwrap_or_default();
    let kind = text("kind")?.unwrap_or_default();
    if version.matches('/').count() > 1 {
        return Err(format!("unexpected GroupVersion string: {version}"));
    }
    match (&*version, &*kind) {
        (_, "" | "DeleteOptions") => Ok(()),
        ("v1", "Status") => {
            Err("converting (v1.Status) to (v1.DeleteOptions): unknown conversion".to_owned())
        }
        _ => {
            let version = if version.is_empty() { "v1" } else { &version };
            Err(format!(
                "no kind {kind:?} is registered for version {version:?} in scheme {SCHEME:?}"
            ))
        }
    }
}

fn unread(why: &str) -> String {
    format!("couldn't get version/kind; json parse error: json: {why}")
}

// === impl Fields ===

impl<'v> Fields<'v> {
    /// The field called `name`, if it is there and not null.
    fn get(&self, name: &str) -> Option<&'v Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn wrong(&self, found: &str, name: &str, go_type: &str) -> String {
        let place = self.place;
        format!(
            "json: cannot unmarshal {found} into Go struct field {place}.{name} of type {go_type}"
        )
    }

    fn read<T>(
        &self,
        name: &str,
        go_type: &str,
        read: impl Fn(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let wrong = || self.wrong(go::json_type(value), name, go_type);
        read(value).map(Some).ok_or_else(wrong)
    }

    fn text(&self, name: &str, go_type: &str) -> Result<Option<String>, String> {
        self.read(name, go_type, |value| value.as_str().map(str::to_owned))
    }

    fn boolean(&self, name: &str) -> Result<Option<bool>, String> {
        self.read(name, "bool", Value::as_bool)
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, String> {
        match self.get(name) {
            Some(Value::Number(number)) if number.as_i64().is_none() => {
                Err(self.wrong(&format!("number {number}"), name, "int64"))
            }
            Some(_) | None => self.read(name, "int64", Value::as_i64),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let items = self.read(name, "[]string", Value::as_array)?;
        let text = |item: &Value| match item {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.clone()),
            Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                Err(self.wrong(go::json_type(item), name, "string"))
            }
        };
        items.into_iter().flatten().map(text).collect()
    }

    fn preconditions(&self) -> Result<Preconditions, String> {
        let read = self.read("preconditions", "v1.Preconditions", Value::as_object)?;
        let Some(object) = read else {
            return Ok(Preconditions::default());
        };
        let fields = Fields {
            object,
            place: "Preconditions.preconditions",
        };
        Ok(Preconditions {
            uid: fields.text("uid", "types.UID")?,
            resource_version: fields.text("resourceVersion", "string")?,
        })
    }
}
