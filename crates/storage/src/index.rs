//! The keys as they are, and what recently happened to them. No I/O, no locks.
//!
//! Every write is one event and moves the revision by one, so the history is a gapless run of
//! revisions that ends at the present. A state of the past is the present with later events undone.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
};

use bytes::Bytes;

use crate::{
    Event, EventKind, KeyValue, Range, RangeResult, StoreError, ValueState, WatchBatch, Write,
    WriteResult,
};

/// The revision of a store that was never written to, as in etcd: zero would mean "any" to
/// Kubernetes clients.
pub(crate) const FIRST_REVISION: i64 = 1;

/// What a request may weigh, key and value together: etcd's own default.
pub(crate) const MAX_REQUEST_BYTES: usize = 1_572_864;

/// What an event costs beside its bytes, about.
const EVENT_OVERHEAD: usize = 256;

/// A watcher takes at most so many events at a time, which bounds how long it holds the index.
const MAX_BATCH: usize = 1_000;

/// How much of the past a local store keeps: watches and reads that reach further back are answered
/// with [`StoreError::Compacted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// At most so many events.
    pub events: usize,
    /// At most so many bytes of keys and values, counting what an event replaced too.
    pub bytes: usize,
}

/// The live keys and the recent events.
#[derive(Debug)]
pub(crate) struct Index {
    live: BTreeMap<String, KeyValue>,
    history: VecDeque<Event>,
    history_bytes: usize,
    limits: History,
    revision: i64,
    /// The oldest revision whose state can still be told; events at or before it are gone.
    compacted: i64,
}

/// Writes that see each other, staged upon an index that does not change meanwhile.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    index: &'a Index,
    staged: HashMap<String, Option<KeyValue>>,
    events: Vec<Event>,
}

// === impl History ===

impl History {
    /// 10,000 events or 64 MiB, whichever is less: hours of a busy fleet.
    pub const RECENT: Self = Self {
        events: 10_000,
        bytes: 64 << 20,
    };
}

// === impl Index ===

impl Index {
    pub(crate) fn new(limits: History) -> Self {
        Self {
            live: BTreeMap::new(),
            history: VecDeque::new(),
            history_bytes: 0,
            limits,
            revision: FIRST_REVISION,
            compacted: 0,
        }
    }

    /// An index to [`replay`](Self::replay) what was kept of one that was at `revision` and had
    /// forgotten the events up to `compacted`.
    pub(crate) fn restored(limits: History, revision: i64, compacted: i64) -> Self {
        Self {
            revision,
            compacted,
            ..Self::new(limits)
        }
    }

    /// Puts back what was written at `kv.mod_revision`; called in the order of revisions. An
    /// [`apply`](Self::apply) has to follow, which trims the history.
    pub(crate) fn replay(&mut self, kind: EventKind, kv: KeyValue) {
        let prev = match kind {
            EventKind::Delete => self.live.remove(&kv.key),
            EventKind::Put => self.live.insert(kv.key.clone(), kv.clone()),
        };
        if kv.mod_revision > self.compacted {
            self.push(Event { kind, kv, prev });
        }
    }

    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    pub(crate) fn range(&self, request: &Range) -> Result<RangeResult, StoreError> {
        let at = request.at.filter(|at| *at > 0).unwrap_or(self.revision);
        if at > self.revision {
            return Err(StoreError::FutureRevision { revision: at });
        }
        if at < self.compacted {
            return Err(StoreError::Compacted { revision: at });
        }
        let found = self.state_at(at, request);
        let take = if request.limit == 0 {
            found.len()
        } else {
            request.limit.min(found.len())
        };
        Ok(RangeResult {
            items: found[..take].iter().map(|kv| (*kv).clone()).collect(),
            revision: at,
            count: found.len(),
            more: take < found.len(),
        })
    }

    /// What `request` covers, as it was at revision `at`, in byte order.
    fn state_at(&self, at: i64, request: &Range) -> Vec<&KeyValue> {
        let from = (Bound::Included(request.first()), Bound::Unbounded);
        let live = self.live.range::<str, _>(from).map(|(_, kv)| kv);
        let live = live.take_while(|kv| request.covers(&kv.key));
        if at == self.revision {
            return live.collect();
        }
        let mut then: BTreeMap<&str, &KeyValue> = live.map(|kv| (kv.key.as_str(), kv)).collect();
        let later = self.history.range(self.position_after(at)..).rev();
        let in_range = |key: &str| key >= request.first() && request.covers(key);
        for event in later.filter(|event| in_range(&event.kv.key)) {
            match &event.prev {
                Some(prev) => then.insert(&event.kv.key, prev),
                None => then.remove(event.kv.key.as_str()),
            };
        }
        then.into_values().collect()
    }

