//! What a cluster is to be: how it is reached, where it stands, what it refuses and how it is sized.

use std::collections::BTreeMap;

use fleetgate_apimachinery::meta::{Time, null_default};
use serde::{Deserialize, Serialize};

use super::is_zero;
use crate::Quantity;

/// `spec.syncMode`: the host writes to the cluster.
pub const PUSH: &str = "Push";
/// `spec.syncMode`: an agent in the cluster reads from the host.
pub const PULL: &str = "Pull";
/// Taint effect: nothing new is placed there.
pub const NO_SCHEDULE: &str = "NoSchedule";
/// Taint effect: what is placed there is taken away.
pub const NO_EXECUTE: &str = "NoExecute";

/// `spec` of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSpec {
    /// The member's own id, e.g. the uid of its namespace kube-system.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub id: String,
    /// [`PUSH`] or [`PULL`]; always written.
    #[serde(deserialize_with = "null_default")]
    pub sync_mode: String,
    /// URL of the member's API server, perhaps with a path.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub api_endpoint: String,
    /// The secret with the member's `token` and `caBundle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalSecretReference>,
    /// The secret with the `token` that may impersonate at the member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impersonator_secret_ref: Option<LocalSecretReference>,
    /// Whether the member's certificate goes unverified.
    #[serde(
        rename = "insecureSkipTLSVerification",
        skip_serializing_if = "is_zero",
        deserialize_with = "null_default"
    )]
    pub insecure_skip_tls_verification: bool,
    /// URL of the forward proxy in front of the member: http, https or socks5.
    #[serde(
        rename = "proxyURL",
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub proxy_url: String,
    /// Headers for the forward proxy; a value is a list, separated by commas.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_default"
    )]
    pub proxy_header: BTreeMap<String, String>,
    /// The member's cloud provider.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub provider: String,
    /// The member's region.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub region: String,
    /// The member's zone; deprecated, moved to `zones` when it is written.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub zone: String,
    /// The member's zones.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_default"
    )]
    pub zones: Vec<String>,
    /// What the member does not take, unless tolerated.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_default"
    )]
    pub taints: Vec<Taint>,
    /// Grades of nodes by their resources, smallest first.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_default"
    )]
    pub resource_models: Vec<ResourceModel>,
}

/// A reference to a secret at the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalSecretReference {
    /// The secret's namespace.
    #[serde(deserialize_with = "null_default")]
    pub namespace: String,
    /// The secret's name.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
}

/// `core/v1` `Taint`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Taint {
    /// A qualified label name.
    #[serde(deserialize_with = "null_default")]
    pub key: String,
    /// A label value.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_default"
    )]
    pub value: String,
    /// [`NO_SCHEDULE`] or [`NO_EXECUTE`].
    #[serde(deserialize_with = "null_default")]
    pub effect: String,
    /// Since when; for [`NO_EXECUTE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_added: Option<Time>,
}

/// One grade of nodes.
#[derive(Clone, Debug, Default, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceModel {
    /// The grade; the smallest nodes have the lowest.
    #[serde(deserialize_with = "null_default")]
    pub grade: u64,
    /// What a node of this grade has, one entry a resource. Go tells nothing from an empty list, and
    /// stores it as `null`.
    pub ranges: Option<Vec<ResourceModelRange>>,
}

/// How much of one resource a node of a grade has: at least `min`, less than `max`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceModelRange {
    /// The resource, e.g. `cpu`.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// The least amount.
    #[serde(deserialize_with = "null_default")]
    pub min: Quantity,
    /// The amount from which on the next grade begins.
    #[serde(deserialize_with = "null_default")]
    pub max: Quantity,
}

// === impl ResourceModel ===

impl PartialEq for ResourceModel {
    /// What it means, as Kubernetes compares: nothing is as an empty list.
    fn eq(&self, other: &Self) -> bool {
        let ranges = self.ranges.as_deref().unwrap_or_default();
        self.grade == other.grade && ranges == other.ranges.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceModel;

    #[track_caller]
    fn check(stored: &str, want: &str) {
        let model: ResourceModel = serde_json::from_str(stored).expect("a model");
        assert_eq!(serde_json::to_string(&model).expect("serializes"), want);
    }

    #[test]
    fn nothing_is_not_an_empty_list() {
        check(r#"{"grade":1}"#, r#"{"grade":1,"ranges":null}"#);
        check(r#"{"ranges":null}"#, r#"{"grade":0,"ranges":null}"#);
        check(r#"{"ranges":[]}"#, r#"{"grade":0,"ranges":[]}"#);
    }
}
