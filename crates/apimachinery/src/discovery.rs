//! What is served: groups, versions and resources, in the old documents and the aggregated ones.

mod aggregated;
mod protobuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{definition::Definition, openapi::Parameter, schema::GroupVersion};

pub use self::aggregated::{AggregatedDiscovery, AggregatedVersion};

/// A served group: its versions, the preferred one first.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Name, e.g. `cluster.karmada.io`.
    pub name: &'static str,
    /// Versions.
    pub versions: &'static [Version],
}

/// A served version.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// Name, e.g. `v1alpha1`.
    pub name: &'static str,
    /// Resources in the order of their names.
    pub resources: &'static [Resource],
}

/// A served resource.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// Plural name.
    pub name: &'static str,
    /// Singular name.
    pub singular: &'static str,
    /// Kind of its objects.
    pub kind: &'static str,
    /// What its objects are, for OpenAPI.
    pub object: &'static Definition,
    /// What lists of them are, for OpenAPI.
    pub list: &'static Definition,
    /// Verbs in the order of their names.
    pub verbs: &'static [&'static str],
    /// Subresources in the order of their names.
    pub subresources: &'static [Subresource],
}

/// A served subresource.
#[derive(Clone, Copy, Debug)]
pub struct Subresource {
    /// Name, e.g. `status`.
    pub name: &'static str,
    /// Kind of what is sent and answered.
    pub kind: &'static str,
    /// Verbs in the order of their names.
    pub verbs: &'static [&'static str],
    /// What is done with requests, for OpenAPI.
    pub serves: Serves,
}

