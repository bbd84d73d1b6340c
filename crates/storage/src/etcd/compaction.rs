//! Forgets old revisions, in step with every other server over the same etcd.
//!
//! This is the protocol of kube-apiserver: the servers race to write the key `compact_rev_key`, one
//! wins each interval, and it compacts at the revision that the store had one interval before. The
//! version of that key is the number of the round.

use std::time::Duration;

use bytes::Bytes;
use tokio::time;

use super::{
    EtcdStore,
    client::requiring_leader,
    failure::{Answer, CallError},
    wire::{
        self,
        etcdserverpb::{
            CompactionRequest, PutRequest,
            compare::{CompareTarget, TargetUnion},
            request_op::Request,
        },
    },
};
use crate::StoreError;

const KEY: Bytes = Bytes::from_static(b"compact_rev_key");

/// What a server knows of the race.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Round {
    /// The version of the key.
    number: i64,
    /// The revision of the store then.
    revision: i64,
}

// === impl EtcdStore ===

impl EtcdStore {
    /// Forgets everything that was superseded before `revision`: reads and watches from before it
    /// fail with [`StoreError::Compacted`]. It is no error if that has been done already.
    ///
    /// # Errors
    /// Any [`StoreError`] that a read can have.
    pub async fn compact(&self, revision: i64) -> Result<(), StoreError> {
        let called = self.client.call(|mut kv| {
            let request = requiring_leader(CompactionRequest { revision });
            async move { kv.compact(request).await }
        });
        match called.await {
            Ok(called) => {
                self.client.note(called.message.header);
                Ok(())
            }
            Err(CallError::Answer {
                answer: Answer::Compacted,
                ..
            }) => Ok(()),
            Err(error) => Err(error.of_read(revision)),
        }
    }

    /// Compacts every `interval` what is older than one interval, if no other server does
    /// (`--etcd-compaction-interval`). Never ends by itself.
    pub async fn compact_every(&self, interval: Duration) {
        let mut round = Round::default();
        loop {
            time::sleep(interval).await;
            if let Err(error) = self.compact_round(&mut round).await {
                tracing::warn!(%error, "cannot compact etcd");
            }
        }
    }

    /// Enters the round after `round`, which it then is, and compacts if we win it. A round that was
    /// won is over even if the compaction fails: the next one compacts further anyway.
    async fn compact_round(&self, round: &mut Round) -> Result<(), StoreError> {
        let last = *round;
        let value = last.revision.to_string().into();
        let put = Request::RequestPut(PutRequest { key: KEY, value });
        let version = TargetUnion::Version(last.number);
        let request = wire::write_or_read(KEY, CompareTarget::Version, version, put);
        let called = self
            .client
            .txn(request)
            .await
            .map_err(|error| error.of_read(0))?;
        round.revision = called.message.header.unwrap_or_default().revision;
        if !called.message.succeeded {
            round.number = wire::read_instead(called.message).map_or(0, |kv| kv.version);
            return Ok(());
        }
        round.number = last.number + 1;
        if last.revision > 0 {
            self.compact(last.revision).await?;
            tracing::debug!(revision = last.revision, "compacted etcd");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
