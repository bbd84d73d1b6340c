//! YAML to a value, read as Go's YAML 1.1 reader reads it, with the texts of keys that stand in a
//! map twice.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Error, Options, Spanned};

use super::{MAX_FAULTS, SyntaxError};
use crate::go;

/// Reads `body`, of which the first document counts, and of keys that are there twice the last;
/// the others are told.
pub(super) fn parse(body: &[u8]) -> Result<(Value, Vec<String>), SyntaxError> {
    let (mut value, mut duplicates) = (None, Vec::new());
    let ended =
        serde_saphyr::with_deserializer_from_slice_with_options(body, options(), |deserializer| {
            let read = Read::deserialize(deserializer)?;
            (value, duplicates) = (Some(read.value), read.duplicates);
            Ok(())
        });
    match (value, ended) {
        // Whatever comes after the first document.
        (Some(value), _) => Ok((value, duplicates)),
        (None, Err(error)) => Err(SyntaxError(first_line(&error))),
        (None, Ok(())) => Ok((Value::Null, duplicates)),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        legacy_octal_numbers: true,
    }
}

/// The error without the excerpt of the body that follows.
fn first_line(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// A value, with what Go says of fields of it that are there twice.
struct Read {
    value: Value,
    duplicates: Vec<String>,
}

/// Collects the texts of fields that are there twice.
struct Reading<'d> {
    duplicates: &'d mut Vec<String>,
}

// === impl Read ===

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut duplicates = Vec::new();
        let reading = Reading {
            duplicates: &mut duplicates,
        };
        let value = deserializer.deserialize_any(reading)?;
        Ok(Self { value, duplicates })
    }
}

// === impl Reading ===

impl Reading<'_> {
    /// Notes of `duplicates` as many as are told.
    fn note(&mut self, duplicates: impl IntoIterator<Item = String>) {
        let left = MAX_FAULTS.saturating_sub(self.duplicates.len());
        self.duplicates.extend(duplicates.into_iter().take(left));
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // Go writes a whole number as one, whatever it was written as.
        let text = format!("{value}");
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(whole.into());
        }
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Read>()? {
            self.note(item.duplicates);
            list.push(item.value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut seen = BTreeSet::new();
        while let Some(key) = fields.next_key::<Value>()? {
            let value = fields.next_value::<Spanned<Read>>()?;
            let line = value.defined.line();
            let Read { value, duplicates } = value.value;
            self.note(duplicates);
            let (name, shown) = match &key {
                Value::String(text) => (text.clone(), go::quote(text)),
                Value::Bool(_) | Value::Number(_) => (key.to_string(), key.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    let found = go::type_name(&key);
                    let error = format!("unsupported map key of type: {found}");
                    return Err(A::Error::custom(error));
                }
            };
            if !seen.insert(shown.clone()) {
                // Where the value begins, which may be below its key.
                self.note([format!("line {line}: key {shown} already set in map")]);
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}
