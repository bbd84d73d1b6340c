//! What a kind of object brings along: its names, its shape and its rules.

use std::fmt::Debug;

use fleetgate_apimachinery::{
    definition::Definition,
    field::FieldError,
    meta::{ObjectMeta, Time},
    schema::{GroupKind, GroupResource},
};
use serde::{Serialize, de::DeserializeOwned};

/// An object of the API, with Kubernetes' metadata.
///
/// Serializes `kind` and `apiVersion` first; its default is what a bookmark carries.
pub trait Object:
    Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// The metadata, to be changed.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
    /// Sets `kind` and `apiVersion`.
    fn set_type(&mut self, kind: &str, api_version: &str);
}

/// What a kind is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// API group, e.g. `cluster.karmada.io`.
    pub group: &'static str,
    /// Group and version, e.g. `cluster.karmada.io/v1alpha1`.
    pub api_version: &'static str,
    /// Kind, e.g. `Cluster`.
    pub kind: &'static str,
    /// Kind of a list, e.g. `ClusterList`.
    pub list_kind: &'static str,
    /// Plural name, e.g. `clusters`.
    pub resource: &'static str,
}

/// For each list of a kind, by its path (`spec.taints`), the fields of an item that tell it from the
/// others.
pub type ItemKeys = &'static [(&'static str, &'static [&'static str])];

/// The rules of one cluster-scoped kind. A second kind is another implementation.
///
/// A write goes through `prepare…`, then `validate…`, then `canonicalize`, then to the store.
pub trait Strategy: Debug + Send + Sync + 'static {
    /// The objects.
    type Object: Object;

    /// What they are called.
    fn names(&self) -> &'static Names;

    /// Their type.
    fn definition(&self) -> &'static Definition;

    /// What tells items of lists apart. By this, a field of an item that is in the store and that the
    /// type does not have finds its item again when the object is written.
    fn item_keys(&self) -> ItemKeys {
        &[]
    }

    /// What is wrong with a new object.
    fn validate(&self, object: &Self::Object) -> Vec<FieldError>;

    /// What is wrong with an object as the new state of `old`.
    fn validate_update(&self, object: &Self::Object, old: &Self::Object) -> Vec<FieldError>;

    /// Sets what the caller of a create may not, and defaults.
    fn prepare_for_create(&self, object: &mut Self::Object) {
        object.metadata_mut().generation = 1;
    }

    /// Undoes what the caller of an update may not change, and moves the generation, which is that
    /// of `old` until then.
    fn prepare_for_update(&self, _object: &mut Self::Object, _old: &Self::Object) {}

    /// What whoever wrote an object is warned of, beside what is wrong with it.
    fn warnings(&self, _object: &Self::Object) -> Vec<String> {
        Vec::new()
    }

    /// Brings a valid object into the form in which it is stored.
    fn canonicalize(&self, _object: &mut Self::Object, _now: Time) {}

    /// Moves the status of `from` into `object`: all that a write to the subresource `status` may
    /// change. Nothing for a kind without status.
    fn take_status(&self, _object: &mut Self::Object, _from: Self::Object) {}

    /// What is wrong with the status of an object.
    fn validate_status(&self, _object: &Self::Object) -> Vec<FieldError> {
        Vec::new()
    }
}

// === impl Names ===

impl Names {
    /// Group and resource.
    pub const fn group_resource(&self) -> GroupResource<'static> {
        GroupResource {
            group: self.group,
            resource: self.resource,
        }
    }

    /// Group and kind.
    pub const fn group_kind(&self) -> GroupKind<'static> {
        GroupKind {
            group: self.group,
            kind: self.kind,
        }
    }
}
