//! Lists within a strategic merge patch: merged by value or by key, in the order of the patch.
//!
//! Items are looked up by the text of what tells them apart, so that the work grows with the size of
//! the lists and not with its square.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{
    DIRECTIVE, ELEMENT_ORDER, MergeError, kind_name, merge_objects, no_merge_key,
    unknown_directive, without_directives, wrong_type,
};
use crate::{
    definition::{List, PatchStrategy},
    go,
};

/// What items of one list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Items {
    Objects,
    Scalars,
}

/// Merges `patch` into `current`.
pub(super) fn merge(
    current: Vec<Value>,
    patch: Vec<Value>,
    list: &List,
) -> Result<Vec<Value>, MergeError> {
    if list.patch == PatchStrategy::Replace {
        return Ok(patch);
    }
    let key = list.patch.merge_key();
    match items(&[&current, &patch])? {
        None => Ok(current),
        Some(Items::Scalars) => {
            let merged = [current.as_slice(), patch.as_slice()].concat();
            arrange(distinct(merged), &patch, &current, key)
        }
        Some(Items::Objects) if key.is_empty() => Err(no_key(list)),
        Some(Items::Objects) => {
            let (current, patch) = apply_directives(current, patch, key)?;
            let merged = merge_by_key(current.clone(), patch.clone(), list)?;
            arrange(merged, &patch, &current, key)
        }
    }
}

/// Takes the scalars `unwanted` out of `current`.
pub(super) fn delete(
    current: &mut Vec<Value>,
    unwanted: &[Value],
    list: &List,
) -> Result<(), MergeError> {
    match items(&[current, unwanted])? {
        None => {}
        Some(Items::Scalars) => {
            let unwanted: HashSet<String> = unwanted.iter().map(text).collect();
            current.retain(|item| !unwanted.contains(&text(item)));
        }
        Some(Items::Objects) if list.patch.merge_key().is_empty() => return Err(no_key(list)),
        Some(Items::Objects) => *current = merge(std::mem::take(current), unwanted.to_vec(), list)?,
    }
    Ok(())
}

/// Merges `patch` into `current` and puts the items into `order`. Nothing where there is neither.
pub(super) fn merge_in_order(
    current: Option<Vec<Value>>,
    patch: Option<Vec<Value>>,
    order: Vec<Value>,
    list: &List,
) -> Result<Option<Vec<Value>>, MergeError> {
    let key = list.patch.merge_key();
    check_order(patch.as_deref().unwrap_or_default(), &order, key)?;
    let mut live = current.clone().unwrap_or_default();
    let kind = items(&[&live, patch.as_deref().unwrap_or_default()]);
    let merged = match (current, patch) {
        (None, None) => return Ok(None),
        (Some(current), None) => current,
        (None, Some(patch)) => patch.into_iter().filter_map(without_directives).collect(),
        (Some(current), Some(patch)) => {
            live = live_order(&current, &patch, key);
            merge(current, patch, list)?
        }
    };
    match kind? {
        None => {
            let why = "no elements in any of the given slices";
            Err(MergeError::Other(why.to_owned()))
        }
        Some(Items::Objects) if key.is_empty() => Err(MergeError::Unmergeable),
        Some(Items::Objects | Items::Scalars) => arrange(merged, &order, &live, key).map(Some),
    }
}

/// The order of `current` while `patch` is merged into it: what is new stands where items were
/// deleted, as far as there is room.
fn live_order(current: &[Value], patch: &[Value], key: &str) -> Vec<Value> {
    let is_deletion = |item: &&Value| item.get(DIRECTIVE).is_some_and(|it| it == "delete");
    let ids = |items: &mut dyn Iterator<Item = &Value>| -> HashSet<String> {
        items.filter_map(|item| item.get(key)).map(text).collect()
    };
    let deleted = ids(&mut patch.iter().filter(is_deletion));
    let is_in = |item: &Value, ids: &HashSet<String>| {
        item.get(key)
            .is_some_and(|value| ids.contains(&text(value)))
    };
    let mut order: Vec<_> = current
        .iter()
        .filter(|item| !is_in(item, &deleted))
        .cloned()
        .collect();
    let kept = ids(&mut order.iter());
    let new = patch
        .iter()
        .filter(|item| !is_deletion(item) && !is_in(item, &kept));
    order.extend(new.cloned());
    order.truncate(current.len());
    order
}

