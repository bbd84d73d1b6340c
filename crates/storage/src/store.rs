//! The port: what a versioned store does, and the values that go in and out.

use std::{error::Error, fmt::Debug};

use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};

use crate::encryption::Unreadable;

/// A store of keys under one revision counter.
///
/// Each committed write moves the counter by at least one; a key carries the revision of its last
/// write. Revisions start above zero, so that zero never names a state.
pub trait Store: Debug + Send + Sync + 'static {
    /// Reads one key, or the keys under a prefix in byte order. Sees every write that was
    /// acknowledged before the call, by whomever.
    fn range(&self, request: Range) -> BoxFuture<'_, Result<RangeResult, StoreError>>;

    /// Creates, replaces or deletes one key if it is as the request expects, else says what is
    /// there. An acknowledged write is durable (as durable as the backend is). Dropping the future
    /// does not take a write back.
    fn write(&self, request: Write) -> BoxFuture<'_, Result<WriteResult, StoreError>>;

    /// Everything that happens to the keys under `prefix` after revision `after`, in order and
    /// each event once. `0` asks for all that ever happened.
    ///
    /// Broken connections are mended inside: the stream goes on from the last revision that it
    /// delivered and never repeats one. It ends only after an error, and the one error that waiting
    /// cannot mend is [`StoreError::Compacted`]: read the range anew and watch from there.
    fn watch(
        &self,
        prefix: String,
        after: i64,
    ) -> BoxStream<'static, Result<WatchBatch, StoreError>>;

    /// Asks for a sign of progress on every watch that has come as far as the store. A store where
    /// nobody else writes has nothing to tell that the events do not.
    fn request_progress(&self) {}
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The whole key.
    pub key: String,
    /// The bytes as written. Empty in the event of a deletion.
    pub value: Bytes,
    /// The revision at which the key came into being, last time it did. `0` in the event of a
    /// deletion.
    pub create_revision: i64,
    /// The revision of the last write to the key.
    pub mod_revision: i64,
    /// How many times the key was written since it came into being. `0` in the event of a deletion.
    pub version: i64,
    /// How the bytes were kept.
    pub state: ValueState,
}

/// How bytes were kept, as far as it matters to who reads or writes next. Stores that keep bytes as
/// they are know the first state only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ValueState {
    /// As the next write would keep them.
    #[default]
    Current,
    /// Not as the next write would keep them: to be written, even if nothing else changes.
    Stale,
    /// In a way that cannot be undone: the value is what was kept, and of no use.
    Unreadable(Unreadable),
}

/// Which keys to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// This key alone.
    One(String),
    /// Every key that starts with these bytes; the empty prefix is the whole store.
    Prefix(String),
}

/// A read. Made by [`Range::key`] or [`Range::prefix`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Which keys.
    pub keys: Keys,
    /// Keys before this one are left out and not counted. A page goes on at the last key of the
    /// page before with a zero byte appended.
    pub start: Option<String>,
    /// At most so many items; `0` is no limit.
    pub limit: usize,
    /// The state at this revision rather than now. `0` is now, as in etcd.
    pub at: Option<i64>,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeResult {
    /// The keys found, in byte order.
    pub items: Vec<KeyValue>,
    /// The revision of the state that was read: [`Range::at`], or the store's own at that moment.
    /// A watch after it continues the read without a gap.
    pub revision: i64,
    /// How many keys there are from [`Range::start`] on, whatever the limit.
    pub count: usize,
    /// Whether the limit cut the items short.
    pub more: bool,
}

/// A write to one key, with what it expects to find there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Puts a key that must not exist.
    Create {
        /// The whole key.
        key: String,
        /// Its bytes.
        value: Bytes,
    },
    /// Removes a key that must be at `mod_revision`.
    Delete {
        /// The whole key.
        key: String,
        /// [`KeyValue::mod_revision`] as last read.
        mod_revision: i64,
    },
    /// Replaces the bytes of a key that must be at `mod_revision`.
    Update {
        /// The whole key.
        key: String,
        /// Its new bytes.
        value: Bytes,
        /// [`KeyValue::mod_revision`] as last read.
        mod_revision: i64,
    },
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// It is done, at this revision.
    Committed {
        /// The key's new [`KeyValue::mod_revision`], or the revision of its deletion.
        revision: i64,
    },
    /// The key was not as expected, and nothing was written.
    Conflict {
        /// What is there instead; `None` if the key does not exist.
        current: Option<KeyValue>,
    },
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was removed.
    Delete,
    /// It was created or replaced.
    Put,
}

/// One thing that happened to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The key as it is now. Of a deletion: the key, its revision in `mod_revision`, and nothing
    /// else.
    pub kv: KeyValue,
    /// The key as it was before. `None` where it did not exist, and, over etcd only, where the
    /// state before was compacted away between the write and the delivery.
    pub prev: Option<KeyValue>,
}

