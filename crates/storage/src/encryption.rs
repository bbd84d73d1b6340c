//! Values encrypted at rest, over any store, in the form and by the configuration of
//! kube-apiserver (`--encryption-provider-config`).
//!
//! The configuration says for each resource which providers there are. The first one writes; each
//! reads what begins with its prefix. What another than the first has written is
//! [stale](ValueState::Stale), what none can read is [unreadable](ValueState::Unreadable), and an
//! operator may bring in another configuration at any time.

mod cipher;
mod config;
mod parse;
mod provider;
mod reload;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use tokio::sync::watch;

use crate::{
    EventKind, KeyValue, Range, RangeResult, Store, StoreError, ValueState, WatchBatch, Write,
    WriteResult, key,
};

pub use self::{
    config::{EncryptionConfig, EncryptionConfigError},
    provider::Unreadable,
    reload::{ReloadMetrics, Reloader},
};

/// A [`Store`] of which the values are encrypted in another one.
#[derive(Debug)]
pub struct EncryptedStore {
    inner: Arc<dyn Store>,
    encryption: Arc<Encryption>,
}

/// The configuration in use, which can be exchanged.
pub struct Encryption {
    /// What the keys begin with before group and resource; ends in a slash.
    prefix: String,
    active: ArcSwap<Active>,
    /// Counts the exchanges that may have made readable what was not.
    healed: watch::Sender<u64>,
}

struct Active {
    config: EncryptionConfig,
    /// Whether there was a value that it could not read.
    failed: AtomicBool,
}

/// Where a watch stands.
struct Watcher {
    inner: BoxStream<'static, Result<WatchBatch, StoreError>>,
    encryption: Arc<Encryption>,
    healed: watch::Receiver<u64>,
    /// Everything up to here was delivered.
    after: i64,
}

// === impl EncryptedStore ===

impl EncryptedStore {
    /// Keeps in `inner` what is encrypted by `encryption`.
    pub fn new(inner: Arc<dyn Store>, encryption: Arc<Encryption>) -> Self {
        Self { inner, encryption }
    }

    async fn read(&self, request: Range) -> Result<RangeResult, StoreError> {
        let mut found = self.inner.range(request).await?;
        for kv in &mut found.items {
            self.encryption.open(kv);
        }
        Ok(found)
    }

    async fn put(&self, write: Write) -> Result<WriteResult, StoreError> {
        let size = write.size();
        let sealed = self.encryption.seal(write)?;
        let mut result = self.inner.write(sealed).await.map_err(|error| {
            if matches!(error, StoreError::TooLarge { .. }) {
                StoreError::TooLarge { size }
            } else {
                error
            }
        })?;
        if let WriteResult::Conflict {
            current: Some(current),
        } = &mut result
        {
            self.encryption.open(current);
        }
        Ok(result)
    }
}

impl Store for EncryptedStore {
    fn range(&self, request: Range) -> BoxFuture<'_, Result<RangeResult, StoreError>> {
        self.read(request).boxed()
    }

    fn write(&self, request: Write) -> BoxFuture<'_, Result<WriteResult, StoreError>> {
        self.put(request).boxed()
    }

    /// A watch also ends with [`StoreError::Compacted`] where values were unreadable, to whomever,
    /// and a new configuration may read them: whoever keeps a copy of the range has to read it anew.
    fn watch(
        &self,
        prefix: String,
        after: i64,
    ) -> BoxStream<'static, Result<WatchBatch, StoreError>> {
        let watcher = Watcher {
            inner: self.inner.watch(prefix, after),
            encryption: Arc::clone(&self.encryption),
            healed: self.encryption.healed.subscribe(),
            after,
        };
        stream::unfold(Some(watcher), |watcher| async move {
            let mut watcher = watcher?;
            match watcher.next().await? {
                Ok(batch) => Some((Ok(batch), Some(watcher))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    fn request_progress(&self) {
        self.inner.request_progress();
    }
}

// === impl Watcher ===

impl Watcher {
    async fn next(&mut self) -> Option<Result<WatchBatch, StoreError>> {
        let next = tokio::select! {
            next = self.inner.next() => next?,
            // The watcher itself keeps the sender alive.
            _ = self.healed.changed() => Err(StoreError::Compacted { revision: self.after }),
        };
        Some(next.map(|mut batch| {
            for event in &mut batch.events {
                // A deletion has no value.
                if event.kind == EventKind::Put {
                    self.encryption.open(&mut event.kv);
                }
                if let Some(prev) = &mut event.prev {
                    self.encryption.open(prev);
                }
            }
            self.after = batch.revision;
            batch
        }))
    }
}

// === impl Encryption ===

impl Encryption {
    /// `config`, for keys under `prefix` (`--etcd-prefix`): group, resource and name follow there.
    pub fn new(config: EncryptionConfig, prefix: &str) -> Self {
        Self {
            prefix: key(prefix, ""),
            active: ArcSwap::from_pointee(Active::new(config)),
            healed: watch::Sender::new(0),
        }
    }

    /// From now on, `config` counts.
    pub fn exchange(&self, config: EncryptionConfig) {
        let old = self.active.swap(Arc::new(Active::new(config)));
        if old.failed.load(Ordering::SeqCst) {
            self.healed.send_modify(|count| *count += 1);
        }
    }

    fn open(&self, kv: &mut KeyValue) {
        let Some((group, resource)) = self.resource(&kv.key) else {
            return;
        };
        loop {
            let active = self.active.load_full();
            let providers = active.config.providers(group, resource);
            match providers.open(&kv.value, kv.key.as_bytes()) {
                Ok(opened) => {
                    kv.value = opened.value;
                    kv.state = opened.state;
                    return;
                }
                Err(reason) => {
                    active.failed.store(true, Ordering::SeqCst);
                    // Who exchanged it meanwhile may not have seen that.
                    if Arc::ptr_eq(&active, &self.active.load_full()) {
                        kv.state = ValueState::Unreadable(reason);
                        return;
                    }
                }
            }
        }
    }

    fn seal(&self, mut write: Write) -> Result<Write, StoreError> {
        match &mut write {
            Write::Delete { .. } => {}
            Write::Create { key, value } | Write::Update { key, value, .. } => {
                if let Some((group, resource)) = self.resource(key) {
                    let active = self.active.load();
                    let providers = active.config.providers(group, resource);
                    let sealed = providers.seal(value, key.as_bytes());
                    *value = sealed.map_err(|source| StoreError::Refused {
                        source: source.into(),
                    })?;
                }
            }
        }
        Ok(write)
    }

    /// Group and resource of the object at `key`; nothing for a key that is none of ours.
    fn resource<'a>(&self, key: &'a str) -> Option<(&'a str, &'a str)> {
        let path = key.strip_prefix(&self.prefix)?;
        let (group, rest) = path.split_once('/')?;
        Some((group, rest.split('/').next().unwrap_or_default()))
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption")
            .field("prefix", &self.prefix)
            .field("config", &self.active.load().config)
            .finish_non_exhaustive()
    }
}

// === impl Active ===

impl Active {
    const fn new(config: EncryptionConfig) -> Self {
        Self {
            config,
            failed: AtomicBool::new(false),
        }
    }
}

#[cfg(test)]
mod tests;
