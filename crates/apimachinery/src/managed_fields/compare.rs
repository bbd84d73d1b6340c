//! What differs between two objects, path by path.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{FieldSet, element, merge::items};
use crate::definition::{Ownership, Type};

/// The paths that differ.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) added: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) removed: FieldSet,
}

/// What changes from `old` to `new`, two objects of the type `ty`.
pub(super) fn compare(old: &Value, new: &Value, ty: Type) -> Changes {
    let mut walk = Walk {
        path: Vec::new(),
        changes: Changes::default(),
    };
    walk.value(Some(old), Some(new), ty);
    walk.changes
}

/// The place in both objects, and what was found so far.
struct Walk {
    path: Vec<String>,
    changes: Changes,
}

/// Items of a list by their path element; several where a list repeats one.
type Items<'v> = BTreeMap<String, Vec<&'v Value>>;

// === impl Changes ===

impl Changes {
    /// What is there now and was not, or was different.
    pub(super) fn added_and_modified(&self) -> FieldSet {
        let mut set = self.added.clone();
        set.extend(&self.modified);
        set
    }

    /// Leaves out the field called `name`.
    pub(super) fn exclude(&mut self, name: &str) {
        for set in [&mut self.added, &mut self.modified, &mut self.removed] {
            set.exclude(name);
        }
    }
}

// === impl Walk ===

impl Walk {
    fn value(&mut self, old: Option<&Value>, new: Option<&Value>, ty: Type) {
        let is_leaf = match ty.ownership() {
            Ownership::Whole => true,
            Ownership::Entries => self.maps(old, new, ty),
            Ownership::Values | Ownership::Keyed(_) => self.lists(old, new, ty),
        };
        match (old, new) {
            (None, Some(_)) => self.changes.added.insert(&self.path),
            (Some(_), None) => self.changes.removed.insert(&self.path),
            (Some(old), Some(new)) if is_leaf && old != new => {
                self.changes.modified.insert(&self.path);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Goes into two maps; says whether they are to be taken as a whole: both are empty.
    fn maps(&mut self, old: Option<&Value>, new: Option<&Value>, ty: Type) -> bool {
        let none = Map::new();
        let old = old.and_then(Value::as_object).unwrap_or(&none);
        let new = new.and_then(Value::as_object).unwrap_or(&none);
        let added = new.keys().filter(|name| !old.contains_key(*name));
        for name in old.keys().chain(added) {
            self.path.push(element::field(name));
            let ty = ty.entry(name).unwrap_or(Type::Any);
            self.value(old.get(name), new.get(name), ty);
            self.path.pop();
        }
        old.is_empty() && new.is_empty()
    }

    /// Goes into two lists; says whether they are to be taken as a whole: both are empty.
    fn lists(&mut self, old: Option<&Value>, new: Option<&Value>, ty: Type) -> bool {
        let (old, new) = (by_element(old, ty), by_element(new, ty));
        let added = new.keys().filter(|name| !old.contains_key(*name));
        let ty = ty.item();
        for name in old.keys().chain(added) {
            self.path.push(name.clone());
            match (
                old.get(name).map(Vec::as_slice),
                new.get(name).map(Vec::as_slice),
            ) {
                (Some([old]), Some([new])) => self.value(Some(old), Some(new), ty),
                // An item that is there more than once is owned as a whole.
                (Some([old]), new) => {
                    self.value(Some(old), None, ty);
                    if new.is_some() {
                        self.changes.added.insert(&self.path);
                    }
                }
                (old, Some([new])) => {
                    self.value(None, Some(new), ty);
                    if old.is_some() {
                        self.changes.removed.insert(&self.path);
                    }
                }
                (None, _) => self.changes.added.insert(&self.path),
                (_, None) => self.changes.removed.insert(&self.path),
                (old, new) if old != new => self.changes.modified.insert(&self.path),
                _ => {}
            }
            self.path.pop();
        }
        old.is_empty() && new.is_empty()
    }
}

fn by_element(list: Option<&Value>, ty: Type) -> Items<'_> {
    let mut by_element = Items::new();
    for (element, item) in items(list, ty) {
        by_element.entry(element).or_default().push(item);
    }
    by_element
}
