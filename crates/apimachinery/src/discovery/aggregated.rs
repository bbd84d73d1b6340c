//! `apidiscovery.k8s.io`: all that is served, in one document.

use serde::Serialize;

use super::{Group, Resource};

/// `apidiscovery.k8s.io`'s `APIGroupDiscoveryList`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AggregatedDiscovery {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    items: Vec<GroupItem>,
}

#[derive(Clone, Debug, Serialize)]
struct Empty {}

#[derive(Clone, Debug, Serialize)]
struct GroupItem {
    metadata: Named,
    versions: Vec<VersionItem>,
}

#[derive(Clone, Debug, Serialize)]
struct Named {
    name: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct VersionItem {
    version: &'static str,
    resources: Vec<ResourceItem>,
    freshness: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceItem {
    resource: &'static str,
    response_kind: ResponseKind,
    scope: &'static str,
    singular_resource: &'static str,
    verbs: &'static [&'static str],
    subresources: Vec<SubresourceItem>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SubresourceItem {
    subresource: &'static str,
    response_kind: ResponseKind,
    verbs: &'static [&'static str],
}

/// Karmada leaves group and version empty.
#[derive(Clone, Debug, Serialize)]
struct ResponseKind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
}

/// The versions of aggregated discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregatedVersion {
    V2,
    V2Beta1,
}

// === impl AggregatedDiscovery ===

impl AggregatedDiscovery {
    /// The document of all `groups` with all that they hold.
    pub fn of(groups: &[Group], version: AggregatedVersion) -> Self {
        let api_version = match version {
            AggregatedVersion::V2 => "apidiscovery.k8s.io/v2",
            AggregatedVersion::V2Beta1 => "apidiscovery.k8s.io/v2beta1",
        };
        Self {
            kind: "APIGroupDiscoveryList",
            api_version,
            metadata: Empty {},
            items: groups.iter().map(GroupItem::of).collect(),
        }
    }
}

// === impls of its parts ===

impl GroupItem {
    fn of(group: &Group) -> Self {
        let versions = group.versions.iter().map(|version| VersionItem {
            version: version.name,
            resources: version.resources.iter().map(ResourceItem::of).collect(),
            freshness: "Current",
        });
        Self {
            metadata: Named { name: group.name },
            versions: versions.collect(),
        }
    }
}

impl ResourceItem {
    fn of(resource: &Resource) -> Self {
        let subresources = resource
            .subresources
            .iter()
            .map(|subresource| SubresourceItem {
                subresource: subresource.name,
                response_kind: ResponseKind::of(subresource.kind),
                verbs: subresource.verbs,
            });
        Self {
            resource: resource.name,
            response_kind: ResponseKind::of(resource.kind),
            scope: "Cluster",
            singular_resource: resource.singular,
            verbs: resource.verbs,
            subresources: subresources.collect(),
        }
    }
}

impl ResponseKind {
    const fn of(kind: &'static str) -> Self {
        Self {
            group: "",
            version: "",
            kind,
        }
    }
}
