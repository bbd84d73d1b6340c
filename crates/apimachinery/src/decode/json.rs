//! JSON to a value, noting duplicate fields, with Go's texts for syntax errors.

use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, error::Category};

use super::{Parsed, SyntaxError};
use crate::go;

/// Most faults that are told of one body.
const MAX_FAULTS: usize = 100;

/// Reads `body`, which is one JSON value.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, SyntaxError> {
    let mut place = Place::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = place.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    let value = value.map_err(|error| SyntaxError(go_text(&error, body)))?;
    Ok(Parsed {
        value,
        duplicates: place.duplicates,
    })
}

/// Where the reader stands, and what it has found.
#[derive(Debug, Default)]
struct Place {
    /// The path, as Go writes it: `spec.taints[0].key`.
    path: String,
    duplicates: Vec<String>,
}

/// What Go says of `body`, of which serde says `error`.
fn go_text(error: &serde_json::Error, body: &[u8]) -> String {
    let text = error.to_string();
    let has = |part: &str| text.contains(part);
    if error.classify() == Category::Eof {
        return "unexpected end of JSON input".to_owned();
    }
    let place = if has("key must be a string") {
        "looking for beginning of object key string"
    } else if has("expected `:`") {
        "after object key"
    } else if has("expected `,` or `}`") {
        "after object key:value pair"
    } else if has("expected `,` or `]`") {
        "after array element"
    } else if has("trailing characters") {
        "after top-level value"
    } else if has("control character") {
        "in string literal"
    } else if has("escape") {
        "in string escape code"
    } else if has("invalid number") {
        "in numeric literal"
    } else if has("expected value") || has("trailing comma") {
        "looking for beginning of value"
    } else {
        return text;
    };
    let line = body
        .split(|&b| b == b'\n')
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    let at = line
        .get(error.column().saturating_sub(1)..)
        .unwrap_or_default();
    let found = at.first().copied().map(char::from).unwrap_or(' ');
    let quoted = match found {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        found => go::quote(&found.to_string()).replace('"', "'"),
    };
    format!("invalid character {quoted} {place}")
}

// === impl Place ===

impl<'de> DeserializeSeed<'de> for &mut Place {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Place {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let end = self.path.len();
        loop {
            write!(self.path, "[{}]", list.len()).map_err(A::Error::custom)?;
            let item = items.next_element_seed(&mut *self)?;
            self.path.truncate(end);
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let end = self.path.len();
        while let Some(name) = fields.next_key::<String>()? {
            if end > 0 {
                self.path.push('.');
            }
            self.path.push_str(&name);
            if map.contains_key(&name) && self.duplicates.len() < MAX_FAULTS {
                self.duplicates
                    .push(format!("duplicate field {}", go::quote(&self.path)));
            }
            let value = fields.next_value_seed(&mut *self)?;
            map.insert(name, value);
            self.path.truncate(end);
        }
        Ok(Value::Object(map))
    }
}
