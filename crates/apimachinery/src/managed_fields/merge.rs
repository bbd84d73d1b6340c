//! Values by their types: what a value names, two values merged, items taken out of one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};

use super::{FieldSet, element};
use crate::definition::{Ownership, Type};

/// The paths that `value`, one of `ty`, names.
pub(super) fn fields_of(value: &Value, ty: Type) -> FieldSet {
    let mut set = FieldSet::default();
    name(value, ty, &mut Vec::new(), &mut set);
    set
}

/// `live` with what `config` says, both of `ty`. Nothing is taken away. Items of a list that both
/// have stand in the order of `config`.
pub(super) fn merge(live: Option<&Value>, config: Option<&Value>, ty: Type) -> Option<Value> {
    let either = || config.or(live).cloned();
    match ty.ownership() {
        Ownership::Whole => either(),
        Ownership::Entries => merge_maps(live, config, ty).or_else(either),
        Ownership::Values | Ownership::Keyed(_) => {
            let (live, config) = (items(live, ty), items(config, ty));
            if live.is_empty() && config.is_empty() {
                return either();
            }
            Some(Value::Array(merge_lists(&live, &config, ty.item())))
        }
    }
}

/// `value`, one of `ty`, without the items and fields in `gone`. A list or object of which nothing
/// is left is null.
pub(super) fn without(value: &Value, gone: &FieldSet, ty: Type) -> Value {
    match (ty.ownership(), value) {
        (Ownership::Entries, Value::Object(fields)) => {
            let left = fields.iter().filter_map(|(name, value)| {
                let element = element::field(name);
                let value = left(value, gone, &element, ty.entry(name))?;
                Some((name.clone(), value))
            });
            let left: Map<_, _> = left.collect();
            if left.is_empty() {
                Value::Null
            } else {
                left.into()
            }
        }
        (Ownership::Values | Ownership::Keyed(_), Value::Array(_)) => {
            let items = items(Some(value), ty);
            let left = items
                .iter()
                .filter_map(|(element, item)| left(item, gone, element, Some(ty.item())));
            let left: Vec<_> = left.collect();
            if left.is_empty() {
                Value::Null
            } else {
                left.into()
            }
        }
        (Ownership::Entries | Ownership::Values | Ownership::Keyed(_) | Ownership::Whole, _) => {
            value.clone()
        }
    }
}

/// What is left of what `element` leads to.
fn left(value: &Value, gone: &FieldSet, element: &str, ty: Option<Type>) -> Option<Value> {
    if gone.has(element) {
        return None;
    }
    Some(match gone.below(element) {
        Some(gone) => without(value, gone, ty.unwrap_or(Type::Any)),
        None => value.clone(),
    })
}

/// The items of a list with their elements; none of what is no list. Items that cannot be told
/// apart are left out: a checked list has none.
pub(super) fn items(list: Option<&Value>, ty: Type) -> Vec<(String, &Value)> {
    let element = |item: &Value| match ty.ownership() {
        Ownership::Values => element::value(item).ok(),
        Ownership::Keyed(keys) => element::keyed(keys, ty.item(), item).ok(),
        Ownership::Entries | Ownership::Whole => None,
    };
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items
        .filter_map(|item| Some((element(item)?, item)))
        .collect()
}

fn name(value: &Value, ty: Type, path: &mut Vec<String>, set: &mut FieldSet) {
    match (ty.ownership(), value) {
        (Ownership::Whole, _) => set.insert(path),
        (Ownership::Entries, Value::Object(fields)) => {
            for (key, value) in fields {
                let ty_of = ty.entry(key);
                path.push(element::field(key));
                name(value, ty_of.unwrap_or(Type::Any), path, set);
                let is_empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                // That a field of an object is there follows from what is in it; that a key of a
                // map is there does not.
                if is_empty || matches!(ty, Type::Map(_)) || ty_of.is_none() {
                    set.insert(path);
                }
                path.pop();
            }
        }
        (Ownership::Values | Ownership::Keyed(_), Value::Array(_)) => {
            let items = items(Some(value), ty);
            let mut known = BTreeMap::new();
            for (element, _) in &items {
                *known.entry(element).or_insert(0_usize) += 1;
            }
            for (element, item) in &items {
                path.push(element.clone());
                if known.get(element) == Some(&1) {
                    name(item, ty.item(), path, set);
                }
                set.insert(path);
                path.pop();
            }
        }
        (Ownership::Entries | Ownership::Values | Ownership::Keyed(_), _) => {}
    }
}

/// Two maps merged; nothing if both are empty.
fn merge_maps(live: Option<&Value>, config: Option<&Value>, ty: Type) -> Option<Value> {
    let none = Map::new();
    let map = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned();
    let (live, config) = (map(live).unwrap_or_default(), map(config).unwrap_or(none));
    let names: BTreeSet<_> = live.keys().chain(config.keys()).collect();
    let merged = names.into_iter().filter_map(|name| {
        let ty = ty.entry(name).unwrap_or(Type::Any);
        Some((name.clone(), merge(live.get(name), config.get(name), ty)?))
    });
    let merged: Map<_, _> = merged.collect();
    (!merged.is_empty()).then(|| merged.into())
}

/// Two lists merged: items of `config` in their order, and those that only `live` has where they
/// stood between them.
fn merge_lists(live: &[(String, &Value)], config: &[(String, &Value)], item: Type) -> Vec<Value> {
    let of_live = by_element(live);
    let of_config = by_element(config);
    let merged = |element: &str| {
        let live = of_live.get(element).copied();
        merge(live, of_config.get(element).copied(), item)
    };
    let mut shared: VecDeque<&str> = config
        .iter()
        .map(|(element, _)| element.as_str())
        .filter(|element| of_live.contains_key(*element))
        .collect();
    let mut next = shared.pop_front();
    let mut done = BTreeSet::new();
    let mut out = Vec::with_capacity(live.len().max(config.len()));
    let (mut left, mut right) = (live.iter().peekable(), config.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => return out,
            (Some((old, _)), Some((new, _))) if old == new => {
                done.insert(old.as_str());
                out.extend(merged(old));
                left.next();
                right.next();
                next = shared.pop_front();
                continue;
            }
            // Both have it, but it is not its turn.
            (Some((old, _)), Some(_))
                if of_config.contains_key(old.as_str()) && next.is_some_and(|next| next != old) =>
            {
                left.next();
                continue;
            }
            (Some((old, value)), _) if !of_config.contains_key(old.as_str()) => {
                out.extend(merge(Some(value), None, item));
                left.next();
                continue;
            }
            (Some((old, _)), _) if done.contains(old.as_str()) => {
                left.next();
            }
            (Some(_) | None, _) => {}
        }
        if let Some((new, _)) = right.next() {
            done.insert(new.as_str());
            out.extend(merged(new));
            if next == Some(new.as_str()) {
                next = shared.pop_front();
            }
        }
    }
}

/// Items by their elements. One that is there more than once cannot be merged with: it is null.
fn by_element<'v>(items: &[(String, &'v Value)]) -> BTreeMap<String, &'v Value> {
    let mut map = BTreeMap::new();
    for (element, item) in items {
        map.entry(element.clone())
            .and_modify(|value| *value = &Value::Null)
            .or_insert(*item);
    }
    map
}
