//! What of the group is served, for discovery.

use fleetgate_apimachinery::discovery::{Group, Resource, Subresource, Version};

/// `cluster.karmada.io` with clusters and their subresources.
pub const SERVED: &[Group] = &[Group {
    name: crate::GROUP,
    versions: &[Version {
        name: crate::VERSION,
        resources: &[Resource {
            name: crate::RESOURCE,
            singular: crate::SINGULAR,
            kind: crate::KIND,
            verbs: &[
                "create",
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "update",
                "watch",
            ],
            subresources: &[
                Subresource {
                    name: "proxy",
                    kind: "ClusterProxyOptions",
                    verbs: &["create", "delete", "get", "patch", "update"],
                },
                Subresource {
                    name: "status",
                    kind: crate::KIND,
                    verbs: &["get", "patch", "update"],
                },
            ],
        }],
    }],
}];
