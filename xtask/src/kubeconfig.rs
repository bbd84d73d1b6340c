//! Kubeconfig files: who speaks to which address.

use std::path::Path;

use anyhow::Result;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::certs::{Identity, write_private};

/// A kubeconfig with one user or several, and a context for each pair that is asked for.
#[derive(Debug)]
pub(crate) struct Kubeconfig {
    ca: String,
    clusters: Vec<Value>,
    users: Vec<Value>,
    contexts: Vec<Value>,
}

// === impl Kubeconfig ===

impl Kubeconfig {
    /// `ca`: PEM, for every server in it.
    pub(crate) fn new(ca: &str) -> Self {
        let ca = BASE64_STANDARD.encode(ca);
        Self {
            ca,
            clusters: Vec::new(),
            users: Vec::new(),
            contexts: Vec::new(),
        }
    }

    /// `name_in_cert`: what the server's certificate is checked for, where the address is not in it.
    pub(crate) fn cluster(mut self, name: &str, server: &str, name_in_cert: Option<&str>) -> Self {
        let mut cluster = json!({"server": server, "certificate-authority-data": self.ca});
        if let Some(name) = name_in_cert {
            cluster["tls-server-name"] = json!(name);
        }
        self.clusters
            .push(json!({"name": name, "cluster": cluster}));
        self
    }

    pub(crate) fn certificate(mut self, name: &str, identity: &Identity) -> Self {
        let user = json!({
            "client-certificate-data": BASE64_STANDARD.encode(&identity.cert),
            "client-key-data": BASE64_STANDARD.encode(&identity.key),
        });
        self.users.push(json!({"name": name, "user": user}));
        self
    }

    pub(crate) fn token(mut self, name: &str, token: &str) -> Self {
        self.users
            .push(json!({"name": name, "user": {"token": token}}));
        self
    }

    /// The first context is the current one.
    pub(crate) fn context(mut self, name: &str, user: &str, cluster: &str) -> Self {
        let context = json!({"user": user, "cluster": cluster});
        self.contexts
            .push(json!({"name": name, "context": context}));
        self
    }

    /// One server, one certificate.
    pub(crate) fn simple(ca: &str, name: &str, server: &str, identity: &Identity) -> Self {
        Self::new(ca)
            .cluster(name, server, None)
            .certificate("admin", identity)
            .context(name, "admin", name)
    }

    /// Writes it as JSON, which is YAML.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": self.clusters,
            "users": self.users,
            "contexts": self.contexts,
            "current-context": self.contexts.first().map(|context| &context["name"]),
        });
        write_private(path, &format!("{text:#}\n"))
    }
}
