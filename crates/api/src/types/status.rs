//! What was seen of a cluster: version, health, APIs and sums of its resources.

use std::collections::BTreeMap;

use fleetgate_apimachinery::meta::{Time, null_default};
use serde::{Deserialize, Serialize};

use super::is_zero;
use crate::Quantity;

/// The condition that says whether the cluster can be reached and is healthy.
pub const READY: &str = "Ready";

/// Amounts by resource name (`core/v1` `ResourceList`).
pub type ResourceList = BTreeMap<String, Quantity>;

/// `status` of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterStatus {
    /// The member's version, e.g. `v1.36.3`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub kubernetes_version: String,
    /// The APIs that the member serves.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_default"
    )]
    pub api_enablements: Vec<ApiEnablement>,
    /// Conditions, [`READY`] among them.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_default"
    )]
    pub conditions: Vec<Condition>,
    /// The member's nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_summary: Option<NodeSummary>,
    /// The member's resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_summary: Option<ResourceSummary>,
    /// What the host does for the cluster while it is ill, e.g. `TrafficControl`.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_default"
    )]
    pub remedy_actions: Vec<String>,
}

/// The resources of one group and version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiEnablement {
    /// E.g. `apps/v1`.
    #[serde(deserialize_with = "null_default")]
    pub group_version: String,
    /// The resources.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_default"
    )]
    pub resources: Vec<ApiResource>,
}

/// One resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiResource {
    /// Plural name, e.g. `deployments`.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// Kind, e.g. `Deployment`.
    #[serde(deserialize_with = "null_default")]
    pub kind: String,
}

/// `metav1.Condition`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// The condition's type, e.g. [`READY`].
    #[serde(deserialize_with = "null_default")]
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    #[serde(deserialize_with = "null_default")]
    pub status: String,
    /// The generation that the condition was computed from.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_default")]
    pub observed_generation: i64,
    /// When `status` last changed; written as null where not known.
    pub last_transition_time: Option<Time>,
    /// Why, in one word.
    #[serde(deserialize_with = "null_default")]
    pub reason: String,
    /// Why, for people.
    #[serde(deserialize_with = "null_default")]
    pub message: String,
}

/// How many nodes a cluster has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSummary {
    /// All nodes.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_default")]
    pub total_num: i32,
    /// Nodes that are ready.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_default")]
    pub ready_num: i32,
}

/// What a cluster has, gives and has given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceSummary {
    /// What all nodes together can give.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_default"
    )]
    pub allocatable: ResourceList,
    /// What pods wait for.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_default"
    )]
    pub allocating: ResourceList,
    /// What pods have.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_default"
    )]
    pub allocated: ResourceList,
    /// Nodes by grade.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_default"
    )]
    pub allocatable_modelings: Vec<AllocatableModeling>,
}

/// How many nodes are of a grade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AllocatableModeling {
    /// The grade, as in `spec.resourceModels`.
    #[serde(deserialize_with = "null_default")]
    pub grade: u64,
    /// Nodes of that grade.
    #[serde(deserialize_with = "null_default")]
    pub count: i64,
}
