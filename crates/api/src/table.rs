//! Clusters as rows for people: Karmada's columns.

use fleetgate_apimachinery::{
    meta::Time,
    table::{Column, Printer, age},
};
use serde_json::Value;

use crate::{Cluster, READY};

/// What is shown where nothing is known.
const NONE: &str = "<none>";

/// How clusters become rows.
pub const PRINTER: Printer<Cluster> = Printer {
    columns: &COLUMNS,
    cells,
};

const COLUMNS: [Column; 10] = [
    Column {
        format: "name",
        ..column("Name", "The cluster's name.")
    },
    column(
        "Version",
        "The Kubernetes version that the cluster reports.",
    ),
    column(
        "Mode",
        "Push: the host writes to the cluster. Pull: an agent there reads.",
    ),
    column(
        "Ready",
        "Whether the cluster can be reached and is healthy.",
    ),
    column("Age", "How long ago the cluster was registered."),
    wide("Zones", "The zones that the cluster is in."),
    wide("Region", "The region that the cluster is in."),
    wide("Provider", "Whose cloud the cluster runs in."),
    wide("API-Endpoint", "The URL of the cluster's API server."),
    wide("Proxy-URL", "The forward proxy in front of the cluster."),
];

const fn column(name: &'static str, description: &'static str) -> Column {
    Column {
        name,
        kind: "string",
        format: "",
        description,
        priority: 0,
    }
}

/// A column that is shown only where there is room.
const fn wide(name: &'static str, description: &'static str) -> Column {
    Column {
        priority: 1,
        ..column(name, description)
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
            NONE.to_owned()
        } else {
            text.to_owned()
        }
    };
    [
        metadata.name.clone(),
        status.kubernetes_version.clone(),
        spec.sync_mode.clone(),
        ready.map_or_else(
            || "Unknown".to_owned(),
            |condition| condition.status.clone(),
        ),
        age(metadata.creation_timestamp, now),
        or_none(&spec.zones.join(",")),
        or_none(&spec.region),
        or_none(&spec.provider),
        spec.api_endpoint.clone(),
        or_none(&spec.proxy_url),
    ]
    .map(Value::from)
    .to_vec()
}

#[cfg(test)]
mod tests {
    use fleetgate_apimachinery::meta::Time;
    use serde_json::json;

    use super::PRINTER;
    use crate::{Cluster, Condition};

    #[track_caller]
    fn check(cluster: &Cluster, want: &serde_json::Value) {
        let now: Time = serde_json::from_value(json!("2026-01-01T01:00:00Z")).expect("a time");
        assert_eq!(json!((PRINTER.cells)(cluster, now)), *want);
    }

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let mut cluster = Cluster::default();
        let none = "<none>";
        check(
            &cluster,
            &json!([
                "",
                "",
                "",
                "Unknown",
                "<unknown>",
                none,
                none,
                none,
                "",
                none
            ]),
        );
        let time = serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
        cluster.metadata.name = "a".to_owned();
        cluster.metadata.creation_timestamp = Some(time);
        cluster.spec = serde_json::from_value(json!({
            "syncMode": "Push", "zones": ["x", "y"], "region": "r", "provider": "p",
            "apiEndpoint": "https://h", "proxyURL": "http://q",
        }))
        .expect("a spec");
        cluster.status.kubernetes_version = "v1.36.3".to_owned();
        cluster.status.conditions = vec![Condition {
            r#type: "Ready".to_owned(),
            status: "True".to_owned(),
            ..Condition::default()
        }];
        check(
            &cluster,
            &json!([
                "a",
                "v1.36.3",
                "Push",
                "True",
                "60m",
                "x,y",
                "r",
                "p",
                "https://h",
                "http://q"
            ]),
        );
    }
}
