//! Sets of field paths, written as `fieldsV1`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A set of paths. A path is a row of elements in their written form: `f:name`, `k:{"uid":"1"}`,
/// `v:"x"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet(BTreeMap<String, Node>);

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
        let element = format!("f:{first}");
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

    /// Takes out the field called `name` with all that it holds.
    pub fn exclude(&mut self, name: &str) {
        self.0.remove(&format!("f:{name}"));
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

    /// Reads `fieldsV1`; nothing if it has another form.
    pub fn from_value(value: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (element, below) in value.as_object()? {
            if element == "." {
                continue;
            }
            let below = below.as_object()?;
            let children = Self::from_value(&Value::Object(below.clone()))?;
            let is_member = below.contains_key(".") || children.is_empty();
            set.0.insert(
                element.clone(),
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
