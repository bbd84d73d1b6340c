//! Secrets at the host, through its API.

use std::{error::Error, sync::Arc};

use fleetgate_model::{Redacted, SecretRef};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client};

use crate::{Owner, ReadSecret, SecretData};

/// Watches on one connection: fewer than the hundred streams that kube-apiserver allows.
const WATCHES: usize = 64;
/// The longest name of an object (RFC 1123, as Kubernetes counts).
const LONGEST_NAME: usize = 253;

/// Reads secrets with the server's own credentials at the host.
#[derive(Clone)]
pub struct HostSecrets {
    client: Client,
    connect: Arc<dyn Fn() -> Client + Send + Sync>,
}

/// Clients for what lasts, each with a connection of its own and as many streams as that takes.
pub(crate) struct Lasting {
    connect: Arc<dyn Fn() -> Client + Send + Sync>,
    current: Option<(Client, usize)>,
}

// === impl HostSecrets ===

impl HostSecrets {
    /// Secrets that `client` reads, and that are watched through clients that `connect` makes, each
    /// of which is to have a connection of its own: what lasts would leave no stream to what is
    /// short, and to each other.
    pub fn new(client: Client, connect: impl Fn() -> Client + Send + Sync + 'static) -> Self {
        let connect = Arc::new(connect);
        Self { client, connect }
    }

    pub(crate) fn lasting(&self) -> Lasting {
        Lasting {
            connect: Arc::clone(&self.connect),
            current: None,
        }
    }
}

impl Lasting {
    /// A client for one watch more.
    pub(crate) fn client(&mut self) -> Client {
        let client = match self.current.take() {
            Some((client, left)) if left > 0 => (client, left - 1),
            Some(_) | None => ((self.connect)(), WATCHES - 1),
        };
        self.current.insert(client).0.clone()
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
        if !can_be(secret) {
            return Ok(None);
        }
        let api = Api::<Secret>::namespaced(self.client.clone(), &secret.namespace);
        Ok(api.get_opt(&secret.name).await?.map(SecretData::from))
    }
}

/// Whether a secret can have this name and namespace. Both become part of a URL as they are, and
/// whoever writes a cluster chooses them: with a `/` or a `?` they would name another secret than
/// the one that is looked at.
pub(crate) fn can_be(secret: &SecretRef) -> bool {
    let is_plain = |name: &str| {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        name.len() <= LONGEST_NAME
            && name.bytes().all(allowed)
            && name.starts_with(|first: char| first.is_ascii_alphanumeric())
    };
    is_plain(&secret.namespace) && is_plain(&secret.name)
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
            token: take("token")
                .map(|b| Redacted::new(String::from_utf8(b).unwrap_or_else(|_| "\0".to_owned()))),
            ca_bundle: take("caBundle").map(Arc::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use fleetgate_model::{Credentials, SecretRef};
    use fleetgate_testkit::FakeHost;
    use k8s_openapi::{ByteString, api::core::v1::Secret};

    use super::{HostSecrets, can_be};
    use crate::SecretData;

    #[track_caller]
    fn check(namespace: &str, name: &str, want: bool) {
        let secret = SecretRef {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        assert_eq!(can_be(&secret), want, "{namespace:?} {name:?}");
    }

    #[test]
    fn what_can_be_no_secret_is_not_asked_for() {
        check("karmada-cluster", "m1.example-impersonator", true);
        check("kube-system/secrets/admin-token?", "m1-impersonator", false);
        check("kube-system", "../../../nodes", false);
        check("..", "m1-impersonator", false);
        check("ns", "a#b", false);
        check("ns", "a%2fb", false);
        check("ns", "A", false);
        check("ns", "", false);
        check("ns", &"a".repeat(254), false);
    }

    #[tokio::test]
    async fn no_connection_gets_more_watches_than_it_has_streams() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let host = FakeHost::new();
        let client = host.client();
        let secrets = HostSecrets::new(client.clone(), move || {
            counter.fetch_add(1, Ordering::Relaxed);
            client.clone()
        });
        let mut lasting = secrets.lasting();
        let mut after = |watches| {
            (0..watches).for_each(|_| drop(lasting.client()));
            made.load(Ordering::Relaxed)
        };
        assert_eq!([after(1), after(63), after(1), after(128)], [1, 1, 2, 4]);
    }

    #[test]
    fn a_token_that_is_no_text_goes_into_no_header() {
        let secret = Secret {
            data: Some([("token".to_owned(), ByteString(vec![b'a', 0xff]))].into()),
            ..Secret::default()
        };
        let token = SecretData::from(secret).token.expect("a token");
        assert!(Credentials::bearer(token.expose(), None).is_err());
    }
}
