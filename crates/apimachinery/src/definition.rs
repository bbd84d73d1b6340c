//! What the types of the API are: their fields, how lists and maps are owned and patched, and what
//! is said of them.
//!
//! A [`Definition`] is written once for a type, by hand, beside the Rust type that serializes it.
//! Field validation, field ownership (`managedFields`), strategic merge patch and the OpenAPI
//! documents all read it.

mod discovery;
mod exchange;
mod go_type;
mod meta;

use crate::schema::GroupVersionKind;

pub use self::{
    discovery::{API_GROUP, API_GROUP_LIST, API_RESOURCE_LIST, VERSION_INFO},
    exchange::{DELETE_OPTIONS, PATCH, STATUS, WATCH_EVENT},
    meta::{
        CONDITION, FIELDS_V1, LIST_META, MANAGED_FIELDS_ENTRY, OBJECT_META, OWNER_REFERENCE,
        SHARD_INFO, TIME,
    },
};

/// What `apiVersion` says, for `kubectl explain`.
pub const API_VERSION: &str = "Group and version of the type.";
/// What `kind` says, for `kubectl explain`.
pub const KIND: &str = "Name of the type.";

/// A type with a name of its own, as the OpenAPI documents list it.
#[derive(Debug)]
pub struct Definition {
    /// The name, e.g. `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta`.
    pub name: &'static str,
    /// What it is, for `kubectl explain`.
    pub doc: &'static str,
    /// What a value is like.
    pub shape: Shape,
    /// The kinds whose objects are of this type; none for parts of objects.
    pub kinds: &'static [GroupVersionKind<'static>],
}

/// What a value of a [`Definition`] is like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// An object with these fields and no others, owned field by field.
    Object(&'static [Field]),
    /// An object with these fields and no others, owned as a whole
    /// (`x-kubernetes-map-type: atomic`).
    AtomicObject(&'static [Field]),
    /// Any object at all, its fields not known.
    Opaque,
    /// A string, with the `format` of OpenAPI if it has one.
    String {
        /// E.g. `date-time`.
        format: Option<&'static str>,
        /// Whether a number is taken for it too.
        takes_numbers: bool,
    },
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// What it says, for `kubectl explain`.
    pub doc: &'static str,
    /// Whether it must be there.
    pub is_required: bool,
    /// Whether an object of its type is there even if nothing was said of it: a struct in Go, not a
    /// pointer to one.
    pub is_embedded: bool,
    /// What Go calls its type, if that has a name of its own: `v1.TaintEffect`.
    pub go: Option<&'static str>,
}

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Any JSON at all, its fields not known.
    Any,
    /// `true` or `false`.
    Boolean,
    /// A number of 32 bits.
    Int32,
    /// A number of 64 bits.
    Int64,
    /// Text.
    String,
    /// One of these texts.
    Enum(&'static [&'static str]),
    /// A type with a name.
    Named(&'static Definition),
    /// A list.
    List(&'static List),
    /// A map from text to values of one type, owned key by key.
    Map(&'static Self),
}

/// The type of a list.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The type of its items.
    pub item: Type,
    /// How items are told apart and owned (`x-kubernetes-list-type`).
    pub kind: ListKind,
    /// What a strategic merge patch does to it (`x-kubernetes-patch-strategy`).
    pub patch: PatchStrategy,
}

/// How the items of a list are owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// As a whole, because nothing else is said.
    Unspecified,
    /// As a whole.
    Atomic,
    /// One by one, each known by its value.
    Set,
    /// One by one, each known by the values of these fields.
    Map(&'static [&'static str]),
}

/// What a strategic merge patch does to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchStrategy {
    /// The list of the patch takes its place.
    Replace,
    /// Scalars are added to it.
    Merge,
    /// Objects are merged into those with the same value of this field
    /// (`x-kubernetes-patch-merge-key`).
    MergeBy(&'static str),
}

