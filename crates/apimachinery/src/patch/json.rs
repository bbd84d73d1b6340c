//! JSON patch (RFC 6902) with the liberties that Kubernetes takes: the last part of a path names a
//! field that may be missing for `replace` and `copy`, and indexes count from the end where they are
//! negative.
//!
//! The work that a patch makes is bounded: an operation that moves much and a patch of many
//! operations would otherwise keep a server busy for minutes.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::json;

/// Most operations of a patch.
pub(super) const MAX_OPERATIONS: usize = 10_000;
/// Most bytes that the copy operations of a patch may add together.
const MAX_COPIED: usize = 3 << 20;
/// Most values that all operations of a patch may look at or move together.
const MAX_WORK: usize = 16 << 20;
/// Most levels of a patched object: as many as a body may have. What walks through values may recur
/// this deep.
const MAX_DEPTH: usize = 127;

/// The operations of a patch, in the form in which the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations(pub(super) Vec<Map<String, Value>>);

/// An operation that does not fit the value, or that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot apply the operation to the value")]
pub(super) struct Unfit;

/// A value that is being patched.
#[derive(Debug)]
struct Patching {
    value: Value,
    copied: usize,
    work: usize,
}

/// Where an operation acts: a field of an object or an item of a list.
enum Place<'a> {
    Field(&'a mut Map<String, Value>, String),
    Item(&'a mut Vec<Value>, String),
}

// === impl Operations ===

impl Operations {
    /// What becomes of `value`.
    ///
    /// # Errors
    /// [`Unfit`] for the first operation that cannot be applied, and for a patch that makes too much
    /// of the value, or too much work.
    pub(super) fn apply(&self, value: Value) -> Result<Value, Unfit> {
        let mut patching = Patching {
            value,
            copied: 0,
            work: 0,
        };
        for operation in &self.0 {
            patching.apply(operation)?;
        }
        Ok(patching.value)
    }
}

// === impl Patching ===

impl Patching {
    fn apply(&mut self, operation: &Map<String, Value>) -> Result<(), Unfit> {
        let text = |name: &str| operation.get(name).and_then(Value::as_str).ok_or(Unfit);
        let value = || operation.get("value").cloned().unwrap_or_default();
        match text("op")? {
            "add" => self.add(text("path")?, value()),
            "remove" => self.remove(text("path")?).map(drop),
            "replace" if text("path")?.is_empty() => self.replace_all(value()),
            "replace" => self.replace(text("path")?, value()),
            "move" => {
                let moved = self.remove(text("from")?)?;
                self.add(text("path")?, moved)
            }
            "copy" => {
                let copied = self.copied(text("from")?)?;
                self.add(text("path")?, copied)
            }
            "test" => self.test(text("path")?, &value()),
            _ => Err(Unfit),
        }
    }

    fn add(&mut self, path: &str, value: Value) -> Result<(), Unfit> {
        self.check_depth(path, &value)?;
        let moved = match self.place(path)? {
            Place::Field(fields, name) => {
                fields.insert(name, value);
                0
            }
            Place::Item(items, index) => {
                let len = items.len();
                let at = match index.as_str() {
                    "-" => len,
                    index => position(index, len + 1)?,
                };
                items.insert(at, value);
                len - at
            }
        };
        self.works(moved)
    }

    fn remove(&mut self, path: &str) -> Result<Value, Unfit> {
        let (value, moved) = match self.place(path)? {
            Place::Field(fields, name) => (fields.remove(&name).ok_or(Unfit)?, 0),
            Place::Item(items, index) => {
                let at = position(&index, items.len())?;
                (items.remove(at), items.len() - at)
            }
        };
        self.works(moved)?;
        Ok(value)
    }

    fn replace(&mut self, path: &str, value: Value) -> Result<(), Unfit> {
        self.check_depth(path, &value)?;
        match self.place(path)? {
            Place::Field(fields, name) => {
                fields.insert(name, value);
            }
            Place::Item(items, index) => {
                let at = position(&index, items.len())?;
                *items.get_mut(at).ok_or(Unfit)? = value;
            }
        }
        Ok(())
    }

    fn replace_all(&mut self, value: Value) -> Result<(), Unfit> {
        if !value.is_object() && !value.is_array() {
            return Err(Unfit);
        }
        self.value = value;
        Ok(())
    }

    /// The value at `from`, of which a copy is made; null where a field is missing.
    fn copied(&mut self, from: &str) -> Result<Value, Unfit> {
        let found = self.place(from)?.value()?.cloned().unwrap_or_default();
        self.copied += json::to_vec(&found).map_or(0, |bytes| bytes.len());
        if self.copied > MAX_COPIED {
            return Err(Unfit);
        }
        Ok(found)
    }

    fn test(&mut self, path: &str, want: &Value) -> Result<(), Unfit> {
        let is_same = match path {
            "" => self.value == *want,
            path => self.place(path)?.value()?.unwrap_or(&Value::Null) == want,
        };
        if is_same { Ok(()) } else { Err(Unfit) }
    }

    /// Where `path` leads. All but its last part must be there.
    fn place(&mut self, path: &str) -> Result<Place<'_>, Unfit> {
        let mut parts = path
            .split('/')
            .skip(1)
            .map(|part| unescape(part).into_owned());
        let mut last = parts.next().ok_or(Unfit)?;
        let mut value = &mut self.value;
        for next in parts {
            value = match value {
                Value::Object(fields) => fields.get_mut(&last).ok_or(Unfit)?,
                Value::Array(items) => {
                    let at = position(&last, items.len())?;
                    items.get_mut(at).ok_or(Unfit)?
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    return Err(Unfit);
                }
            };
            last = next;
        }
        match value {
            Value::Object(fields) => Ok(Place::Field(fields, last)),
            Value::Array(items) => Ok(Place::Item(items, last)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(Unfit),
        }
    }

    /// Refuses a value that is too deep where `path` puts it.
    fn check_depth(&mut self, path: &str, value: &Value) -> Result<(), Unfit> {
        let mut seen = 0;
        let deep = depth(value, &mut seen);
        self.works(seen)?;
        if path.matches('/').count() + deep > MAX_DEPTH {
            return Err(Unfit);
        }
        Ok(())
    }

    fn works(&mut self, work: usize) -> Result<(), Unfit> {
        self.work += work;
        if self.work > MAX_WORK {
            return Err(Unfit);
        }
        Ok(())
    }
}

// === impl Place ===

impl<'a> Place<'a> {
    /// What is there: nothing where a field is missing.
    fn value(self) -> Result<Option<&'a Value>, Unfit> {
        match self {
            Self::Field(fields, name) => Ok(fields.get(&name)),
            Self::Item(items, index) => {
                let at = position(&index, items.len())?;
                items.get(at).ok_or(Unfit).map(Some)
            }
        }
    }
}

/// The index that `text` is, below `len`; negative ones count from the end.
fn position(text: &str, len: usize) -> Result<usize, Unfit> {
    let index: i64 = text.parse().map_err(|_| Unfit)?;
    let len = i64::try_from(len).map_err(|_| Unfit)?;
    let index = if index < 0 { index + len } else { index };
    if index >= len {
        return Err(Unfit);
    }
    usize::try_from(index).map_err(|_| Unfit)
}

/// The name that `part` of a pointer stands for.
pub(super) fn unescape(part: &str) -> Cow<'_, str> {
    if part.contains('~') {
        part.replace("~1", "/").replace("~0", "~").into()
    } else {
        part.into()
    }
}

/// Levels of objects and lists in `value`; `seen` counts the values.
fn depth(value: &Value, seen: &mut usize) -> usize {
    *seen += 1;
    let below = match value {
        Value::Array(items) => items.iter().map(|item| depth(item, seen)).max(),
        Value::Object(fields) => fields.values().map(|field| depth(field, seen)).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
    };
    1 + below.unwrap_or_default()
}

#[cfg(test)]
mod tests;
