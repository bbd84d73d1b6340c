//! The `Cluster` object and its parts, with fields in the order in which Go writes them.

mod spec;
mod status;

use fleetgate_apimachinery::meta::{ListMeta, ObjectMeta, null_default};
use serde::{Deserialize, Serialize};

pub use spec::{
    ClusterSpec, LocalSecretReference, NO_EXECUTE, NO_SCHEDULE, PULL, PUSH, ResourceModel,
    ResourceModelRange, Taint,
};
pub use status::{
    AllocatableModeling, ApiEnablement, ApiResource, ClusterStatus, Condition, NodeSummary, READY,
    ResourceList, ResourceSummary,
};

/// The API group.
pub const GROUP: &str = "cluster.karmada.io";
/// The API version within [`GROUP`].
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of every object of this crate.
pub const API_VERSION: &str = "cluster.karmada.io/v1alpha1";
/// `kind` of a [`Cluster`].
pub const KIND: &str = "Cluster";
/// `kind` of a list of clusters.
pub const LIST_KIND: &str = "ClusterList";
/// The resource (plural) name of clusters.
pub const RESOURCE: &str = "clusters";
/// The singular name of the resource.
pub const SINGULAR: &str = "cluster";

/// A member cluster, registered at the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cluster {
    /// `Cluster`; empty within a list.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub kind: String,
    /// `cluster.karmada.io/v1alpha1`; empty within a list.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub api_version: String,
    /// The object's metadata; cluster-scoped, so without namespace.
    #[serde(deserialize_with = "null_default")]
    pub metadata: ObjectMeta,
    /// What the cluster is to be.
    #[serde(deserialize_with = "null_default")]
    pub spec: ClusterSpec,
    /// What was seen of the cluster. Never null: `{}` where nothing was.
    #[serde(deserialize_with = "null_default")]
    pub status: ClusterStatus,
}

/// A list of clusters; its items carry neither `kind` nor `apiVersion`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterList {
    /// `ClusterList`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// `cluster.karmada.io/v1alpha1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// The list's metadata.
    pub metadata: ListMeta,
    /// The clusters, by name.
    #[serde(deserialize_with = "null_default")]
    pub items: Vec<Cluster>,
}

/// Whether a field of this type is left out as Go's `omitempty` leaves out zero values.
fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::Cluster;

    #[test]
    fn an_empty_cluster_has_a_mode_and_a_status() {
        let json = serde_json::to_string(&Cluster::default()).expect("a cluster serializes");
        assert_eq!(
            json,
            r#"{"metadata":{},"spec":{"syncMode":""},"status":{}}"#
        );
        let nulls = r#"{"metadata":null,"spec":{"zones":null,"region":null},"status":null}"#;
        let read: Cluster = serde_json::from_str(nulls).expect("null is nothing");
        assert_eq!(read, Cluster::default());
    }
}
