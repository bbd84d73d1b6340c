//! The part of a Secret that matters here, and the port that reads one.

use std::{collections::BTreeMap, error::Error, future::Future, sync::Arc};

use fleetgate_model::{BearerToken, SecretRef};

/// What is kept of a Secret.
#[derive(Clone, Debug, Default)]
pub struct SecretData {
    /// `metadata.resourceVersion`: tells whether a newer one must be read.
    pub resource_version: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// The Clusters among `metadata.ownerReferences`.
    pub owners: Vec<Owner>,
    /// `data.token`; nothing where it is missing or empty.
    pub token: Option<BearerToken>,
    /// `data.caBundle`; nothing where it is missing or empty.
    pub ca_bundle: Option<Arc<[u8]>>,
}

/// A Cluster that owns a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The Cluster's name.
    pub name: String,
    /// The Cluster's uid.
    pub uid: String,
}

/// Reads one Secret from the host.
pub trait ReadSecret: Send + Sync + 'static {
    /// The secret, or nothing where there is none.
    ///
    /// # Errors
    /// Why the host did not answer.
    fn read_secret(
        &self,
        secret: &SecretRef,
    ) -> impl Future<Output = Result<Option<SecretData>, Box<dyn Error + Send + Sync>>> + Send;
}

// === impl ReadSecret ===

impl<F, Fut> ReadSecret for F
where
    F: Fn(&SecretRef) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Option<SecretData>, Box<dyn Error + Send + Sync>>> + Send,
{
    fn read_secret(
        &self,
        secret: &SecretRef,
    ) -> impl Future<Output = Result<Option<SecretData>, Box<dyn Error + Send + Sync>>> + Send {
        self(secret)
    }
}
