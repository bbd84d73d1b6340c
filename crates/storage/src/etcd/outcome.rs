//! Finds out what became of a write whose answer was lost.
//!
//! A write is a transaction: if the key is at the revision that the caller knows, write, else read.
//! When the answer to an attempt is lost (the connection broke, or etcd itself gave up waiting) the
//! same transaction goes to the next endpoint. That is safe, because a committed write moves the key
//! off the revision that both expect: at most one attempt takes effect. If the later attempt writes,
//! that is the result. If it finds the key moved, who moved it? The store's history tells: the first
//! change of the key after the attempt began is either just what was to be written, then it is taken
//! for ours, or it is somebody else's, then it is a conflict.
//!
//! A refusal may come after the write was done, too: by an earlier attempt, or by the very one that
//! is answered "no space", which etcd says also when it has written and is over its quota then. So
//! the key is read and, if it has moved, looked for in the history likewise. If it has not, nothing
//! was written, unless an earlier attempt is still under way.
//!
//! What this cannot tell apart: a change to the very same bytes, or a deletion, made by another at
//! the same moment from the same state; the outcome is as wanted then. And a key that was created,
//! of which the answer was lost, and that another deleted before the next attempt, is created again.

use bytes::Bytes;
use tokio::time;

use super::{
    EtcdStore,
    failure::CallError,
    wire::{self, etcdserverpb::TxnResponse},
};
use crate::{KeyValue, Range, StoreError, Write, WriteResult};

/// What is known after a lost answer.
#[derive(Debug)]
struct Lost<'a> {
    write: &'a Write,
    /// The store was at least here when the first attempt began.
    before: i64,
    /// The store was here when the key was found as below.
    after: i64,
    /// What the last attempt found, or a read after it.
    current: Option<KeyValue>,
}

/// A revision and the value since then, `None` of a deletion.
type Change = (i64, Option<Bytes>);

// === impl EtcdStore ===

impl EtcdStore {
    /// Writes, or finds out what became of it.
    pub(super) async fn write_once(&self, write: Write) -> Result<WriteResult, StoreError> {
        let before = self.client.seen();
        let called = match self.client.txn(wire::write_request(&write)).await {
            Ok(called) => called,
            Err(error) if error.is_doubtful_answer() => {
                return self.refused(&write, before, error).await;
            }
            Err(error) => return Err(error.of_write(write.size())),
        };
        let TxnResponse {
            header, succeeded, ..
        } = called.message;
        let after = header.unwrap_or_default().revision;
        if succeeded {
            return Ok(WriteResult::Committed { revision: after });
        }
        let current = wire::read_instead(called.message).and_then(wire::key_value);
        if !called.doubtful {
            return Ok(WriteResult::Conflict { current });
        }
        tracing::warn!(
            key = write.key(),
            "the answer to a write was lost, looking for its outcome"
        );
        let lost = Lost {
            write: &write,
            before,
            after,
            current,
        };
        self.settle(lost).await
    }

    /// What became of `write`, which was refused with `error` but may have been done.
    async fn refused(
        &self,
        write: &Write,
        before: i64,
        error: CallError,
    ) -> Result<WriteResult, StoreError> {
        let found = self.read(&Range::key(write.key())).await;
        let found = found.map_err(|error| StoreError::Uncertain {
            source: error.into(),
        })?;
        let after = found.revision;
        let current = found.items.into_iter().next();
        if current.as_ref().map(|kv| kv.mod_revision) == write.expected() {
            return Err(error.of_write(write.size()));
        }
        let lost = Lost {
            write,
            before,
            after,
            current,
        };
        self.settle(lost).await
    }

    async fn settle(&self, lost: Lost<'_>) -> Result<WriteResult, StoreError> {
        let patience = self.client.timeout();
        let uncertain = |source| StoreError::Uncertain { source };
        match time::timeout(patience, self.outcome(lost)).await {
            Ok(outcome) => outcome.map_err(|error| uncertain(error.into())),
            Err(elapsed) => Err(uncertain(elapsed.into())),
        }
    }

    async fn outcome(&self, lost: Lost<'_>) -> Result<WriteResult, StoreError> {
        let first_change = match lost.write.expected() {
            None => self.creation(&lost).await?,
            Some(expected) => self.first_change(&lost, expected).await?,
        };
        Ok(match first_change {
            Some((revision, value)) if value.as_ref() == lost.write.value() => {
                WriteResult::Committed { revision }
            }
            Some(_) | None => WriteResult::Conflict {
                current: lost.current,
            },
        })
    }

    /// When and with what the key came into being, if that was after the attempt began.
    async fn creation(&self, lost: &Lost<'_>) -> Result<Option<Change>, StoreError> {
        let Some(current) = &lost.current else {
            return Ok(None);
        };
        let revision = current.create_revision;
        if revision <= lost.before {
            return Ok(None);
        }
        let value = self
            .state(lost.write.key(), revision)
            .await?
            .map(|kv| kv.value);
        Ok(Some((revision, value)))
    }

    /// The first thing that happened to the key since it was at `expected`, if that was after the
    /// attempt began. Searches by halves: the key was at `expected` up to some revision, and never
    /// again.
    async fn first_change(
        &self,
        lost: &Lost<'_>,
        expected: i64,
    ) -> Result<Option<Change>, StoreError> {
        let key = lost.write.key();
        let unchanged =
            |state: &Option<KeyValue>| state.as_ref().is_some_and(|kv| kv.mod_revision == expected);
        let mut before = lost.before.max(expected);
        if !unchanged(&self.state(key, before).await?) {
            return Ok(None);
        }
        let (mut after, mut changed) = (lost.after, lost.current.clone());
        while before + 1 < after {
            let middle = before.midpoint(after);
            let state = self.state(key, middle).await?;
            if unchanged(&state) {
                before = middle;
            } else {
                (after, changed) = (middle, state);
            }
        }
        Ok(Some((after, changed.map(|kv| kv.value))))
    }

    async fn state(&self, key: &str, revision: i64) -> Result<Option<KeyValue>, StoreError> {
        let found = self.read(&Range::key(key).at_revision(revision)).await?;
        Ok(found.items.into_iter().next())
    }
}

#[cfg(test)]
mod tests;
