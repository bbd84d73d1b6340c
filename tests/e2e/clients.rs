//! The Cluster API by the clients that programs are written with.

mod go;
mod informer;
mod kube;
mod python;

use fleetgate_tests::{CLUSTERS, fleet, server::Server};
use http::Method;
use serde_json::{Value, json};

/// A cluster with the labels `group` and `value`.
fn cluster(name: &str, group: &str, value: usize) -> Value {
    json!({
        "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
        "metadata": {"name": name, "labels": {"group": group, "value": value.to_string()}},
        "spec": {"syncMode": "Pull"},
    })
}

/// Creates it, and returns its version.
async fn create(server: &Server, cluster: &Value) -> String {
    let made = server.change(Method::POST, CLUSTERS, cluster).await;
    version(&made)
}

/// Gives the label `value` another value, and returns the version.
async fn relabel(server: &Server, name: &str, value: &str) -> String {
    let patch = json!({"metadata": {"labels": {"value": value}}});
    let path = format!("{CLUSTERS}/{name}");
    version(&server.change(Method::PATCH, &path, &patch).await)
}

async fn delete(server: &Server, name: &str) {
    let path = format!("{CLUSTERS}/{name}");
    server.change(Method::DELETE, &path, &json!({})).await;
}

fn version(object: &Value) -> String {
    let version = object["metadata"]["resourceVersion"].as_str();
    version.unwrap().to_owned()
}

/// kubeconfig of the administrator at `url`.
fn kubeconfig(url: &str) -> std::path::PathBuf {
    fleet().admin().kubeconfig(url)
}
