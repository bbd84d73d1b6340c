//! JSON to a value, noting unknown and duplicate fields and values of another type in the order in
//! which they stand, with Go's texts for syntax errors.

use std::fmt::{self, Write};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, error::Category, value::RawValue};

use super::{
    MAX_FAULTS, Parsed, SyntaxError,
    misfit::{self, Misfits},
};
use crate::{definition::Type, go};

/// Bytes of paths of faults of one body after which no more faults are looked at.
const MAX_PATHS: usize = 1 << 20;

/// Reads `body`, which is one JSON value of type `ty`.
pub(super) fn parse(body: &[u8], ty: Type) -> Result<Parsed, SyntaxError> {
    let mut place = Place::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let reading = Reading {
        place: &mut place,
        ty: Some(ty),
        go: None,
    };
    let value = reading.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    let value = value.map_err(|error| SyntaxError(go_text(&error, body)))?;
    Ok(Parsed {
        value,
        faults: place.faults,
        misfit: place.misfits.first,
    })
}

/// Where the reader stands, and what it has found.
#[derive(Debug, Default)]
struct Place {
    /// The path, as Go writes it: `spec.taints[0].key`.
    path: String,
    faults: Vec<String>,
    /// Bytes of the paths of all faults, whether they were told before or not.
    paths: usize,
    misfits: Misfits,
}

/// A value that is being read.
struct Reading<'p> {
    place: &'p mut Place,
    /// Its type; nothing within a field that is not known, of which nothing more is told.
    ty: Option<Type>,
    /// What Go calls the type, if that is a name of its own.
    go: Option<&'static str>,
}

/// What Go says of `body`, of which serde says `error`.
fn go_text(error: &serde_json::Error, body: &[u8]) -> String {
    let text = error.to_string();
    let has = |part: &str| text.contains(part);
    if error.classify() == Category::Eof {
        return "unexpected end of JSON input".to_owned();
    }
    let line = body
        .split(|&b| b == b'\n')
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    let (before, at) = line
        .split_at_checked(error.column().saturating_sub(1))
        .unwrap_or((line, &[]));
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
    } else if has("expected ident") {
        &in_literal(before)
    } else if has("expected value") || has("trailing comma") {
        "looking for beginning of value"
    } else {
        return text;
    };
    let found = at.first().copied().map(char::from).unwrap_or(' ');
    let quoted = match found {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        found => go::quote(&found.to_string()).replace('"', "'"),
    };
    format!("invalid character {quoted} {place}")
}

/// In which literal, of which `before` ends with the beginning, something else comes than what.
fn in_literal(before: &[u8]) -> String {
    let begun = ["true", "false", "null"].into_iter().find_map(|literal| {
        let mut ways = (1..literal.len()).filter_map(|end| literal.split_at_checked(end));
        let (_, rest) = ways.find(|(begun, _)| before.ends_with(begun.as_bytes()))?;
        Some((literal, rest.chars().next()?))
    });
    begun.map_or_else(String::new, |(literal, next)| {
        format!("in literal {literal} (expecting '{next}')")
    })
}

// === impl Place ===

impl Place {
    /// Notes `fault`, once, of the field where the reader stands, if there are not too many.
    fn note(&mut self, fault: &str) {
        if self.faults.len() >= MAX_FAULTS || self.paths > MAX_PATHS {
            return;
        }
        self.paths += self.path.len();
        let text = format!("{fault} field {}", go::quote(&self.path));
        if !self.faults.contains(&text) {
            self.faults.push(text);
        }
    }
}

// === impl Reading ===

impl Reading<'_> {
    /// Notes a value that is `found`, as Go calls it, where that is not of the type.
    fn check(&mut self, found: &str) {
        if let Some(ty) = self.ty
            && !misfit::fits(ty, found)
        {
            self.place.misfits.note(found, ty, self.go);
            self.ty = None;
        }
    }

    /// The number in `text`, which is JSON, if it is one that the type can hold.
    fn number<E: Error>(&mut self, text: &str) -> Result<Value, E> {
        let value: Value = serde_json::from_str(text).map_err(E::custom)?;
        match (&value, self.ty) {
            (Value::Number(_), Some(ty)) if !misfit::holds(ty, self.go, text) => {
                let found = format!("number {text}");
                self.place.misfits.note(&found, ty, self.go);
            }
            (Value::Null | Value::Number(_), _) => {}
            (Value::Array(_) | Value::Bool(_) | Value::Object(_) | Value::String(_), _) => {
                self.check(go::json_type(&value));
            }
        }
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        match self.ty {
            // What does not fit is told as it was written.
            Some(Type::Int32 | Type::Int64) => {
                self.number(<&RawValue>::deserialize(deserializer)?.get())
            }
            Some(_) | None => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(mut self, value: bool) -> Result<Value, E> {
        self.check("bool");
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(mut self, value: i64) -> Result<Value, E> {
        self.check("number");
        Ok(value.into())
    }

    fn visit_u64<E>(mut self, value: u64) -> Result<Value, E> {
        self.check("number");
        Ok(value.into())
    }

    fn visit_f64<E>(mut self, value: f64) -> Result<Value, E> {
        self.check("number");
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(mut self, value: &str) -> Result<Value, E> {
        self.check("string");
        Ok(value.into())
    }

    fn visit_string<E>(mut self, value: String) -> Result<Value, E> {
        self.check("string");
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.check("array");
        let mut list = Vec::new();
        let end = self.place.path.len();
        loop {
            write!(self.place.path, "[{}]", list.len()).map_err(A::Error::custom)?;
            let item = items.next_element_seed(Reading {
                place: &mut *self.place,
                ty: self.ty.map(Type::item),
                go: None,
            })?;
            self.place.path.truncate(end);
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Value, A::Error> {
        self.check("object");
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
            let field = self.ty.and_then(|ty| ty.field(&name));
            let outside = self.place.misfits.enter(self.ty, field);
            let value = fields.next_value_seed(Reading {
                place: &mut *self.place,
                ty,
                go: field.and_then(|field| field.go),
            })?;
            self.place.misfits.leave(outside);
            map.insert(name, value);
            self.place.path.truncate(end);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_PATHS, Place};

    #[test]
    fn a_long_path_is_told_once_and_looked_at_a_few_times() {
        let path = "k".repeat(100 << 10);
        let mut place = Place {
            path: path.clone(),
            ..Place::default()
        };
        for _ in 0..1000 {
            place.note("duplicate");
        }
        assert_eq!(place.faults, [format!("duplicate field \"{path}\"")]);
        assert!(place.paths <= MAX_PATHS + path.len(), "{}", place.paths);
    }
}
