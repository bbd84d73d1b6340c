//! JSON to a value, noting unknown and duplicate fields in the order in which they stand, with Go's
//! texts for syntax errors.

use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, error::Category};

use super::{Parsed, SyntaxError};
use crate::{definition::Type, go};

/// Most faults that are told of one body.
const MAX_FAULTS: usize = 100;

/// Reads `body`, which is one JSON value of type `ty`.
pub(super) fn parse(body: &[u8], ty: Type) -> Result<Parsed, SyntaxError> {
    let mut place = Place::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let reading = Reading {
        place: &mut place,
        ty: Some(ty),
    };
    let value = reading.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    let value = value.map_err(|error| SyntaxError(go_text(&error, body)))?;
    Ok(Parsed {
        value,
        faults: place.faults,
    })
}

/// Where the reader stands, and what it has found.
#[derive(Debug, Default)]
struct Place {
    /// The path, as Go writes it: `spec.taints[0].key`.
    path: String,
    faults: Vec<String>,
}

/// A value that is being read.
struct Reading<'p> {
    place: &'p mut Place,
    /// Its type; nothing within a field that is not known, of which nothing more is told.
    ty: Option<Type>,
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

impl Place {
    /// Notes `fault`, once, of the field where the reader stands.
    fn note(&mut self, fault: &str) {
        let text = format!("{fault} field {}", go::quote(&self.path));
        if self.faults.len() < MAX_FAULTS && !self.faults.contains(&text) {
            self.faults.push(text);
        }
    }
}

// === impl Reading ===

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
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
        let end = self.place.path.len();
        loop {
            write!(self.place.path, "[{}]", list.len()).map_err(A::Error::custom)?;
            let item = items.next_element_seed(Reading {
                place: &mut *self.place,
                ty: self.ty.map(Type::item),
            })?;
            self.place.path.truncate(end);
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let end = self.place.path.len();
        while let Some(name) = fields.next_key::<String>()? {
            if end > 0 {
                self.place.path.push('.');
            }
            self.place.path.push_str(&name);
            let ty = self.ty.and_then(|ty| ty.entry(&name));
            if self.ty.is_some() && ty.is_none() {
                self.place.note("unknown");
            } else if self.ty.is_some() && map.contains_key(&name) {
                self.place.note("duplicate");
            }
            let value = fields.next_value_seed(Reading {
                place: &mut *self.place,
                ty,
            })?;
            map.insert(name, value);
            self.place.path.truncate(end);
        }
        Ok(Value::Object(map))
    }
}
