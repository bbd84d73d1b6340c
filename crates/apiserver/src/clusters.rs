//! The resource that this server is about: clusters, as discovery names them and as rows.

use fleetgate_api::{Cluster, GROUP, KIND, READY, RESOURCE, SINGULAR, VERSION};
use fleetgate_apimachinery::{
    discovery::{Group, Resource, Subresource, Version},
    meta::Time,
    table::{Column, Printer, age},
};
use serde_json::Value;

/// What discovery says of clusters.
pub const GROUPS: &[Group] = &[Group {
    name: GROUP,
    versions: &[Version {
        name: VERSION,
        resources: &[Resource {
            name: RESOURCE,
            singular: SINGULAR,
            kind: KIND,
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
                    kind: KIND,
                    verbs: &["get", "patch", "update"],
                },
            ],
        }],
    }],
}];

/// Clusters as rows: Karmada's columns.
pub const PRINTER: Printer<Cluster> = Printer {
    columns: &COLUMNS,
    cells,
};

const COLUMNS: [Column; 10] = [
    Column {
        format: "name",
        ..column("Name", "Name of the cluster.", 0)
    },
    column("Version", "Version of the cluster's API server.", 0),
    column("Mode", "How the host reaches the cluster: Push or Pull.", 0),
    column(
        "Ready",
        "Whether the cluster is healthy and accepts workloads.",
        0,
    ),
    column("Age", "Time since the cluster was registered.", 0),
    column("Zones", "Zones that the cluster spans.", 1),
    column("Region", "Region of the cluster.", 1),
    column("Provider", "Cloud provider of the cluster.", 1),
    column("API-Endpoint", "Address of the cluster's API server.", 1),
    column(
        "Proxy-URL",
        "Proxy through which the cluster is reached.",
        1,
    ),
];

const fn column(name: &'static str, description: &'static str, priority: i32) -> Column {
    Column {
        name,
        kind: "string",
        format: "",
        description,
        priority,
    }
}

fn cells(cluster: &Cluster, now: Time) -> Vec<Value> {
    let Cluster {
        metadata,
        spec,
        status,
        ..
    } = cluster;
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.r#type == READY);
    let or_none = |text: &str| {
        if text.is_empty() {
            "<none>".into()
        } else {
            text.into()
        }
    };
    vec![
        metadata.name.as_str().into(),
        status.kubernetes_version.as_str().into(),
        spec.sync_mode.as_str().into(),
        ready
            .map_or("Unknown", |condition| &condition.status)
            .into(),
        age(metadata.creation_timestamp, now).into(),
        or_none(&spec.zones.join(",")),
        or_none(&spec.region),
        or_none(&spec.provider),
        spec.api_endpoint.as_str().into(),
        or_none(&spec.proxy_url),
    ]
}