/// What a subresource does with requests.
#[derive(Clone, Copy, Debug)]
pub enum Serves {
    /// It passes them on, whatever the method, and answers what comes back. These are its
    /// parameters in the query.
    Connect(&'static [Parameter]),
    /// It reads and writes a part of the object, and answers the object.
    Object,
}

/// `metav1.APIGroupList`. Karmada's has no `apiVersion`.
#[derive(Clone, Debug, Serialize)]
pub struct ApiGroupList {
    kind: &'static str,
    groups: Vec<ApiGroup>,
}

/// `metav1.APIGroup`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiGroup {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'static str>,
    name: &'static str,
    versions: Vec<GroupVersionForDiscovery>,
    preferred_version: Option<GroupVersionForDiscovery>,
    #[serde(
        rename = "serverAddressByClientCIDRs",
        skip_serializing_if = "Vec::is_empty"
    )]
    server_addresses: Vec<ServerAddress>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersionForDiscovery {
    group_version: String,
    version: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerAddress {
    #[serde(rename = "clientCIDR")]
    client_cidr: &'static str,
    server_address: String,
}

/// `metav1.APIResourceList`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiResourceList {
    kind: &'static str,
    api_version: &'static str,
    group_version: String,
    resources: Vec<ApiResource>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResource {
    name: String,
    singular_name: &'static str,
    namespaced: bool,
    kind: &'static str,
    verbs: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_version_hash: Option<String>,
}

/// The entity tag of a document: the same bytes have the same one.
pub fn etag(document: &[u8]) -> String {
    let hex: String = Sha256::digest(document)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    format!("\"{hex}\"")
}

// === impl Group ===

impl Group {
    /// The document of this group.
    pub fn document(&self) -> ApiGroup {
        ApiGroup {
            kind: Some("APIGroup"),
            api_version: Some("v1"),
            ..self.item()
        }
    }

    /// The document of `version`, if that is served.
    pub fn resources(&self, version: &str) -> Option<ApiResourceList> {
        let version = self.versions.iter().find(|served| served.name == version)?;
        let group_version = GroupVersion {
            group: self.name,
            version: version.name,
        };
        let entries = |resource: &Resource| {
            let main = ApiResource {
                name: resource.name.to_owned(),
                singular_name: resource.singular,
                namespaced: false,
                kind: resource.kind,
                verbs: resource.verbs,
                storage_version_hash: Some(storage_version_hash(group_version, resource.kind)),
            };
            let subresources = resource.subresources.iter().map(|subresource| ApiResource {
                name: format!("{}/{}", resource.name, subresource.name),
                singular_name: "",
                namespaced: false,
                kind: subresource.kind,
                verbs: subresource.verbs,
                storage_version_hash: None,
            });
            std::iter::once(main)
                .chain(subresources)
                .collect::<Vec<_>>()
        };
        Some(ApiResourceList {
            kind: "APIResourceList",
            api_version: "v1",
            group_version: group_version.to_string(),
            resources: version.resources.iter().flat_map(entries).collect(),
        })
    }

    fn item(&self) -> ApiGroup {
        let versions: Vec<_> = self
            .versions
            .iter()
            .map(|version| GroupVersionForDiscovery {
                group_version: GroupVersion {
                    group: self.name,
                    version: version.name,
                }
                .to_string(),
                version: version.name,
            })
            .collect();
        ApiGroup {
            kind: None,
            api_version: None,
            name: self.name,
            preferred_version: versions.first().cloned(),
            versions,
            server_addresses: Vec::new(),
        }
    }
}

// === impl ApiGroupList ===

impl ApiGroupList {
    /// The document of all `groups`; `address` is `:PORT` of this server.
    pub fn of(groups: &[Group], address: &str) -> Self {
        let server_address = ServerAddress {
            client_cidr: "0.0.0.0/0",
            server_address: address.to_owned(),
        };
        let groups = groups.iter().map(|group| ApiGroup {
            server_addresses: vec![server_address.clone()],
            ..group.item()
        });
        Self {
            kind: "APIGroupList",
            groups: groups.collect(),
        }
    }
}

/// What tells whether two servers store a kind in one version.
fn storage_version_hash(group_version: GroupVersion<'_>, kind: &str) -> String {
    let digest = Sha256::digest(format!("{group_version}/{kind}"));
    STANDARD.encode(&digest[..8])
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::{Value, json};

    use super::{
        AggregatedDiscovery, AggregatedVersion, ApiGroupList, Group, Resource, Serves, Subresource,
        Version, etag,
    };
    use crate::definition::STATUS;

    const GROUP: Group = Group {
        name: "cluster.karmada.io",
        versions: &[Version {
            name: "v1alpha1",
            resources: &[Resource {
                name: "clusters",
                singular: "cluster",
                kind: "Cluster",
                object: &STATUS,
                list: &STATUS,
                verbs: &["create", "delete"],
                subresources: &[Subresource {
                    name: "proxy",
                    kind: "ClusterProxyOptions",
                    verbs: &["get"],
                    serves: Serves::Connect(&[]),
                }],
            }],
        }],
    };

    #[track_caller]
    fn check(document: &impl Serialize, want: Value) {
        assert_eq!(serde_json::to_value(document).unwrap(), want);
    }

    #[test]
    fn documents_are_those_recorded() {
        let version = json!({"groupVersion": "cluster.karmada.io/v1alpha1", "version": "v1alpha1"});
        check(
            &ApiGroupList::of(&[GROUP], ":443"),
            json!({"kind": "APIGroupList", "groups": [{"name": "cluster.karmada.io",
                "versions": [version], "preferredVersion": version,
                "serverAddressByClientCIDRs":
                    [{"clientCIDR": "0.0.0.0/0", "serverAddress": ":443"}]}]}),
        );
        check(
            &GROUP.document(),
            json!({"kind": "APIGroup", "apiVersion": "v1", "name": "cluster.karmada.io",
                "versions": [version], "preferredVersion": version}),
        );
        check(
            &GROUP.resources("v1alpha1").unwrap(),
            json!({"kind": "APIResourceList", "apiVersion": "v1",
                "groupVersion": "cluster.karmada.io/v1alpha1", "resources": [
                    {"name": "clusters", "singularName": "cluster", "namespaced": false,
                        "kind": "Cluster", "verbs": ["create", "delete"],
                        "storageVersionHash": "PVU4OaujwL4="},
                    {"name": "clusters/proxy", "singularName": "", "namespaced": false,
                        "kind": "ClusterProxyOptions", "verbs": ["get"]}]}),
        );
        assert!(GROUP.resources("v2").is_none());
        let kind = |kind: &str| json!({"group": "", "version": "", "kind": kind});
        check(
            &AggregatedDiscovery::of(&[GROUP], AggregatedVersion::V2),
            json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
                "metadata": {}, "items": [{"metadata": {"name": "cluster.karmada.io"},
                    "versions": [{"version": "v1alpha1", "freshness": "Current", "resources": [{
                        "resource": "clusters", "singularResource": "cluster",
                        "responseKind": kind("Cluster"), "scope": "Cluster",
                        "verbs": ["create", "delete"], "subresources": [{
                            "subresource": "proxy", "verbs": ["get"],
                            "responseKind": kind("ClusterProxyOptions")}]}]}]}]}),
        );
    }

    /// `bytes`, with those escaped that are no ASCII text.
    #[track_caller]
    fn check_protobuf(bytes: &[u8], want: &[u8]) {
        assert_eq!(
            bytes.escape_ascii().to_string(),
            want.escape_ascii().to_string()
        );
    }

    #[test]
    fn documents_are_written_as_kubernetes_writes_protobuf() {
        check_protobuf(
            &GROUP.document().to_protobuf(),
            b"k8s\x00\n\x0e\n\x02v1\x12\x08APIGroup\x12f\n\x12cluster.karmada.io\x12'\n\x1bcluster.kar\
          mada.io/v1alpha1\x12\x08v1alpha1\x1a'\n\x1bcluster.karmada.io/v1alpha1\x12\x08v1alpha1\
          \x1a\x00\"\x00",
        );
        check_protobuf(
            &ApiGroupList::of(&[GROUP], ":443").to_protobuf(),
            b"k8s\x00\n\x12\n\x02v1\x12\x0cAPIGroupList\x12{\ny\n\x12cluster.karmada.io\x12'\n\x1bclus\
          ter.karmada.io/v1alpha1\x12\x08v1alpha1\x1a'\n\x1bcluster.karmada.io/v1alpha1\x12\x08v1a\
          lpha1\"\x11\n\x090.0.0.0/0\x12\x04:443\x1a\x00\"\x00",
        );
        check_protobuf(
            &GROUP.resources("v1alpha1").unwrap().to_protobuf(),
            b"k8s\x00\n\x15\n\x02v1\x12\x0fAPIResourceList\x12\x99\x01\n\x1bcluster.karmada.io/v1alpha\
          1\x12B\n\x08clusters\x10\x00\x1a\x07Cluster\"\x10\n\x06create\n\x06delete2\x07clusterB\
          \x00J\x00R\x0cPVU4OaujwL4=\x126\n\x0eclusters/proxy\x10\x00\x1a\x13ClusterProxyOptions\"\
          \x05\n\x03get2\x00B\x00J\x00R\x00\x1a\x00\"\x00",
        );
        check_protobuf(
            &AggregatedDiscovery::of(&[GROUP], AggregatedVersion::V2).to_protobuf(),
            b"k8s\x00\n/\n\x16apidiscovery.k8s.io/v2\x12\x15APIGroupDiscoveryList\x12\xaa\x01\n\x06\n\
          \x00\x12\x00\x1a\x00\x12\x9f\x01\n\"\n\x12cluster.karmada.io\x12\x00\x1a\x00\"\x00*\x002\
          \x008\x00B\x00\x12y\n\x08v1alpha1\x12d\n\x08clusters\x12\x0d\n\x00\x12\x00\x1a\x07Cluste\
          r\x1a\x07Cluster\"\x07cluster*\x06create*\x06deleteB'\n\x05proxy\x12\x19\n\x00\x12\x00\
          \x1a\x13ClusterProxyOptions\"\x03get\x1a\x07Current\x1a\x00\"\x00",
        );
    }

    #[test]
    fn a_tag_tells_documents_apart() {
        assert_eq!(etag(b"a"), etag(b"a"));
        assert_ne!(etag(b"a"), etag(b"b"));
        assert!(etag(b"").starts_with('"') && etag(b"").ends_with('"'));
    }
}
