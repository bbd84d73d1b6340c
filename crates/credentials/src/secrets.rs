//! The secrets that clusters refer to, and the credentials made of them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use fleetgate_model::{
    ClusterName, Credentials, CredentialsError, Member, ResolveCredentials, SecretRef,
};
use fleetgate_stack::Together;
use futures::FutureExt;
use parking_lot::Mutex;
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    PlainHttp, ReadSecret, SecretData,
    build::{Found, build},
};

/// How long the host may take to show a secret to whoever waits for it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
/// How often credentials are made anew because a secret changed meanwhile.
const ATTEMPTS: usize = 3;

/// The host took longer.
#[derive(Debug, thiserror::Error)]
#[error("the host took too long to show the secret")]
pub(crate) struct TooLong;

/// Held secrets, each read once however many ask. Clones share them.
#[derive(Debug)]
pub struct Secrets<R> {
    read: Arc<R>,
    plain_http: PlainHttp,
    held: Mutex<HashMap<SecretRef, Arc<Slot>>>,
    built: ArcSwap<HashMap<ClusterName, Built>>,
}

/// A secret that is being read, or was.
#[derive(Debug, Default)]
struct Slot {
    data: OnceCell<Arc<SecretData>>,
    /// One for all who wait, who are told of a failure too.
    reading: Together<(), Result<Arc<SecretData>, CredentialsError>>,
}

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

/// Credentials that were made, and whether nothing changed meanwhile.
struct Made {
    credentials: Arc<Credentials>,
    is_current: bool,
}

// === impl Secrets ===

impl<R: ReadSecret> Secrets<R> {
    /// Secrets that are read through `read`.
    pub fn new(read: R, plain_http: PlainHttp) -> Self {
        Self {
            read: Arc::new(read),
            plain_http,
            held: Mutex::default(),
            built: ArcSwap::default(),
        }
    }

    /// How far `secret` is known.
    pub(crate) fn held(&self, secret: &SecretRef) -> Held {
        match self.held.lock().get(secret).map(|slot| slot.data.get()) {
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
                let slot = Slot {
                    data: OnceCell::new_with(Some(Arc::new(data))),
                    ..Slot::default()
                };
                self.held.lock().insert(secret.clone(), Arc::new(slot));
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
        let referred: HashSet<_> = members.values().flat_map(|member| refs(member)).collect();
        self.held
            .lock()
            .retain(|secret, _| referred.contains(secret));
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
        let slot = Arc::clone(self.held.lock().entry(secret.clone()).or_default());
        if let Some(data) = slot.data.get() {
            return Ok(Arc::clone(data));
        }
        let begin = || {
            let (slot, read, secret) = (Arc::clone(&slot), Arc::clone(&self.read), secret.clone());
            let read = async move {
                let data = read_once(&*read, &secret).await?;
                slot.data.set(Arc::clone(&data)).unwrap_or_default();
                Ok(data)
            };
            read.boxed()
        };
        slot.reading.share((), begin).await
    }

    /// The credentials of `member`. What is made of a secret that changes meanwhile is not handed
    /// out where there is time to make it anew: it would take the place of what is newer.
    async fn build(&self, member: &Arc<Member>) -> Result<Arc<Credentials>, CredentialsError> {
        let mut made = self.build_once(member).await?;
        for _ in 1..ATTEMPTS {
            if made.is_current {
                break;
            }
            made = self.build_once(member).await?;
        }
        Ok(made.credentials)
    }

    async fn build_once(&self, member: &Arc<Member>) -> Result<Made, CredentialsError> {
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
        let is_current = self.keep(built, used.into_iter().chain([(secret, data)]).collect());
        Ok(Made {
            credentials,
            is_current,
        })
    }

    /// Keeps `built` for the next request, unless one of the secrets it is `made_of` changed
    /// while it was made, and tells whether it did.
    fn keep(&self, built: Built, made_of: Vec<(&SecretRef, Arc<SecretData>)>) -> bool {
        let held = self.held.lock();
        let current = |(secret, data): &(&SecretRef, Arc<SecretData>)| {
            let known = held.get(*secret).and_then(|slot| slot.data.get());
            known.is_some_and(|known| Arc::ptr_eq(known, data))
        };
        let is_current = made_of.iter().all(current);
        if is_current {
            self.built.rcu(|all| {
                let mut all = HashMap::clone(all);
                all.insert(built.member.name.clone(), built.clone());
                all
            });
        }
        is_current
    }
}

/// Reads `secret` for all who wait for it.
async fn read_once(
    read: &impl ReadSecret,
    secret: &SecretRef,
) -> Result<Arc<SecretData>, CredentialsError> {
    let unavailable = |source| CredentialsError::Unavailable {
        secret: secret.clone(),
        source,
    };
    match timeout(TIMEOUT, read.read_secret(secret)).await {
        Ok(Ok(Some(data))) => Ok(Arc::new(data)),
        Ok(Ok(None)) => Err(CredentialsError::NotFound(secret.clone())),
        Ok(Err(source)) => Err(unavailable(Arc::from(source))),
        Err(_) => Err(unavailable(Arc::new(TooLong))),
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