/// Some events of a watch, or none: then it is a sign of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchBatch {
    /// In the order of their revisions; a revision is never spread over two batches.
    pub events: Vec<Event>,
    /// Everything under the prefix up to this revision has now been delivered.
    pub revision: i64,
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store no longer keeps this revision. Read the present state instead.
    #[error("revision {revision} has been compacted")]
    Compacted {
        /// The revision that was asked for.
        revision: i64,
    },
    /// The store has not reached this revision yet.
    #[error("revision {revision} is yet to come")]
    FutureRevision {
        /// The revision that was asked for.
        revision: i64,
    },
    /// The store answered no, and will answer so again until an operator does something: no
    /// rights, no space, a broken cluster. Nothing was written.
    #[error("the store refused the request")]
    Refused {
        /// The store's own words.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The value is bigger than the store takes. Nothing was written.
    #[error("the request of {size} bytes is larger than the store accepts")]
    TooLarge {
        /// The size of key and value in bytes.
        size: usize,
    },
    /// The store cannot be reached, or did not answer a read in time. Nothing was written; trying
    /// again is safe.
    #[error("the store is not available")]
    Unavailable {
        /// What kept us from it, most recently.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store was asked to write and what became of it is not known: **it may have been
    /// committed**, now or a moment later. Only a write can end so.
    #[error("it is not known whether the store committed the write")]
    Uncertain {
        /// What came instead of an answer.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Joins a configured prefix and a path to a key: one slash at the start and one between the
/// parts, whatever slashes they bring, as `--etcd-prefix` is understood. A slash at the end of
/// `path` stays, so that a directory can be ranged over.
pub fn key(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_matches('/');
    let path = path.trim_start_matches('/');
    if prefix.is_empty() {
        format!("/{path}")
    } else {
        format!("/{prefix}/{path}")
    }
}

// === impl Range ===

impl Range {
    /// Reads one key.
    pub fn key(key: impl Into<String>) -> Self {
        Self {
            keys: Keys::One(key.into()),
            start: None,
            limit: 0,
            at: None,
        }
    }

    /// Reads all keys that start with `prefix`.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self {
            keys: Keys::Prefix(prefix.into()),
            start: None,
            limit: 0,
            at: None,
        }
    }

    /// Leaves out keys before `start`.
    pub fn starting_at(self, start: impl Into<String>) -> Self {
        Self {
            start: Some(start.into()),
            ..self
        }
    }

    /// Asks for at most `limit` items; `0` is no limit.
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Asks for the state at `revision`.
    pub fn at_revision(self, revision: i64) -> Self {
        Self {
            at: Some(revision),
            ..self
        }
    }

    /// The first key that could be part of the answer.
    pub(crate) fn first(&self) -> &str {
        let (Keys::One(first) | Keys::Prefix(first)) = &self.keys;
        self.start
            .as_deref()
            .map_or(first, |start| start.max(first))
    }

    /// Whether `key` is one of [`Range::keys`]; true for a run of keys in byte order.
    pub(crate) fn covers(&self, key: &str) -> bool {
        match &self.keys {
            Keys::One(one) => key == one,
            Keys::Prefix(prefix) => key.starts_with(prefix.as_str()),
        }
    }
}

// === impl Write ===

impl Write {
    /// The key that is written to.
    pub fn key(&self) -> &str {
        match self {
            Self::Create { key, .. } | Self::Delete { key, .. } | Self::Update { key, .. } => key,
        }
    }

    /// The revision that the key must be at; `None` if it must not exist.
    pub fn expected(&self) -> Option<i64> {
        match self {
            Self::Create { .. } => None,
            Self::Delete { mod_revision, .. } | Self::Update { mod_revision, .. } => {
                Some(*mod_revision)
            }
        }
    }

    /// The bytes to put; `None` for a deletion.
    pub fn value(&self) -> Option<&Bytes> {
        match self {
            Self::Create { value, .. } | Self::Update { value, .. } => Some(value),
            Self::Delete { .. } => None,
        }
    }

    /// Key and value together, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.key().len() + self.value().map_or(0, Bytes::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_with_one_slash() {
        #[track_caller]
        fn check(prefix: &str, path: &str, want: &str) {
            assert_eq!(key(prefix, path), want);
        }
        check(
            "/registry",
            "cluster.karmada.io/clusters/m1",
            "/registry/cluster.karmada.io/clusters/m1",
        );
        check("registry/", "/clusters/", "/registry/clusters/");
        check("/", "clusters", "/clusters");
        check("", "/clusters", "/clusters");
        check("/a/b/", "c", "/a/b/c");
    }

    #[test]
    fn a_message_does_not_tell_its_cause() {
        let error = StoreError::Unavailable {
            source: "connection refused".into(),
        };
        assert_eq!(error.to_string(), "the store is not available");
    }

    #[test]
    fn a_range_starts_at_the_later_of_prefix_and_start() {
        #[track_caller]
        fn check(start: &str, want: &str) {
            assert_eq!(Range::prefix("b/").starting_at(start).first(), want);
        }
        check("a", "b/");
        check("b/x", "b/x");
        check("c", "c");
    }
}
