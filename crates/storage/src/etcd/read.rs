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

/// An answer that many wait for. `None` where they were refused together, perhaps for one key of
/// theirs: then each has to ask by itself.
pub(super) type SharedStates = Arc<Result<Option<States>, CallError>>;

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

    /// Reads one key as it is now.
    async fn read_key(&self, key: &str) -> Result<RangeResult, StoreError> {
        let read = self.read_with_others(key);
        match time::timeout(self.client.timeout(), read).await {
            Ok(result) => result,
            Err(_) => Err(CallError::NoAnswer(self.client.no_answer()).of_read(0)),
        }
    }

    /// Reads `key` together with others that are wanted at the same time.
    async fn read_with_others(&self, key: &str) -> Result<RangeResult, StoreError> {
        let question = Bytes::copy_from_slice(key.as_bytes());
        let asked = self.keys.ask(question, |keys| async {
            Arc::new(self.read_keys(keys).await)
        });
        let (place, states) = asked.await;
        let States { revision, keys } = match &*states {
            Ok(Some(states)) => states,
            Ok(None) => return self.read_range(&Range::key(key)).await,
            Err(error) => return Err(error.clone().of_read(0)),
        };
        let state = keys.get(place).ok_or_else(|| StoreError::Refused {
            source: "etcd left a key out of its answer".into(),
        })?;
        Ok(wire::range_result(state.clone(), *revision))
    }

    async fn read_keys(&self, keys: Vec<Bytes>) -> Result<Option<States>, CallError> {
        if let [key] = &*keys {
            let response = self
                .client
                .range(wire::read_key(key.clone()))
                .await?
                .message;
            let revision = response.header.unwrap_or_default().revision;
            return Ok(Some(States {
                revision,
                keys: vec![response],
            }));
        }
        let response = match self.client.txn(wire::read_keys(keys)).await {
            Ok(called) => called.message,
            Err(CallError::Answer { .. }) => return Ok(None),
            Err(error @ CallError::NoAnswer(_)) => return Err(error),
        };
        Ok(Some(States {
            revision: response.header.unwrap_or_default().revision,
            keys: wire::ranges(response).collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use fleetgate_testkit::{FakeMember, Received};
    use futures::future::join_all;

    use super::*;
    use crate::etcd::scripted::{answer, header, refusal, store};

    #[tokio::test]
    async fn a_key_that_may_not_be_read_spoils_no_other() {
        let [joined, single] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let counts = [joined.clone(), single.clone()];
        let etcd = FakeMember::plain()
            .start(move |received: &Received| match received.path.as_str() {
                "/etcdserverpb.KV/Txn" => {
                    counts[0].fetch_add(1, Ordering::SeqCst);
                    refusal("7", "etcdserver: permission denied")
                }
                "/etcdserverpb.KV/Range" => match counts[1].fetch_add(1, Ordering::SeqCst) {
                    3 => refusal("7", "etcdserver: permission denied"),
                    _ => answer(&RangeResponse {
                        header: header(9),
                        ..RangeResponse::default()
                    }),
                },
                other => panic!("{other} is asked"),
            })
            .await;
        let store = store(&etcd);
        let reads = ["/a", "/b", "/c", "/d", "/e", "/f"].map(|key| store.read_key(key));
        let found = join_all(reads).await;
        let refused = |result: &&Result<_, _>| matches!(result, Err(StoreError::Refused { .. }));
        assert_eq!(found.iter().filter(refused).count(), 1, "{found:?}");
        assert_eq!(found.iter().flatten().count(), 5, "{found:?}");
        assert_eq!(joined.load(Ordering::SeqCst), 1);
        assert_eq!(single.load(Ordering::SeqCst), 6);
    }
}
