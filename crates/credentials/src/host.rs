//! Secrets at the host, through its API.

use std::{error::Error, sync::Arc};

use fleetgate_model::{Redacted, SecretRef};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client};

use crate::{Owner, ReadSecret, SecretData};

/// Reads secrets with the server's own credentials at the host.
#[derive(Clone)]
pub struct HostSecrets {
    client: Client,
}

// === impl HostSecrets ===

impl HostSecrets {
    /// Secrets that `client` may read.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }
}

impl std::fmt::Debug for HostSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostSecrets").finish_non_exhaustive()
    }
}

impl ReadSecret for HostSecrets {
    async fn read_secret(
        &self,
        secret: &SecretRef,
    ) -> Result<Option<SecretData>, Box<dyn Error + Send + Sync>> {
        let api = Api::<Secret>::namespaced(self.client(), &secret.namespace);
        Ok(api.get_opt(&secret.name).await?.map(SecretData::from))
    }
}

impl From<Secret> for SecretData {
    fn from(secret: Secret) -> Self {
        let Secret { data, metadata, .. } = secret;
        let mut data = data.unwrap_or_default();
        let mut take = |key| {
            data.remove(key)
                .map(|ByteString(b)| b)
                .filter(|b| !b.is_empty())
        };
        let owners = metadata.owner_references.unwrap_or_default();
        let clusters = owners.into_iter().filter(|owner| {
            owner.kind == "Cluster" && owner.api_version.starts_with("cluster.karmada.io/")
        });
        Self {
            resource_version: metadata.resource_version.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            owners: clusters
                .map(|o| Owner {
                    name: o.name,
                    uid: o.uid,
                })
                .collect(),
            // What is no UTF-8 is no token; it becomes one that no header can carry.
            token: take("token").map(|b| Redacted::new(String::from_utf8_lossy(&b).into_owned())),
            ca_bundle: take("caBundle").map(Arc::from),
        }
    }
}