/// What the items of all `lists` are; nothing if there are none.
fn items(lists: &[&[Value]]) -> Result<Option<Items>, MergeError> {
    let mut all = lists.iter().copied().flatten();
    let Some(first) = all.next() else {
        return Ok(None);
    };
    let ty = go::type_name(first);
    if first.is_array() || first.is_null() {
        return Err(MergeError::Unmergeable);
    }
    if all.any(|item| go::type_name(item) != ty) {
        let lists: Vec<_> = lists
            .iter()
            .map(|list| Value::Array(list.to_vec()))
            .collect();
        let shown = go::print(&Value::Array(lists));
        let why = format!("list element types are not identical: {shown}");
        return Err(MergeError::Other(why));
    }
    Ok(Some(if first.is_object() {
        Items::Objects
    } else {
        Items::Scalars
    }))
}

/// Takes the items with a directive out of `patch` and does what they say to `current`.
fn apply_directives(
    mut current: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), MergeError> {
    let (mut kept, mut deleted, mut replaces) = (Vec::new(), HashSet::new(), false);
    for item in patch {
        let fields = object(&item)?;
        match fields
            .get(DIRECTIVE)
            .map(|directive| (directive, directive.as_str()))
        {
            None => kept.push(item),
            Some((_, Some("delete"))) => {
                let value = fields.get(key).ok_or_else(|| no_merge_key(fields, key))?;
                deleted.insert(text(value));
            }
            Some((_, Some("replace"))) => replaces = true,
            Some((_, Some("merge"))) => {
                let why = "merging lists cannot yet be specified in the patch";
                return Err(MergeError::Other(why.to_owned()));
            }
            Some((directive, _)) => return Err(unknown_directive(directive, fields)),
        }
    }
    if replaces {
        return Ok((kept, Vec::new()));
    }
    current.retain(|item| {
        item.get(key)
            .is_none_or(|value| !deleted.contains(&text(value)))
    });
    Ok((current, kept))
}

/// Merges each object of `patch` into the one of `current` with the same key, or appends it.
fn merge_by_key(
    mut current: Vec<Value>,
    patch: Vec<Value>,
    list: &List,
) -> Result<Vec<Value>, MergeError> {
    let key = list.patch.merge_key();
    let mut places = HashMap::new();
    for (place, item) in current.iter().enumerate() {
        if let Some(value) = item.get(key) {
            places.entry(text(value)).or_insert(place);
        }
    }
    for item in patch {
        let fields = object(&item)?;
        let value = fields.get(key).ok_or_else(|| no_merge_key(fields, key))?;
        let place = *places.entry(text(value)).or_insert(current.len());
        match (current.get_mut(place), item) {
            (Some(Value::Object(into)), Value::Object(item)) => {
                *into = merge_objects(std::mem::take(into), item, list.item)?;
            }
            (_, item) => current.push(item),
        }
    }
    Ok(current)
}

