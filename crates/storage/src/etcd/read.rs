//! Reads. Single keys as they are now are read together where many are wanted at once: one
//! transaction costs both sides less than as many reads, each with a round among etcd's members.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time;

use super::{
    EtcdStore,
    failure::CallError,
    wire::{self, etcdserverpb::RangeResponse},
};
use crate::{Keys, Range, RangeResult, StoreError};

/// What some keys were at one revision, in the order in which they were asked for.
#[derive(Debug)]
pub(super) struct States {
    revision: i64,
    keys: Vec<RangeResponse>,
}

/// An answer that many wait for.
pub(super) type SharedStates = Arc<Result<States, CallError>>;

// === impl EtcdStore ===

impl EtcdStore {
    pub(super) async fn read(&self, request: &Range) -> Result<RangeResult, StoreError> {
        match request {
            Range {
                keys: Keys::One(key),
                start: None,
                at: None,
                limit: _,
            } => self.read_key(key).await,
            other => self.read_range(other).await,
        }
    }

    async fn read_range(&self, request: &Range) -> Result<RangeResult, StoreError> {
        let called = self.client.range(wire::range_request(request)).await;
        let at = request.at.filter(|at| *at > 0);
        let response = called
            .map_err(|error| error.of_read(at.unwrap_or(0)))?
            .message;
        let now = response.header.unwrap_or_default().revision;
        Ok(wire::range_result(response, at.unwrap_or(now)))
    }

    /// Reads one key as it is now, together with others that are wanted at the same time.
    async fn read_key(&self, key: &str) -> Result<RangeResult, StoreError> {
        let key = Bytes::copy_from_slice(key.as_bytes());
        let asked = self
            .keys
            .ask(key, |keys| async { Arc::new(self.read_keys(keys).await) });
        let Ok((place, states)) = time::timeout(self.client.timeout(), asked).await else {
            return Err(CallError::NoAnswer(self.client.no_answer()).of_read(0));
        };
        let States { revision, keys } = states
            .as_ref()
            .as_ref()
            .map_err(|error| error.clone().of_read(0))?;
        let state = keys.get(place).ok_or_else(|| StoreError::Refused {
            source: "etcd left a key out of its answer".into(),
        })?;
        Ok(wire::range_result(state.clone(), *revision))
    }

    async fn read_keys(&self, keys: Vec<Bytes>) -> Result<States, CallError> {
        if let [key] = &*keys {
            let response = self
                .client
                .range(wire::read_key(key.clone()))
                .await?
                .message;
            let revision = response.header.unwrap_or_default().revision;
            return Ok(States {
                revision,
                keys: vec![response],
            });
        }
        let response = self.client.txn(wire::read_keys(keys)).await?.message;
        Ok(States {
            revision: response.header.unwrap_or_default().revision,
            keys: wire::ranges(response).collect(),
        })
    }
}
