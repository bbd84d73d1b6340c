//! Sets of field paths, written as `fieldsV1`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::element;
use crate::definition::{Ownership, Type};

/// A set of paths. A path is a row of elements in their written form: `f:name`, `k:{"uid":"1"}`,
/// `v:"x"`. A path and the longer ones that begin with it are in the set each for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet(BTreeMap<String, Node>);

/// Never owned by anybody.
const UNOWNED: [&[&str]; 11] = [
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "creationTimestamp"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "resourceVersion"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    /// Whether the path that ends here is in the set.
    is_member: bool,
    /// The longer paths.
    children: FieldSet,
}

// === impl FieldSet ===

impl FieldSet {
    /// Whether no path is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds `path`.
    pub fn insert(&mut self, path: &[String]) {
        let Some((last, parents)) = path.split_last() else {
            return;
        };
        let mut set = self;
        for element in parents {
            set = &mut set.0.entry(element.clone()).or_default().children;
        }
        set.0.entry(last.clone()).or_default().is_member = true;
    }

    /// Takes out the path of fields with these `names`, not the longer ones.
    pub fn remove(&mut self, names: &[&str]) {
        let Some((first, rest)) = names.split_first() else {
            return;
        };
        let element = element::field(first);
        let Some(node) = self.0.get_mut(&element) else {
            return;
        };
        if rest.is_empty() {
            node.is_member = false;
        } else {
            node.children.remove(rest);
        }
        if node.is_empty() {
            self.0.remove(&element);
        }
    }

    /// Takes out the paths that nobody is said to own.
    pub(super) fn strip(&mut self) {
        for path in UNOWNED {
            self.remove(path);
        }
    }

    /// Takes out the field called `name` with all that it holds.
    pub fn exclude(&mut self, name: &str) {
        self.0.remove(&element::field(name));
    }

    /// Adds what is in `other`.
    pub fn extend(&mut self, other: &Self) {
        for (element, theirs) in &other.0 {
            let ours = self.0.entry(element.clone()).or_default();
            ours.is_member |= theirs.is_member;
            ours.children.extend(&theirs.children);
        }
    }

    /// Takes out what is in `other`.
    pub fn subtract(&mut self, other: &Self) {
        self.0.retain(|element, ours| {
            if let Some(theirs) = other.0.get(element) {
                ours.is_member &= !theirs.is_member;
                ours.children.subtract(&theirs.children);
            }
            !ours.is_empty()
        });
    }

    /// What is in `other` too.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let common = self.0.iter().filter_map(|(element, ours)| {
            let theirs = other.0.get(element)?;
            let node = Node {
                is_member: ours.is_member && theirs.is_member,
                children: ours.children.intersection(&theirs.children),
            };
            (!node.is_empty()).then(|| (element.clone(), node))
        });
        Self(common.collect())
    }

    /// Whether the path of one `element` is in the set.
    pub(super) fn has(&self, element: &str) -> bool {
        self.0.get(element).is_some_and(|node| node.is_member)
    }

    /// The paths that begin with `element`, without it; nothing if there are none.
    pub(super) fn below(&self, element: &str) -> Option<&Self> {
        let children = &self.0.get(element)?.children;
        (!children.is_empty()).then_some(children)
    }

    /// The set with the fields of objects that its paths lead through. That a field is there
    /// follows from what is in it, so nobody is said to own it.
    #[must_use]
    pub(super) fn with_fields(&self, ty: Option<Type>) -> Self {
        let nodes = self.0.iter().map(|(element, node)| {
            let is_field = element::name(element).is_some_and(|name| is_declared(ty, name));
            let node = Node {
                is_member: node.is_member || (is_field && !node.children.is_empty()),
                children: node.children.with_fields(below(ty, element)),
            };
            (element.clone(), node)
        });
        Self(nodes.collect())
    }

    /// The set without what is below a place that is owned as a whole; the place itself is in it
    /// instead. What was noted before its type was made such may be there.
    #[must_use]
    pub(super) fn settled(&self, ty: Type) -> Self {
        let nodes = self.0.iter().map(|(element, node)| {
            let ty = below(Some(ty), element);
            let is_whole =
                ty.is_some_and(|ty| is_container(ty) && ty.ownership() == Ownership::Whole);
            let node = match ty {
                Some(_) if is_whole => Node {
                    is_member: true,
                    children: Self::default(),
                },
                Some(ty) => Node {
                    is_member: node.is_member,
                    children: node.children.settled(ty),
                },
                None => node.clone(),
            };
            (element.clone(), node)
        });
        Self(nodes.collect())
    }

    /// The paths as messages show them, shorter ones first at each level.
    pub fn shown(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.show("", &mut paths);
        paths
    }

    fn show(&self, prefix: &str, paths: &mut Vec<String>) {
        let members = self.0.iter().filter(|(_, node)| node.is_member);
        paths.extend(members.map(|(element, _)| format!("{prefix}{}", element::shown(element))));
        for (element, node) in &self.0 {
            let prefix = format!("{prefix}{}", element::shown(element));
            node.children.show(&prefix, paths);
        }
    }

    /// The set as `fieldsV1`.
    pub fn to_value(&self) -> Value {
        let members = self.0.iter().map(|(element, node)| {
            let mut value = node.children.to_value();
            if let (true, Some(map)) = (
                node.is_member && !node.children.is_empty(),
                value.as_object_mut(),
            ) {
                map.insert(".".to_owned(), Value::Object(Map::new()));
            }
            (element.clone(), value)
        });
        Value::Object(members.collect())
    }

    /// Reads `fieldsV1`; nothing if it has another form. Elements of kinds that are not known are
    /// left out.
    pub fn from_value(value: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (element, below) in value.as_object()? {
            if element == "." {
                continue;
            }
            let Some(element) = element::read(element).ok()? else {
                continue;
            };
            let children = Self::from_value(below)?;
            let is_member = below.get(".").is_some() || children.is_empty();
            set.0.insert(
                element,
                Node {
                    is_member,
                    children,
                },
            );
        }
        Some(set)
    }
}

// === impl Node ===

impl Node {
    fn is_empty(&self) -> bool {
        !self.is_member && self.children.is_empty()
    }
}

/// Whether `ty` is an object with a field called `name`.
fn is_declared(ty: Option<Type>, name: &str) -> bool {
    match ty {
        Some(Type::Named(definition)) => definition.fields().iter().any(|field| field.name == name),
        Some(_) | None => false,
    }
}

/// Whether values of `ty` hold others that are described.
fn is_container(ty: Type) -> bool {
    match ty {
        Type::Named(definition) => !definition.fields().is_empty(),
        Type::List(_) | Type::Map(_) => true,
        Type::Any | Type::Boolean | Type::Int32 | Type::Int64 | Type::String | Type::Enum(_) => {
            false
        }
    }
}

/// The type of what `element` leads to in a value of `ty`.
fn below(ty: Option<Type>, element: &str) -> Option<Type> {
    let ty = ty?;
    match element::name(element) {
        Some(name) => ty.entry(name),
        None => match ty {
            Type::List(list) => Some(list.item),
            Type::Any
            | Type::Boolean
            | Type::Int32
            | Type::Int64
            | Type::String
            | Type::Enum(_)
            | Type::Named(_)
            | Type::Map(_) => None,
        },
    }
}
