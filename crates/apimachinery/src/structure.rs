//! What a kind's fields are: which there are, and how they are owned.

/// The type of a value, as far as decoding and ownership need it.
#[derive(Clone, Copy, Debug)]
pub enum Structure {
    /// A scalar, or any JSON at all: owned as a whole, its fields not known.
    Any,
    /// An object with these fields and no others, owned field by field.
    Fields(&'static [(&'static str, Self)]),
    /// A list of objects that are owned one by one, each known by the values of its `keys`.
    Keyed {
        /// The fields that tell items apart.
        keys: &'static [&'static str],
        /// What an item is like.
        item: &'static Self,
    },
    /// A list that is owned as a whole, with items like this.
    List(&'static Self),
    /// A map with values like this, owned key by key.
    Map(&'static Self),
    /// A list of scalars that are owned one by one.
    Set,
    /// What is within, owned as a whole.
    Whole(&'static Self),
}

/// `metav1.ObjectMeta`.
pub const OBJECT_META: Structure = Structure::Fields(&[
    ("annotations", Structure::Map(&Structure::Any)),
    ("creationTimestamp", Structure::Any),
    ("deletionGracePeriodSeconds", Structure::Any),
    ("deletionTimestamp", Structure::Any),
    ("finalizers", Structure::Set),
    ("generateName", Structure::Any),
    ("generation", Structure::Any),
    ("labels", Structure::Map(&Structure::Any)),
    ("managedFields", Structure::List(&MANAGED_FIELDS_ENTRY)),
    ("name", Structure::Any),
    ("namespace", Structure::Any),
    (
        "ownerReferences",
        Structure::Keyed {
            keys: &["uid"],
            item: &Structure::Whole(&OWNER_REFERENCE),
        },
    ),
    ("resourceVersion", Structure::Any),
    ("selfLink", Structure::Any),
    ("uid", Structure::Any),
]);

const OWNER_REFERENCE: Structure = Structure::Fields(&[
    ("apiVersion", Structure::Any),
    ("blockOwnerDeletion", Structure::Any),
    ("controller", Structure::Any),
    ("kind", Structure::Any),
    ("name", Structure::Any),
    ("uid", Structure::Any),
]);

const MANAGED_FIELDS_ENTRY: Structure = Structure::Fields(&[
    ("apiVersion", Structure::Any),
    ("fieldsType", Structure::Any),
    ("fieldsV1", Structure::Any),
    ("manager", Structure::Any),
    ("operation", Structure::Any),
    ("subresource", Structure::Any),
    ("time", Structure::Any),
]);

// === impl Structure ===

impl Structure {
    /// The type of the field called `name`; nothing where there is no such field.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Any => Some(&Self::Any),
            Self::Fields(fields) => fields
                .iter()
                .find(|(field, _)| *field == name)
                .map(|(_, structure)| structure),
            Self::Map(value) => Some(value),
            Self::Whole(inner) => inner.field(name),
            Self::Keyed { .. } | Self::List(_) | Self::Set => None,
        }
    }

    /// The type of items.
    pub fn item(&self) -> &Self {
        match self {
            Self::Keyed { item, .. } | Self::List(item) => item,
            Self::Whole(inner) => inner.item(),
            Self::Any | Self::Fields(_) | Self::Map(_) | Self::Set => &Self::Any,
        }
    }
}
