//! Tells the held secrets what changed at the host.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use fleetgate_model::{ClusterName, Member, SecretRef};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        watcher::{self, Config, Event, watcher},
    },
};
use tokio::{sync::watch::Receiver, task::JoinSet};

use crate::{
    HostSecrets, ReadSecret, Secrets,
    host::can_be,
    secrets::{Held, TooLong, refs},
};

/// Registered clusters by name, as the registry tells of them.
type Members = Arc<HashMap<ClusterName, Arc<Member>>>;

/// Watches the metadata of secrets in every namespace that a cluster refers to, for as long as
/// `members` has a sender. `synced` is told once for each namespace when all its secrets were seen.
pub async fn watch(
    secrets: Arc<Secrets<HostSecrets>>,
    host: HostSecrets,
    mut members: Receiver<Members>,
    synced: impl Fn(&str) + Clone + Send + 'static,
) {
    let mut watches = JoinSet::new();
    let mut lasting = host.lasting();
    let mut watched = HashMap::new();
    loop {
        let current = Arc::clone(&members.borrow_and_update());
        secrets.retain(&current);
        let all = current
            .values()
            .flat_map(|m| refs(m))
            .filter(|secret| can_be(secret))
            .map(|secret| secret.namespace.clone());
        let needed: BTreeSet<String> = all.collect();
        watched.retain(|namespace, abort: &mut tokio::task::AbortHandle| {
            let keep = needed.contains(namespace);
            if !keep {
                abort.abort();
            }
            keep
        });
        // What ended would be kept until it is asked for.
        while watches.try_join_next().is_some() {}
        for namespace in needed {
            watched.entry(namespace.clone()).or_insert_with(|| {
                let (secrets, client) = (Arc::clone(&secrets), lasting.client());
                watches.spawn(watch_namespace(secrets, client, namespace, synced.clone()))
            });
        }
        if members.changed().await.is_err() {
            return;
        }
    }
}

async fn watch_namespace(
    secrets: Arc<Secrets<HostSecrets>>,
    client: Client,
    namespace: String,
    synced: impl Fn(&str),
) {
    loop {
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(client.clone(), &namespace);
        let events = watcher(api, Config::default()).default_backoff();
        let mut seen = HashSet::new();
        let mut events = events.map_err(Box::new).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::InitDone) => {
                    let held = secrets.held_in(&namespace).into_iter();
                    held.filter(|s| !seen.contains(s))
                        .for_each(|s| secrets.forget(&s));
                    synced(&namespace);
                }
                Ok(event) => apply(&secrets, event, &mut seen).await,
                Err(error) => {
                    let expired = is_expired(&error);
                    let error = &*error as &dyn std::error::Error;
                    tracing::warn!(namespace, error, "secrets cannot be watched, trying again");
                    if expired {
                        break;
                    }
                }
            }
        }
    }
}

/// Whether a watch must start anew with a list. The watcher does so by itself where the host tells
/// within the watch, but not where it refuses to open one.
fn is_expired(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchError(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => false,
    }
}

async fn apply(
    secrets: &Secrets<HostSecrets>,
    event: Event<PartialObjectMeta<Secret>>,
    seen: &mut HashSet<SecretRef>,
) {
    match event {
        Event::Init => seen.clear(),
        Event::InitApply(meta) => {
            let secret = reference(&meta);
            changed(secrets, &secret, &meta).await;
            if matches!(secrets.held(&secret), Held::Version(_)) {
                seen.insert(secret);
            }
        }
        Event::Apply(meta) => changed(secrets, &reference(&meta), &meta).await,
        Event::Delete(meta) => secrets.forget(&reference(&meta)),
        Event::InitDone => {}
    }
}

/// Reads a held secret again if `meta` is of another version. What is held stays in use while the
/// host says nothing.
async fn changed(
    secrets: &Secrets<impl ReadSecret>,
    secret: &SecretRef,
    meta: &PartialObjectMeta<Secret>,
) {
    match secrets.held(secret) {
        Held::No => return,
        // Nobody knows whether what is being read is from before the change or after it.
        Held::Reading => return secrets.forget(secret),
        Held::Version(version) if Some(&version) == meta.resource_version().as_ref() => return,
        Held::Version(_) => {}
    }
    while let Err(error) = secrets.refresh(secret).await {
        let is_silent = error.is::<TooLong>();
        let error = &*error as &dyn std::error::Error;
        tracing::warn!(
            namespace = secret.namespace,
            error,
            "a changed secret cannot be read"
        );
        if !is_silent {
            // The next request reads it; until then the old one would be used for ever.
            return secrets.forget(secret);
        }
    }
}

fn reference(meta: &PartialObjectMeta<Secret>) -> SecretRef {
    SecretRef {
        namespace: meta.namespace().unwrap_or_default(),
        name: meta.name_any(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use fleetgate_model::{ClusterName, Member, Redacted, ResolveCredentials, SecretRef};
    use k8s_openapi::api::core::v1::Secret;
    use kube::api::PartialObjectMetaExt;

    use super::changed;
    use crate::{
        PlainHttp, SecretData,
        secrets::{Secrets, TIMEOUT},
    };

    #[tokio::test(start_paused = true)]
    async fn what_is_held_stays_in_use_while_the_host_says_nothing() {
        let reads = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&reads);
        let read = move |_: &SecretRef| {
            let number = counter.fetch_add(1, Ordering::Relaxed);
            async move {
                if number == 1 || number == 2 {
                    std::future::pending::<()>().await;
                }
                Ok(Some(SecretData {
                    token: Some(Redacted::new(format!("t{number}"))),
                    resource_version: number.to_string(),
                    ..SecretData::default()
                }))
            }
        };
        let secrets = Secrets::new(read, PlainHttp::Refuse);
        let secret = SecretRef {
            namespace: "ns".to_owned(),
            name: "m-impersonator".to_owned(),
        };
        let member = Arc::new(Member {
            impersonator_secret: Some(secret.clone()),
            ..Member::new(ClusterName::parse("m").expect("a name"), "https://m")
        });
        let token = async || {
            let found = secrets.resolve_credentials(&member).await;
            found.expect("credentials").authorization.clone()
        };
        assert_eq!(token().await, "bearer t0");
        let meta = kube::api::ObjectMeta {
            resource_version: Some("3".to_owned()),
            ..kube::api::ObjectMeta::default()
        };
        let meta = meta.into_response_partial::<Secret>();
        let later = async {
            tokio::time::sleep(TIMEOUT * 3 / 2).await;
            token().await
        };
        let ((), meanwhile) = tokio::join!(changed(&secrets, &secret, &meta), later);
        assert_eq!(meanwhile, "bearer t0");
        assert_eq!(token().await, "bearer t3");
    }
}
