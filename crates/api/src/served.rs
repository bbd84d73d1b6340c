//! What of the group is served, for discovery.

use fleetgate_apimachinery::{
    definition::Type,
    discovery::{Group, Resource, Serves, Subresource, Version},
    openapi::Parameter,
};

use crate::{CLUSTER, CLUSTER_LIST};

/// `cluster.karmada.io` with clusters and their subresources.
pub const SERVED: &[Group] = &[Group {
    name: crate::GROUP,
    versions: &[Version {
        name: crate::VERSION,
        resources: &[Resource {
            name: crate::RESOURCE,
            singular: crate::SINGULAR,
            kind: crate::KIND,
            object: &CLUSTER,
            list: &CLUSTER_LIST,
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
                    serves: Serves::Connect(&[PROXY_PATH]),
                },
                Subresource {
                    name: "status",
                    kind: crate::KIND,
                    verbs: &["get", "patch", "update"],
                    serves: Serves::Object,
                },
            ],
        }],
    }],
}];

/// `path` of Karmada's `ClusterProxyOptions`.
const PROXY_PATH: Parameter = Parameter::query(
    "path",
    Type::String,
    "The path at the cluster, for clients that do not put it into the path of the request.",
)
.shared_as("path-RHIocHeS");