    /// Where in the history the first event after `revision` stands.
    fn position_after(&self, revision: i64) -> usize {
        self.history
            .partition_point(|event| event.kv.mod_revision <= revision)
    }

    /// The next events under `prefix` after `after`. The batch reaches no further than `after` when
    /// there is nothing new.
    pub(crate) fn events_after(&self, prefix: &str, after: i64) -> Result<WatchBatch, StoreError> {
        if after < self.compacted {
            return Err(StoreError::Compacted { revision: after });
        }
        let mut batch = WatchBatch {
            events: Vec::new(),
            revision: after.max(self.revision),
        };
        for event in self.history.range(self.position_after(after)..) {
            if event.kv.key.starts_with(prefix) {
                if batch.events.len() == MAX_BATCH {
                    batch.revision = event.kv.mod_revision - 1;
                    break;
                }
                batch.events.push(event.clone());
            }
        }
        Ok(batch)
    }

    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch {
            index: self,
            staged: HashMap::new(),
            events: Vec::new(),
        }
    }

    /// Makes staged events the present. Returns the events that fell out of the history.
    pub(crate) fn apply(&mut self, events: Vec<Event>) -> Vec<Event> {
        for event in events {
            self.revision = event.kv.mod_revision;
            match event.kind {
                EventKind::Delete => self.live.remove(&event.kv.key),
                EventKind::Put => self.live.insert(event.kv.key.clone(), event.kv.clone()),
            };
            self.push(event);
        }
        self.evict()
    }

    fn push(&mut self, event: Event) {
        self.history_bytes += cost(&event);
        self.history.push_back(event);
    }

    fn evict(&mut self) -> Vec<Event> {
        let mut evicted = Vec::new();
        while self.history.len() > self.limits.events || self.history_bytes > self.limits.bytes {
            let Some(event) = self.history.pop_front() else {
                break;
            };
            self.history_bytes -= cost(&event);
            self.compacted = event.kv.mod_revision;
            evicted.push(event);
        }
        evicted
    }
}

fn cost(event: &Event) -> usize {
    let prev = event.prev.as_ref().map_or(0, |prev| prev.value.len());
    2 * event.kv.key.len() + event.kv.value.len() + prev + EVENT_OVERHEAD
}

// === impl Batch ===

impl Batch<'_> {
    /// Stages `write` if the key is as it expects after what was staged before.
    pub(crate) fn write(&mut self, write: Write) -> Result<WriteResult, StoreError> {
        if write.size() > MAX_REQUEST_BYTES {
            return Err(StoreError::TooLarge { size: write.size() });
        }
        let current = match self.staged.get(write.key()) {
            Some(staged) => staged.as_ref(),
            None => self.index.live.get(write.key()),
        };
        if current.map(|kv| kv.mod_revision) != write.expected() {
            return Ok(WriteResult::Conflict {
                current: current.cloned(),
            });
        }
        let event = event(write, current.cloned(), self.revision() + 1);
        let revision = event.kv.mod_revision;
        let after = match event.kind {
            EventKind::Delete => None,
            EventKind::Put => Some(event.kv.clone()),
        };
        self.staged.insert(event.kv.key.clone(), after);
        self.events.push(event);
        Ok(WriteResult::Committed { revision })
    }

    /// The revision after all that was staged.
    fn revision(&self) -> i64 {
        self.events
            .last()
            .map_or(self.index.revision, |event| event.kv.mod_revision)
    }

    pub(crate) fn into_events(self) -> Vec<Event> {
        self.events
    }
}

/// What `write` does to a key that is at `prev`, at revision `revision`.
fn event(write: Write, prev: Option<KeyValue>, revision: i64) -> Event {
    let (kind, key, value) = match write {
        Write::Create { key, value } | Write::Update { key, value, .. } => {
            (EventKind::Put, key, value)
        }
        Write::Delete { key, .. } => (EventKind::Delete, key, Bytes::new()),
    };
    let (create_revision, version) = match (kind, &prev) {
        (EventKind::Delete, _) => (0, 0),
        (EventKind::Put, Some(prev)) => (prev.create_revision, prev.version + 1),
        (EventKind::Put, None) => (revision, 1),
    };
    let kv = KeyValue {
        key,
        value,
        create_revision,
        mod_revision: revision,
        version,
        state: ValueState::Current,
    };
    Event { kind, kv, prev }
}
