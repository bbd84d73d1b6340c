//! Documents as messages of Gnostic, made from their JSON by tables of its messages' fields.
//!
//! Gnostic's messages follow the JSON, with three twists: a map is a message of named values, a
//! value of several possible types is wrapped in a message for each choice, and what is not known
//! (`x-…`) is text in YAML, which JSON is too. The tables hold those messages and fields that the
//! documents here have, and no others.

mod v2;
mod v3;

use serde_json::Value;

use crate::protobuf::{put_bytes, put_double, put_number};

pub(super) use self::{v2::DOCUMENT as V2, v3::DOCUMENT as V3};

/// A type of message.
#[derive(Debug)]
pub(super) enum Message {
    /// A JSON object.
    Object(&'static [Field], Rest),
    /// A scalar, in the field with this number.
    Scalar(u32),
    /// A list of texts, in the field with this number.
    Texts(u32),
    /// Anything.
    Any,
}

/// A member of a JSON object, the number of the message's field for it, and its type there.
type Field = (&'static str, u32, Kind);

/// The type of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A text or a truth value.
    Scalar,
    /// A list of texts.
    Texts,
    /// A message.
    One(Choice),
    /// A list of messages.
    Many(Choice),
}

/// The message for a JSON value, and the numbers of the fields of the messages that it is wrapped
/// in, outermost first.
type Choice = fn(&Value) -> (&'static [u32], &'static Message);

/// Where members of a JSON object go that no field names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rest {
    /// Nowhere: there are none.
    None,
    /// Those that begin with `x-`, as named values of any type, to the field with this number.
    Extensions(u32),
    /// As named messages, to the field with this number.
    Entries(u32, Choice),
}

/// The fields of a named value.
const NAME: u32 = 1;
const VALUE: u32 = 2;
/// The field of `Any` with its value as YAML.
const YAML: u32 = 2;

/// `value` as a `message`.
pub(super) fn encode(value: &Value, message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    match message {
        Message::Object(fields, rest) => put_object(&mut out, value, fields, *rest),
        Message::Scalar(number) => put(&mut out, *number, Kind::Scalar, value),
        Message::Texts(number) => put(&mut out, *number, Kind::Texts, value),
        Message::Any => put_bytes(&mut out, YAML, value.to_string().as_bytes()),
    }
    out
}

fn put_object(out: &mut Vec<u8>, value: &Value, fields: &[Field], rest: Rest) {
    for (name, number, kind) in fields {
        if let Some(member) = value.get(name) {
            put(out, *number, *kind, member);
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let (number, inner) = match rest {
            _ if fields.iter().any(|field| field.0 == name) => continue,
            Rest::Entries(number, choice) => (number, chosen(choice, member)),
            Rest::Extensions(number) if name.starts_with("x-") => {
                (number, encode(member, &Message::Any))
            }
            Rest::Extensions(_) | Rest::None => continue,
        };
        let mut entry = Vec::new();
        put_bytes(&mut entry, NAME, name.as_bytes());
        put_bytes(&mut entry, VALUE, &inner);
        put_bytes(out, number, &entry);
    }
}

fn put(out: &mut Vec<u8>, number: u32, kind: Kind, value: &Value) {
    let items = || value.as_array().into_iter().flatten();
    match kind {
        Kind::Scalar => put_scalar(out, number, value),
        Kind::Texts => items().for_each(|item| put_scalar(out, number, item)),
        Kind::One(choice) => put_bytes(out, number, &chosen(choice, value)),
        Kind::Many(choice) => {
            items().for_each(|item| put_bytes(out, number, &chosen(choice, item)));
        }
    }
}

/// The message that is chosen for `value`, in its wrappings.
fn chosen(choice: Choice, value: &Value) -> Vec<u8> {
    let (wrappings, message) = choice(value);
    let inner = encode(value, message);
    wrappings.iter().rev().fold(inner, |inner, number| {
        let mut out = Vec::new();
        put_bytes(&mut out, *number, &inner);
        out
    })
}

fn put_scalar(out: &mut Vec<u8>, number: u32, value: &Value) {
    match value {
        Value::String(text) => put_bytes(out, number, text.as_bytes()),
        Value::Bool(flag) => put_number(out, number, *flag),
        Value::Number(amount) => put_double(out, number, amount.as_f64().unwrap_or_default()),
        Value::Null | Value::Array(_) | Value::Object(_) => {}
    }
}

#[cfg(test)]
mod tests;
