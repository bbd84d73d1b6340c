//! Fields of a stored value that its type does not have: found when the value is read, put back
//! when the object is written again, shown to nobody.
//!
//! So a newer server may share the store: what it wrote and this one does not know stays, for as
//! long as the object, list item or map that it is part of does.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_ignored::Path;
use serde_json::{Value, value::RawValue};

use crate::strategy::ItemKeys;

/// What tells apart the items of the lists that every object has.
const METADATA_KEYS: ItemKeys = &[
    (
        "metadata.managedFields",
        &["manager", "operation", "apiVersion", "subresource"],
    ),
    ("metadata.ownerReferences", &["uid"]),
];

/// A stored value, and which of its fields its type does not have.
#[derive(Debug)]
pub(super) struct Unknown {
    value: Box<RawValue>,
    fields: Tree,
}

/// Places below a place of a JSON value, by the name of a field or the number of an item. One
/// without places below it is unknown as a whole.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tree(BTreeMap<String, Self>);

/// The fields of a JSON object in the order in which they stand there.
#[derive(Debug)]
struct Fields(Vec<(String, Box<RawValue>)>);

type Items = Vec<Box<RawValue>>;

/// Reads `value`, and notes what of it does not become part of the object.
pub(super) fn read<O: DeserializeOwned>(
    value: &[u8],
) -> serde_json::Result<(O, Option<Box<Unknown>>)> {
    let mut json = serde_json::Deserializer::from_slice(value);
    let mut fields = Tree::default();
    let object = serde_ignored::deserialize(&mut json, |path| fields.add(&path))?;
    json.end()?;
    if fields.0.is_empty() {
        return Ok((object, None));
    }
    let value = serde_json::from_slice(value)?;
    Ok((object, Some(Box::new(Unknown { value, fields }))))
}

/// Puts what `old` has at `places` into `new`, which is the same place of another value.
fn graft(
    new: Box<RawValue>,
    old: &RawValue,
    places: &Tree,
    at: &str,
    keys: ItemKeys,
) -> serde_json::Result<Box<RawValue>> {
    let is = |value: &RawValue, start: char| value.get().starts_with(start);
    if is(&new, '{') && is(old, '{') {
        let fields = serde_json::from_str(new.get())?;
        let old = serde_json::from_str(old.get())?;
        to_raw(&graft_fields(fields, old, places, at, keys)?)
    } else if is(&new, '[') && is(old, '[') {
        let items = serde_json::from_str(new.get())?;
        let old = serde_json::from_str(old.get())?;
        to_raw(&graft_items(items, &old, places, at, keys)?)
    } else {
        Ok(new)
    }
}

/// A field that is put back stands behind the one that it stood behind, as far as that is there.
fn graft_fields(
    mut new: Fields,
    old: Fields,
    places: &Tree,
    at: &str,
    keys: ItemKeys,
) -> serde_json::Result<Fields> {
    let mut next = 0;
    for (name, old) in old.0 {
        let place = new.0.iter().position(|(known, _)| *known == name);
        match (places.0.get(&name), place) {
            (Some(inner), None) if inner.0.is_empty() => {
                new.0.insert(next, (name, old));
                next += 1;
            }
            (Some(inner), Some(place)) if !inner.0.is_empty() => {
                let at = if at.is_empty() {
                    name
                } else {
                    format!("{at}.{name}")
                };
                let field = &mut new.0[place].1;
                *field = graft(field.clone(), &old, inner, &at, keys)?;
                next = place + 1;
            }
            (_, Some(place)) => next = place + 1,
            (_, None) => {}
        }
    }
    Ok(new)
}

/// An item gets back what the item with the same keys had, where there is one such item in each.
fn graft_items(
    mut new: Items,
    old: &Items,
    places: &Tree,
    at: &str,
    keys: ItemKeys,
) -> serde_json::Result<Items> {
    let of_list = |(list, _): &&(&str, _)| *list == at;
    let Some((_, keys_of_item)) = METADATA_KEYS.iter().chain(keys).find(of_list) else {
        return Ok(new);
    };
    let identities = |items: &Items| -> Vec<Option<Vec<Value>>> {
        let items = items.iter().map(Box::as_ref);
        items.map(|item| identity(item, keys_of_item)).collect()
    };
    let (old_identities, new_identities) = (identities(old), identities(&new));
    for (index, inner) in &places.0 {
        let Some((index, old)) = index
            .parse()
            .ok()
            .and_then(|index: usize| old.get(index).map(|item| (index, item)))
        else {
            continue;
        };
        let wanted = &old_identities[index];
        let one = only(&old_identities, wanted).and_then(|_| only(&new_identities, wanted));
        if let Some(place) = one.filter(|_| wanted.is_some() && !inner.0.is_empty()) {
            new[place] = graft(new[place].clone(), old, inner, at, keys)?;
        }
    }
    Ok(new)
}

/// Where the one item is that equals `wanted`.
fn only<T: PartialEq>(items: &[T], wanted: &T) -> Option<usize> {
    let mut found = (0..items.len()).filter(|&index| items[index] == *wanted);
    found.next().filter(|_| found.next().is_none())
}

/// The values of the fields called `keys`, null for those that are missing; nothing where `item`
/// is no object.
fn identity(item: &RawValue, keys: &[&str]) -> Option<Vec<Value>> {
    let Value::Object(mut fields) = serde_json::from_str(item.get()).ok()? else {
        return None;
    };
    let value = |key: &&str| fields.remove(*key).unwrap_or_default();
    Some(keys.iter().map(value).collect())
}

fn to_raw(value: &impl Serialize) -> serde_json::Result<Box<RawValue>> {
    let json = fleetgate_apimachinery::json::to_vec(value)?;
    serde_json::from_slice(&json)
}

// === impl Unknown ===

impl Unknown {
    /// `known`, which is what the object has become, with the unknown fields of what it was. The
    /// items of lists are told apart by `keys`.
    pub(super) fn keep_in(&self, known: &[u8], keys: ItemKeys) -> serde_json::Result<Bytes> {
        let known = serde_json::from_slice(known)?;
        let value = graft(known, &self.value, &self.fields, "", keys)?;
        let mut value = String::from(Box::<str>::from(value));
        value.push('\n');
        Ok(value.into())
    }
}

// === impl Tree ===

impl Tree {
    fn add(&mut self, path: &Path<'_>) {
        self.place(path);
    }

    /// The tree at `path`, made where it is missing.
    fn place(&mut self, path: &Path<'_>) -> &mut Self {
        let (parent, step) = match path {
            Path::Root => return self,
            Path::Some { parent }
            | Path::NewtypeStruct { parent }
            | Path::NewtypeVariant { parent } => return self.place(parent),
            Path::Map { parent, key } => (parent, key.clone()),
            Path::Seq { parent, index } => (parent, index.to_string()),
        };
        self.place(parent).0.entry(step).or_default()
    }
}

// === impl Fields ===

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests;
