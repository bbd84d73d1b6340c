//! Objects as the store keeps them and as clients read them.

mod forms;
mod unknown;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fleetgate_apimachinery::json;
use fleetgate_storage::{KeyValue, ValueState, encryption::Unreadable};

pub use self::forms::Form;
use self::{forms::Forms, unknown::Unknown};
use crate::{
    Object,
    strategy::{ItemKeys, Names},
};

/// What stands before the JSON of an object in the event that adds it, and what behind it.
const ADDED: &str = "{\"type\":\"ADDED\",\"object\":";
const END: &str = "}\n";

/// An object at one revision of the store, with its JSON, written once and shared by all readers.
#[derive(Debug)]
pub struct Stored<O> {
    object: O,
    revision: i64,
    names: &'static Names,
    /// [`ADDED`], the JSON, and [`END`].
    line: OnceLock<Bytes>,
    forms: Forms,
    /// How the value is kept.
    state: ValueState,
    /// What the stored value has besides.
    unknown: Option<Box<Unknown>>,
}

/// A value in the store that is no such object.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("cannot read the value at {key}, revision {revision}")]
    Json {
        key: String,
        revision: i64,
        source: serde_json::Error,
    },
    /// It cannot be decrypted.
    #[error("unable to transform key {key:?}")]
    Unreadable { key: String, source: Unreadable },
}

/// `object` as it is stored: with its type, without its resource version, and with a line feed.
///
/// # Errors
/// If the object cannot be written as JSON.
pub(crate) fn encode<O: Object>(object: &O, names: &Names) -> serde_json::Result<Bytes> {
    let mut object = object.clone();
    object.set_type(names.kind, names.api_version);
    let metadata = object.metadata_mut();
    metadata.resource_version.clear();
    metadata.self_link.clear();
    let mut bytes = json::to_vec(&object)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

/// Reads what the store keeps.
pub(crate) fn decode<O: Object>(
    kv: &KeyValue,
    names: &'static Names,
) -> Result<Arc<Stored<O>>, DecodeError> {
    if let ValueState::Unreadable(reason) = &kv.state {
        return Err(DecodeError::Unreadable {
            key: kv.key.clone(),
            source: reason.clone(),
        });
    }
    let (object, unknown) = unknown::read(&kv.value).map_err(|source| DecodeError::Json {
        key: kv.key.clone(),
        revision: kv.mod_revision,
        source,
    })?;
    Ok(Arc::new(Stored {
        state: kv.state.clone(),
        unknown,
        ..Stored::new(object, kv.mod_revision, names)
    }))
}

// === impl Stored ===

impl<O: Object> Stored<O> {
    /// `object` as of `revision`; 0 is a revision that was never stored.
    pub(crate) fn new(mut object: O, revision: i64, names: &'static Names) -> Self {
        object.set_type(names.kind, names.api_version);
        object.metadata_mut().resource_version = match revision {
            0 => String::new(),
            revision => revision.to_string(),
        };
        Self {
            object,
            revision,
            names,
            line: OnceLock::new(),
            forms: Forms::new(),
            state: ValueState::Current,
            unknown: None,
        }
    }

    /// Whether this was read from `kv`, or from one that is the same.
    pub(crate) fn is_of(&self, kv: &KeyValue) -> bool {
        self.revision == kv.mod_revision && self.state == kv.state
    }

    /// Whether the value is to be written anew, even if nothing changes.
    pub(crate) fn is_stale(&self) -> bool {
        self.state == ValueState::Stale
    }

    /// `next`, which this object becomes, as it is stored: with the fields of the stored value that
    /// the type does not have. Items of lists are told apart by `keys`.
    ///
    /// # Errors
    /// If the object cannot be written as JSON.
    pub(crate) fn encode_next(&self, next: &O, keys: ItemKeys) -> serde_json::Result<Bytes> {
        let known = encode(next, self.names)?;
        match &self.unknown {
            Some(unknown) => unknown.keep_in(&known, keys),
            None => Ok(known),
        }
    }

    /// The same object as of another revision, as in the event of its deletion.
    pub(crate) fn at(&self, revision: i64) -> Self {
        Self::new(self.object.clone(), revision, self.names)
    }

    /// The object, with `kind`, `apiVersion` and `metadata.resourceVersion`.
    pub const fn object(&self) -> &O {
        &self.object
    }

    /// `metadata.resourceVersion` as a number; 0 for an object that was never stored.
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        &self.object.metadata().name
    }

    /// The object as compact JSON, as it stands in answers and events.
    pub fn json(&self) -> Bytes {
        let line = self.added_line();
        line.slice(ADDED.len()..line.len() - END.len())
    }

    /// The event that adds the object, as a line of JSON: what every watch may begin with.
    pub fn added_line(&self) -> Bytes {
        let write = || {
            let json = json::to_vec(&self.object).unwrap_or_default();
            Bytes::from([ADDED.as_bytes(), &json, END.as_bytes()].concat())
        };
        self.line.get_or_init(write).clone()
    }

    /// The object in the form that the caller calls `form`, as `make` makes it. As long as the
    /// object is news to those who watch, it is made once and shared.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn in_form<E>(
        &self,
        form: Form,
        make: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        self.forms.get_or_make(form, make)
    }

    /// The object is no news any more.
    pub(crate) fn forget_forms(&self) {
        self.forms.forget();
    }

    /// The JSON of the object as an item of a list, without the opening brace: there, neither
    /// `kind` nor `apiVersion` is written.
    pub fn item_json_after_brace(&self) -> Bytes {
        let Names {
            kind, api_version, ..
        } = self.names;
        let types = format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","#).len();
        let json = self.json();
        json.slice(types.min(json.len())..)
    }
}