/// How a value is owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// As a whole.
    Whole,
    /// Field by field, or key by key.
    Entries,
    /// Item by item, each known by its value.
    Values,
    /// Item by item, each known by the values of these fields.
    Keyed(&'static [&'static str]),
}

/// A kind of the core group, `v1`.
const fn v1(kind: &'static str) -> GroupVersionKind<'static> {
    GroupVersionKind {
        group: "",
        version: "v1",
        kind,
    }
}

// === impl Definition ===

impl Definition {
    /// An object that is owned field by field.
    pub const fn object(name: &'static str, doc: &'static str, fields: &'static [Field]) -> Self {
        Self {
            name,
            doc,
            shape: Shape::Object(fields),
            kinds: &[],
        }
    }

    /// The same type, as that of objects of these `kinds`.
    #[must_use]
    pub const fn of(self, kinds: &'static [GroupVersionKind<'static>]) -> Self {
        Self { kinds, ..self }
    }

    /// The fields; none for a type whose fields are not known.
    pub const fn fields(&self) -> &'static [Field] {
        match self.shape {
            Shape::Object(fields) | Shape::AtomicObject(fields) => fields,
            Shape::Opaque | Shape::String { .. } => &[],
        }
    }
}

// === impl Field ===

impl Field {
    /// A field that may be missing.
    pub const fn optional(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Self {
            name,
            ty,
            doc,
            is_required: false,
            is_embedded: false,
            go: None,
        }
    }

    /// A field that must be there.
    pub const fn required(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Self {
            is_required: true,
            ..Self::optional(name, ty, doc)
        }
    }

    /// The same field, with an object that is there even if nothing was said of it.
    #[must_use]
    pub const fn embedded(self) -> Self {
        Self {
            is_embedded: true,
            ..self
        }
    }
}

// === impl Type ===

impl Type {
    /// How a value of this type is owned.
    pub const fn ownership(self) -> Ownership {
        match self {
            Self::Named(Definition {
                shape: Shape::Object(_),
                ..
            })
            | Self::Map(_) => Ownership::Entries,
            Self::List(list) => match list.kind {
                ListKind::Unspecified | ListKind::Atomic => Ownership::Whole,
                ListKind::Set => Ownership::Values,
                ListKind::Map(keys) => Ownership::Keyed(keys),
            },
            Self::Any
            | Self::Boolean
            | Self::Int32
            | Self::Int64
            | Self::String
            | Self::Enum(_)
            | Self::Named(_) => Ownership::Whole,
        }
    }

    /// The type of the entry called `name`; nothing where there is no such field.
    pub fn entry(self, name: &str) -> Option<Self> {
        match self {
            Self::Named(definition) => match definition.shape {
                Shape::Object(fields) | Shape::AtomicObject(fields) => {
                    let field = fields.iter().find(|field| field.name == name)?;
                    Some(field.ty)
                }
                Shape::Opaque | Shape::String { .. } => Some(Self::Any),
            },
            Self::Map(value) => Some(*value),
            Self::Any
            | Self::Boolean
            | Self::Int32
            | Self::Int64
            | Self::String
            | Self::Enum(_) => Some(Self::Any),
            Self::List(_) => None,
        }
    }

    /// The type of items.
    pub const fn item(self) -> Self {
        match self {
            Self::List(list) => list.item,
            Self::Any
            | Self::Boolean
            | Self::Int32
            | Self::Int64
            | Self::String
            | Self::Enum(_)
            | Self::Named(_)
            | Self::Map(_) => Self::Any,
        }
    }
}

// === impl List ===

impl List {
    /// A list of which nothing is said but what its items are: owned and patched as a whole.
    pub const fn of(item: Type) -> Self {
        Self {
            item,
            kind: ListKind::Unspecified,
            patch: PatchStrategy::Replace,
        }
    }

    /// A list that is said to be owned as a whole.
    pub const fn atomic(item: Type) -> Self {
        Self {
            kind: ListKind::Atomic,
            ..Self::of(item)
        }
    }
}