/// Puts `merged` in order: items that `order` names as it names them, the others as they are in
/// `live`, and both among each other as in `live` as far as they are there.
fn arrange(
    merged: Vec<Value>,
    order: &[Value],
    live: &[Value],
    key: &str,
) -> Result<Vec<Value>, MergeError> {
    let (wanted, lived) = (places(order, key)?, places(live, key)?);
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for item in merged {
        let id = identity(&item, key)?;
        match wanted.get(&id) {
            Some(place) => named.push((*place, lived.get(&id).copied(), item)),
            None => others.push((lived.get(&id).copied(), item)),
        }
    }
    named.sort_by_key(|(place, ..)| *place);
    settle(&mut others);
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    let mut out = Vec::new();
    loop {
        let other_first = match (others.peek(), named.peek()) {
            (None, None) => return Ok(out),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some((other, _)), Some((_, named, _))) => {
                matches!((other, named), (Some(other), Some(named)) if other < named)
            }
        };
        let next = match other_first {
            true => others.next().map(|(_, item)| item),
            false => named.next().map(|(_, _, item)| item),
        };
        out.extend(next);
    }
}

/// Sorts items by their place in the live list as Go's sort does with Kubernetes' comparison, for
/// which an item without a place comes before all that it is compared to. There are such only where
/// the order that was given is empty; where there are many, only their being first is kept.
fn settle(items: &mut [(Option<usize>, Value)]) {
    const SORTED_BY_INSERTION: usize = 20;
    if items.len() > SORTED_BY_INSERTION || items.iter().all(|(place, _)| place.is_some()) {
        return items.sort_by_key(|(place, _)| *place);
    }
    for next in 1..items.len() {
        for at in (1..=next).rev() {
            if matches!((items[at].0, items[at - 1].0), (Some(one), Some(other)) if one >= other) {
                break;
            }
            items.swap(at, at - 1);
        }
    }
}

/// Where each item of `list` first is, by what tells it apart.
fn places(list: &[Value], key: &str) -> Result<HashMap<String, usize>, MergeError> {
    let mut places = HashMap::new();
    for (place, item) in list.iter().enumerate() {
        places.entry(identity(item, key)?).or_insert(place);
    }
    Ok(places)
}

/// Refuses a patch with items that `order` does not have, or has in another order.
fn check_order(patch: &[Value], order: &[Value], key: &str) -> Result<(), MergeError> {
    if order.is_empty() || patch.is_empty() {
        return Ok(());
    }
    let mut left = order.iter();
    for item in patch {
        if !key.is_empty() {
            object(item)?;
        }
        if item
            .get(DIRECTIVE)
            .is_some_and(|directive| directive == "delete")
        {
            continue;
        }
        if left.len() == 0 {
            return Err(out_of_order(patch, order));
        }
        if item.get(DIRECTIVE).is_some() {
            continue;
        }
        let wanted = identity(item, key)?;
        loop {
            match left.next() {
                Some(item) if identity(item, key)? == wanted => break,
                Some(_) => {}
                None => return Err(out_of_order(patch, order)),
            }
        }
    }
    Ok(())
}

fn out_of_order(patch: &[Value], order: &[Value]) -> MergeError {
    let show = |list: &[Value]| go::print(&Value::Array(list.to_vec()));
    let (patch, order) = (show(patch), show(order));
    MergeError::Other(format!(
        "The order in patch list:\n{patch}\n doesn't match {ELEMENT_ORDER} list:\n{order}\n"
    ))
}

/// What tells an item from others: itself, or where there is a `key` the value of that field.
fn identity(item: &Value, key: &str) -> Result<String, MergeError> {
    if key.is_empty() {
        return Ok(text(item));
    }
    let fields = object(item)?;
    fields
        .get(key)
        .map(text)
        .ok_or_else(|| no_merge_key(fields, key))
}

fn object(item: &Value) -> Result<&Map<String, Value>, MergeError> {
    item.as_object()
        .ok_or_else(|| wrong_type("map[string]interface {}", item))
}

fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    items
        .into_iter()
        .filter(|item| seen.insert(text(item)))
        .collect()
}

/// A text that only equal values have.
fn text(value: &Value) -> String {
    value.to_string()
}

fn no_key(list: &List) -> MergeError {
    let kind = kind_name(list.item);
    MergeError::Other(format!("cannot merge lists without merge key for {kind}"))
}
