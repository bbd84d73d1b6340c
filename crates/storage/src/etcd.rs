//! The store in an etcd cluster: reads are linearizable, writes are transactions, watches go on.
//!
//! # Several endpoints
//! Requests go to one endpoint until it fails, then to the next. An endpoint that does not accept a
//! connection is left after 2 s at most; one that accepts it and then falls silent, after 5 s
//! (a ping after 3 s, and 2 s for its answer). Reads are tried again until the request's time is
//! over. So are writes: that is safe because they are conditional, and where an answer was lost the
//! outcome is looked up in the history (see the module `outcome`). Only if that cannot be done in
//! time the caller gets [`StoreError::Uncertain`].
//!
//! # What etcd must be
//! Version 3.5.13 or newer: older ones may tell progress of a watch before its events.

mod client;
mod compaction;
mod config;
mod connect;
mod failure;
mod outcome;
mod read;
#[cfg(test)]
mod scripted;
mod together;
mod watch;
mod wire;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture, stream::BoxStream};
use tokio::sync::Notify;

use self::{
    client::Client, connect::Endpoint, read::SharedStates, together::Together, watch::Progress,
};
use crate::{Range, RangeResult, Store, StoreError, WatchBatch, Write, WriteResult};

pub use config::{EtcdConfig, EtcdConfigError, EtcdIdentity, EtcdTls};

/// A [`Store`] in an etcd cluster.
#[derive(Debug)]
pub struct EtcdStore {
    client: Arc<Client>,
    /// Reads of single keys.
    keys: Together<Bytes, SharedStates>,
    progress_interval: Duration,
    /// Has all watches ask for progress.
    progress: Arc<Notify>,
}

// === impl EtcdStore ===

impl EtcdStore {
    /// A store that connects when it is used. Has to be made within a Tokio runtime.
    ///
    /// # Errors
    /// [`EtcdConfigError`]. The files are read once here, so that what is wrong with them is said
    /// at start.
    pub fn new(config: &EtcdConfig) -> Result<Self, EtcdConfigError> {
        let EtcdConfig {
            endpoints,
            tls,
            request_timeout,
            progress_interval,
        } = config;
        if endpoints.is_empty() {
            return Err(EtcdConfigError::NoEndpoint);
        }
        let endpoints = endpoints
            .iter()
            .map(|endpoint| Endpoint::new(endpoint, tls));
        let endpoints = endpoints.collect::<Result<_, _>>()?;
        Ok(Self {
            client: Client::new(endpoints, *request_timeout),
            keys: Together::new(),
            progress_interval: (*progress_interval).min(EtcdConfig::PROGRESS_INTERVAL),
            progress: Arc::default(),
        })
    }
}

impl Store for EtcdStore {
    fn range(&self, request: Range) -> BoxFuture<'_, Result<RangeResult, StoreError>> {
        async move { self.read(&request).await }.boxed()
    }

    fn write(&self, request: Write) -> BoxFuture<'_, Result<WriteResult, StoreError>> {
        self.write_once(request).boxed()
    }

    fn watch(
        &self,
        prefix: String,
        after: i64,
    ) -> BoxStream<'static, Result<WatchBatch, StoreError>> {
        let progress = Progress {
            interval: self.progress_interval,
            wanted: Arc::clone(&self.progress),
        };
        watch::watch(Arc::clone(&self.client), prefix, after, progress)
    }

    fn request_progress(&self) {
        self.progress.notify_waiters();
    }
}
