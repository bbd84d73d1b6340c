//! The old documents as Kubernetes' protobuf. Go writes texts even when they are empty, and truth
//! values even when they are false.

use super::{ApiGroup, ApiGroupList, ApiResource, ApiResourceList, GroupVersionForDiscovery};
use crate::protobuf::{envelope, put_bytes, put_number};

// === impl ApiGroupList ===

impl ApiGroupList {
    /// The document, of type `application/vnd.kubernetes.protobuf`.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for group in &self.groups {
            put_bytes(&mut out, 1, &self::group(group));
        }
        envelope("v1", self.kind, &out)
    }
}

// === impl ApiGroup ===

impl ApiGroup {
    /// The document, of type `application/vnd.kubernetes.protobuf`.
    pub fn to_protobuf(&self) -> Vec<u8> {
        envelope("v1", "APIGroup", &group(self))
    }
}

// === impl ApiResourceList ===

impl ApiResourceList {
    /// The document, of type `application/vnd.kubernetes.protobuf`.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, 1, self.group_version.as_bytes());
        for resource in &self.resources {
            put_bytes(&mut out, 2, &self::resource(resource));
        }
        envelope(self.api_version, self.kind, &out)
    }
}

fn group(group: &ApiGroup) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, group.name.as_bytes());
    for version in &group.versions {
        put_bytes(&mut out, 2, &self::version(version));
    }
    if let Some(preferred) = &group.preferred_version {
        put_bytes(&mut out, 3, &version(preferred));
    }
    for address in &group.server_addresses {
        let mut one = Vec::new();
        put_bytes(&mut one, 1, address.client_cidr.as_bytes());
        put_bytes(&mut one, 2, address.server_address.as_bytes());
        put_bytes(&mut out, 4, &one);
    }
    out
}

fn version(version: &GroupVersionForDiscovery) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, version.group_version.as_bytes());
    put_bytes(&mut out, 2, version.version.as_bytes());
    out
}

fn resource(resource: &ApiResource) -> Vec<u8> {
    let mut verbs = Vec::new();
    for verb in resource.verbs {
        put_bytes(&mut verbs, 1, verb.as_bytes());
    }
    let hash = resource.storage_version_hash.as_deref();
    let mut out = Vec::new();
    put_bytes(&mut out, 1, resource.name.as_bytes());
    put_number(&mut out, 2, resource.namespaced);
    put_bytes(&mut out, 3, resource.kind.as_bytes());
    put_bytes(&mut out, 4, &verbs);
    put_bytes(&mut out, 6, resource.singular_name.as_bytes());
    // Group and version, as those of the list.
    put_bytes(&mut out, 8, &[]);
    put_bytes(&mut out, 9, &[]);
    put_bytes(&mut out, 10, hash.unwrap_or_default().as_bytes());
    out
}
