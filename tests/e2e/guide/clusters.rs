//! The clusters as users list them, and a member by its raw path.

use fleetgate_tests::{CLUSTERS, fleet, kubectl::Kubectl};
use serde_json::json;

use super::{Way, each_way};

#[tokio::test]
async fn get_clusters_prints_karmadas_columns() {
    let host = fleet().host();
    let name = "guide-columns";
    host.ok(&format!("delete cluster {name} --ignore-not-found"))
        .await;
    let cluster = json!({
        "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": {"name": name},
        "spec": {
            "syncMode": "Pull", "apiEndpoint": "https://10.0.0.1:6443", "proxyURL": "http://10.0.0.2:8080",
            "provider": "metal", "region": "north", "zones": ["n1", "n2"],
        },
    });
    host.call("create -f -")
        .stdin(cluster.to_string())
        .ok()
        .await;
    let all = host.ok("get clusters").await;
    check_row(&all, &["NAME", "VERSION", "MODE", "READY", "AGE"], 0);
    // Nobody has told its version yet.
    let fresh = host.ok(&format!("get cluster {name}")).await;
    assert_eq!(
        words(fresh.lines().last().unwrap())[..3],
        [name, "Pull", "Unknown"],
        "{fresh}"
    );
    report(&host, name).await;
    let row = host.ok(&format!("get clusters {name}")).await;
    check_row(&row, &[name, "v1.36.3", "Pull", "True"], 1);
    let wide = host.ok(&format!("get clusters {name} -o wide")).await;
    let columns = [
        "NAME",
        "VERSION",
        "MODE",
        "READY",
        "AGE",
        "ZONES",
        "REGION",
        "PROVIDER",
        "API-ENDPOINT",
        "PROXY-URL",
    ];
    check_row(&wide, &columns, 0);
    let row = words(wide.lines().last().unwrap());
    let rest = [
        "n1,n2",
        "north",
        "metal",
        "https://10.0.0.1:6443",
        "http://10.0.0.2:8080",
    ];
    assert_eq!(row[5..], rest, "{wide}");
    host.ok(&format!("delete cluster {name}")).await;
}

/// Reports a version and readiness, as Karmada's controllers do.
async fn report(host: &Kubectl, name: &str) {
    let status = json!({"status": {
        "kubernetesVersion": "v1.36.3",
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "ClusterReady", "message": "",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }],
    }});
    host.call("patch --subresource=status --type=merge cluster")
        .arg(name)
        .arg("--patch")
        .arg(status.to_string())
        .ok()
        .await;
}

/// The guide's third step.
async fn get_raw_shows_the_members_nodes(way: Way) {
    let path = format!("{CLUSTERS}/member1/proxy/api/v1/nodes");
    let through = way.root().await.json(&format!("get --raw {path}")).await;
    let direct = fleet().member(1).json("get --raw /api/v1/nodes").await;
    let names = |list: &serde_json::Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap();
        items
            .iter()
            .map(|node| node["metadata"]["name"].to_string())
            .collect()
    };
    assert_eq!(through["kind"], "NodeList");
    assert_eq!(names(&through), names(&direct));
}

each_way!(get_raw_shows_the_members_nodes);

#[track_caller]
fn check_row(table: &str, want: &[&str], line: usize) {
    let row = words(table.lines().nth(line).unwrap());
    assert_eq!(row[..want.len()], *want, "{table}");
    let columns = words(table.lines().next().unwrap());
    assert!(line > 0 || columns.len() == want.len(), "{table}");
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
