//! The secrets that clusters refer to, and the credentials made of them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use fleetgate_model::{
    ClusterName, Credentials, CredentialsError, Member, ResolveCredentials, SecretRef,
};
use parking_lot::Mutex;
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    PlainHttp, ReadSecret, SecretData,
    build::{Found, build},
};

/// How long the host may take to show a secret to whoever waits for it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// The host took longer.
#[derive(Debug, thiserror::Error)]
#[error("the host took too long to show the secret")]
pub(crate) struct TooLong;

/// Held secrets, each read once however many ask. Clones share them.
#[derive(Debug)]
pub struct Secrets<R> {
    read: R,
    plain_http: PlainHttp,
    held: Mutex<HashMap<SecretRef, Cell>>,
    built: ArcSwap<HashMap<ClusterName, Built>>,
}

/// A secret that is being read, or was.
type Cell = Arc<OnceCell<Arc<SecretData>>>;

/// How far a secret is known.
pub(crate) enum Held {
    /// Nobody asked for it.
    No,
    /// It is being read, or could not be.
    Reading,
    /// It was read, with this `resourceVersion`.
    Version(String),
}

#[derive(Clone, Debug)]
struct Built {
    member: Arc<Member>,
    credentials: Arc<Credentials>,
}

// === impl Secrets ===

impl<R: ReadSecret> Secrets<R> {
    /// Secrets that are read through `read`.
    pub fn new(read: R, plain_http: PlainHttp) -> Self {
        Self {
            read,
            plain_http,
            held: Mutex::default(),
            built: ArcSwap::default(),
        }
    }

    /// How far `secret` is known.
    pub(crate) fn held(&self, secret: &SecretRef) -> Held {
        match self.held.lock().get(secret).map(|cell| cell.get()) {
            None => Held::No,
            Some(None) => Held::Reading,
            Some(Some(data)) => Held::Version(data.resource_version.clone()),
        }
    }

    /// The secrets that are held in `namespace`.
    pub(crate) fn held_in(&self, namespace: &str) -> Vec<SecretRef> {
        let held = self.held.lock();
        held.keys()
            .filter(|s| s.namespace == namespace)
            .cloned()
            .collect()
    }

    /// Reads `secret` anew and uses what was read from the next request on. Where the host does
    /// not answer, what is held stays in use and the error is returned.
    pub(crate) async fn refresh(
        &self,
        secret: &SecretRef,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let read = timeout(TIMEOUT, self.read.read_secret(secret)).await;
        match read.map_err(|_| TooLong)?? {
            Some(data) => {
                let cell = Arc::new(OnceCell::new_with(Some(Arc::new(data))));
                self.held.lock().insert(secret.clone(), cell);
                self.forget_built(secret);
            }
            None => self.forget(secret),
        }
        Ok(())
    }

    /// Drops `secret`: it was deleted, or no cluster refers to it any more.
    pub(crate) fn forget(&self, secret: &SecretRef) {
        self.held.lock().remove(secret);
        self.forget_built(secret);
    }

    /// Drops what no cluster among `members` needs.
    pub(crate) fn retain(&self, members: &HashMap<ClusterName, Arc<Member>>) {
        let refers = |secret: &SecretRef| members.values().any(|m| refs(m).any(|s| s == secret));
        self.held.lock().retain(|secret, _| refers(secret));
        self.built.rcu(|built| {
            let known = built.iter().filter(|(name, _)| members.contains_key(*name));
            known
                .map(|(n, b)| (n.clone(), b.clone()))
                .collect::<HashMap<_, _>>()
        });
    }

    fn forget_built(&self, secret: &SecretRef) {
        self.built.rcu(|built| {
            let other = built
                .iter()
                .filter(|(_, b)| refs(&b.member).all(|s| s != secret));
            other
                .map(|(n, b)| (n.clone(), b.clone()))
                .collect::<HashMap<_, _>>()
        });
    }

    async fn get(&self, secret: &SecretRef) -> Result<Arc<SecretData>, CredentialsError> {
        let cell = Arc::clone(self.held.lock().entry(secret.clone()).or_default());
        let read = cell.get_or_try_init(|| async {
            match self.read.read_secret(secret).await {
                Ok(Some(data)) => Ok(Arc::new(data)),
                Ok(None) => Err(CredentialsError::NotFound(secret.clone())),
                Err(source) => Err(CredentialsError::Unavailable {
                    secret: secret.clone(),
                    source: Arc::from(source),
                }),
            }
        });
        // One time limit for each who waits: another's attempt may be part of the wait.
        let read = timeout(TIMEOUT, read).await;
        let too_long = |_| CredentialsError::Unavailable {
            secret: secret.clone(),
            source: Arc::new(TooLong),
        };
        read.map_err(too_long)?.cloned()
    }

    async fn build(&self, member: &Arc<Member>) -> Result<Arc<Credentials>, CredentialsError> {
        let ca = match &member.secret {
            Some(secret) => Some((secret, self.get(secret).await?)),
            None => None,
        };
        let secret = member.impersonator_secret.as_ref();
        let secret = secret.ok_or(CredentialsError::NoImpersonator)?;
        let data = self.get(secret).await?;
        let used: Vec<_> = ca.iter().map(|(s, d)| (*s, Arc::clone(d))).collect();
        let impersonator = (secret, Arc::clone(&data));
        let credentials = Arc::new(build(member, Found { ca, impersonator }, self.plain_http)?);
        let built = Built {
            member: Arc::clone(member),
            credentials: Arc::clone(&credentials),
        };
        self.keep(built, used.into_iter().chain([(secret, data)]).collect());
        Ok(credentials)
    }

    /// Keeps `built` for the next request, unless one of the secrets it is `made_of` changed
    /// while it was made.
    fn keep(&self, built: Built, made_of: Vec<(&SecretRef, Arc<SecretData>)>) {
        let held = self.held.lock();
        let current = |(secret, data): &(&SecretRef, Arc<SecretData>)| {
            let cell = held.get(*secret).and_then(|cell| cell.get());
            cell.is_some_and(|current| Arc::ptr_eq(current, data))
        };
        if made_of.iter().all(current) {
            self.built.rcu(|all| {
                let mut all = HashMap::clone(all);
                all.insert(built.member.name.clone(), built.clone());
                all
            });
        }
    }
}

/// The secrets that `member` refers to.
pub(crate) fn refs(member: &Member) -> impl Iterator<Item = &SecretRef> {
    member.secret.iter().chain(&member.impersonator_secret)
}

impl<R: ReadSecret> ResolveCredentials for Secrets<R> {
    async fn resolve_credentials(
        &self,
        member: &Arc<Member>,
    ) -> Result<Arc<Credentials>, CredentialsError> {
        if let Some(built) = self.built.load().get(&member.name)
            && Arc::ptr_eq(&built.member, member)
        {
            return Ok(Arc::clone(&built.credentials));
        }
        // Boxed: it is long, and requests to a member that is known need no room for it.
        Box::pin(self.build(member)).await
    }
}

#[cfg(test)]
mod tests;