#[cfg(test)]
mod tests {
    use fleetgate_api::Cluster;
    use fleetgate_storage::ValueState;

    use super::{Stored, decode, encode};
    use crate::{Object, cluster::CLUSTERS};

    fn kv(value: &str) -> fleetgate_storage::KeyValue {
        fleetgate_storage::KeyValue {
            key: "/registry/x".to_owned(),
            value: value.to_owned().into(),
            create_revision: 3,
            mod_revision: 7,
            version: 1,
            state: ValueState::Current,
        }
    }

    const VALUE: &str = concat!(
        r#"{"kind":"Cluster","apiVersion":"cluster.karmada.io/v1alpha1","metadata":{"name":"a"},"#,
        r#""spec":{"syncMode":"Push"},"status":{}}"#,
        "\n"
    );

    #[test]
    fn the_resource_version_is_served_and_not_stored() {
        let stored = decode::<Cluster>(&kv(VALUE), &CLUSTERS).expect("a cluster");
        assert_eq!(stored.object().metadata().resource_version, "7");
        assert_eq!(stored.revision(), 7);
        assert!(
            stored
                .json()
                .windows(20)
                .any(|part| part == br#""resourceVersion":"7"#)
        );
        let again = encode(stored.object(), &CLUSTERS).expect("a cluster serializes");
        assert_eq!(again, VALUE);
    }

    #[test]
    fn an_item_is_the_object_without_its_type() {
        let stored = Stored::new(Cluster::default(), 1, &CLUSTERS);
        let item = stored.item_json_after_brace();
        let want = r#""metadata":{"resourceVersion":"1"},"spec":{"syncMode":""},"status":{}}"#;
        assert_eq!(item, want);
    }

    #[test]
    fn what_is_no_object_is_told_with_its_key() {
        let error = decode::<Cluster>(&kv("k8s:enc:…"), &CLUSTERS).expect_err("no JSON");
        assert_eq!(
            error.to_string(),
            "cannot read the value at /registry/x, revision 7"
        );
    }
}
