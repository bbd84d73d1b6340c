//! Clusters that a test registers for itself.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    CLUSTERS, fleet,
    http::{Client, Reply},
    server::SECRETS,
    wait::{SOON, until},
};

/// A cluster with its two secrets, `NAME` and `NAME-impersonator` in karmada-cluster.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The cluster's name.
    pub name: String,
    /// Where its API is.
    pub endpoint: String,
    /// What its certificate is checked against, PEM.
    pub ca: String,
    /// What it is shown.
    pub token: String,
    /// More members of `spec`.
    pub spec: Value,
}

// === impl Registration ===

impl Registration {
    /// A cluster at `endpoint`, whose certificate the fleet's CA signed.
    pub fn new(name: &str, endpoint: &str) -> Self {
        Self {
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            ca: fleet().ca.clone(),
            token: format!("token-of-{name}"),
            spec: json!({}),
        }
    }

    /// The Cluster.
    pub fn cluster(&self) -> Value {
        let name = &self.name;
        let mut cluster = json!({
            "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
            "metadata": {"name": name},
            "spec": {
                "syncMode": "Push", "apiEndpoint": self.endpoint,
                "secretRef": {"namespace": "karmada-cluster", "name": name},
                "impersonatorSecretRef": {
                    "namespace": "karmada-cluster", "name": format!("{name}-impersonator"),
                },
            },
        });
        for (key, value) in self.spec.as_object().unwrap() {
            cluster["spec"][key] = value.clone();
        }
        cluster
    }

    /// The two secrets.
    pub fn secrets(&self) -> [Value; 2] {
        let (token, ca) = (encode(&self.token), encode(&self.ca));
        let impersonator = format!("{}-impersonator", self.name);
        [
            secret(&self.name, &json!({"token": token, "caBundle": ca})),
            secret(&impersonator, &json!({"token": token})),
        ]
    }

    /// Registers it at the host, in place of what an earlier run has left.
    pub async fn register(&self) {
        let host = fleet().at_host(&fleet().admin());
        self.remove().await;
        for secret in self.secrets() {
            host.post(SECRETS, &secret).await.expect(201);
        }
        host.post(CLUSTERS, &self.cluster()).await.expect(201);
    }

    /// Removes all of it.
    pub async fn remove(&self) {
        let host = fleet().at_host(&fleet().admin());
        let name = &self.name;
        gone(&host, &format!("{CLUSTERS}/{name}")).await;
        gone(&host, &format!("{SECRETS}/{name}")).await;
        gone(&host, &format!("{SECRETS}/{name}-impersonator")).await;
    }
}

/// An opaque Secret in karmada-cluster; `data` is in base64.
pub fn secret(name: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": "karmada-cluster"}, "data": data,
    })
}

/// Changes `data`, in base64, of the Secret `name` at the host.
pub async fn change_secret(name: &str, data: &Value) {
    let host = fleet().at_host(&fleet().admin());
    let patch = host.call(Method::PATCH, &format!("{SECRETS}/{name}"));
    let patch = patch.header("content-type", "application/merge-patch+json");
    patch.json(&json!({"data": data})).send().await.expect(200);
}

/// Base64 as in a Secret's data.
pub fn encode(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// Deletes `path` and waits until nothing is there.
async fn gone(client: &Client, path: &str) {
    until(path, SOON, async || {
        let reply: Reply = client.delete(path).await;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(()),
            _ => Err(reply.to_string()),
        }
    })
    .await;
}
