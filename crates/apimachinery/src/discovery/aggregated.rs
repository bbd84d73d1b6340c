//! `apidiscovery.k8s.io`: all that is served, in one document.

use std::ops::RangeInclusive;

use serde::Serialize;

use super::{Group, Resource};
use crate::protobuf::{envelope, put_bytes, put_number};

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

impl AggregatedDiscovery {
    /// The document, of type `application/vnd.kubernetes.protobuf`. Go writes texts even when they
    /// are empty.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, 1, &empty(1..=3));
        for item in &self.items {
            put_bytes(&mut out, 2, &item.to_protobuf());
        }
        envelope(self.api_version, self.kind, &out)
    }
}

/// Empty texts in these fields.
fn empty(fields: RangeInclusive<u32>) -> Vec<u8> {
    let mut out = Vec::new();
    fields.for_each(|field| put_bytes(&mut out, field, &[]));
    out
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

impl GroupItem {
    fn to_protobuf(&self) -> Vec<u8> {
        // ObjectMeta: the name, five empty texts, the generation, an empty time.
        let mut metadata = Vec::new();
        put_bytes(&mut metadata, 1, self.metadata.name.as_bytes());
        metadata.extend(empty(2..=6));
        put_number(&mut metadata, 7, 0_u64);
        metadata.extend(empty(8..=8));
        let mut out = Vec::new();
        put_bytes(&mut out, 1, &metadata);
        for version in &self.versions {
            let mut one = Vec::new();
            put_bytes(&mut one, 1, version.version.as_bytes());
            for resource in &version.resources {
                put_bytes(&mut one, 2, &resource.to_protobuf());
            }
            put_bytes(&mut one, 3, version.freshness.as_bytes());
            put_bytes(&mut out, 2, &one);
        }
        out
    }
}

impl ResourceItem {
    fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, 1, self.resource.as_bytes());
        put_bytes(&mut out, 2, &self.response_kind.to_protobuf());
        put_bytes(&mut out, 3, self.scope.as_bytes());
        put_bytes(&mut out, 4, self.singular_resource.as_bytes());
        for verb in self.verbs {
            put_bytes(&mut out, 5, verb.as_bytes());
        }
        for subresource in &self.subresources {
            let mut one = Vec::new();
            put_bytes(&mut one, 1, subresource.subresource.as_bytes());
            put_bytes(&mut one, 2, &subresource.response_kind.to_protobuf());
            for verb in subresource.verbs {
                put_bytes(&mut one, 4, verb.as_bytes());
            }
            put_bytes(&mut out, 8, &one);
        }
        out
    }

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
    fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, 1, self.group.as_bytes());
        put_bytes(&mut out, 2, self.version.as_bytes());
        put_bytes(&mut out, 3, self.kind.as_bytes());
        out
    }

    const fn of(kind: &'static str) -> Self {
        Self {
            group: "",
            version: "",
            kind,
        }
    }
}
