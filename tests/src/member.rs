//! member1 and member2 themselves, without the server in between.

use std::net::SocketAddr;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::{
    Credential, connection::Caller, environment::variable, fleet, http::Client, server::SECRETS,
};

/// One of the fleet's members, as its impersonator, who may do everything there.
#[derive(Clone, Debug)]
pub struct Member {
    url: String,
    /// The impersonator's token.
    pub token: String,
}

// === impl Member ===

impl Member {
    /// Member `number`; the first is 1.
    pub async fn new(number: u8) -> Self {
        let host = fleet().at_host(&fleet().admin());
        let path = format!("{SECRETS}/member{number}-impersonator");
        let secret = host.get(&path).await.expect(200).json();
        let token = secret["data"]["token"].as_str().unwrap();
        let token = BASE64_STANDARD.decode(token).unwrap();
        Self {
            url: variable(&format!("FLEET_MEMBER{number}_URL")),
            token: String::from_utf8(token).unwrap(),
        }
    }

    /// The same at another port of loopback.
    #[must_use]
    pub fn at(self, port: u16) -> Self {
        Self {
            url: format!("https://127.0.0.1:{port}"),
            ..self
        }
    }

    /// Where it is, `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.url.strip_prefix("https://").unwrap().parse().unwrap()
    }

    /// Speaks to it.
    pub fn client(&self) -> Client {
        Client::new(&self.url, &self.credential())
    }

    /// Calls it.
    pub fn caller(&self) -> Caller {
        Caller::new(&self.url, &self.credential())
    }

    fn credential(&self) -> Credential {
        Credential::Token(self.token.clone())
    }

    /// Makes a service account in namespace karmada-cluster that may do everything, in place of one
    /// that was there, and returns a token of it. Tokens of the former are worth nothing then.
    pub async fn impersonator(&self, name: &str) -> String {
        let (member, accounts) = (
            self.client(),
            "/api/v1/namespaces/karmada-cluster/serviceaccounts",
        );
        member.delete(&format!("{accounts}/{name}")).await;
        let metadata = json!({"name": name});
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
        member.post(accounts, &account).await.expect(201);
        let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [
                {"kind": "ServiceAccount", "namespace": "karmada-cluster", "name": name},
            ],
        });
        let bound = member.post(bindings, &binding).await;
        assert!(matches!(bound.status.as_u16(), 201 | 409), "{bound}");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        });
        let path = format!("{accounts}/{name}/token");
        let reply = member.post(&path, &request).await.expect(201).json();
        reply["status"]["token"].as_str().unwrap().to_owned()
    }
}
