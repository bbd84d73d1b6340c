//! Random writes, watchers that rebuild the state from what they are told, and a comparison of both
//! with what the store holds in the end: whatever happens to the store meanwhile, no acknowledged
//! write is lost, and no watcher misses, repeats or reorders an event.
//!
//! Each key has one writer, which therefore knows what must be there. What a write of unknown
//! outcome left behind is either the old or the new value, and the key is left alone from then on.
#![allow(
    dead_code,
    reason = "the tests in the crate and those beside it use different parts"
)]

// By its path: this module is part of two crates.
#[path = "checker/watcher.rs"]
mod watcher;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use fleetgate_storage::{KeyValue, Range, Store, StoreError, Write, WriteResult};
use futures::future::join_all;
use tokio::sync::watch;

use self::watcher::Watcher;

const PREFIX: &str = "/load/";
const WRITERS: usize = 24;
const KEYS: usize = 40;
/// Watchers in turn see all, start again from where they are now and then, and come late.
const WATCHERS: usize = 9;
/// It only ends a hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// Writers and watchers, which go on with another store where the last one was left.
pub(crate) struct Checker {
    writers: Vec<Writer>,
    watchers: Vec<Watcher>,
    acknowledged: BTreeMap<i64, Change>,
}

/// How far the writers are, for whoever lets something happen to the store.
pub(crate) struct Progress<'a> {
    acknowledged: watch::Receiver<usize>,
    refused: watch::Receiver<usize>,
    stop: &'a Cell<bool>,
}

/// What became of a key: its name, and its value unless it was deleted.
type Change = (String, Option<Bytes>);

struct Writer {
    random: Random,
    prefix: String,
    written: usize,
    keys: Vec<Key>,
}

struct Key {
    name: String,
    /// As it was last acknowledged.
    is: Option<(i64, Bytes)>,
    /// What a write of unknown outcome may have made of it.
    maybe: Option<Option<Bytes>>,
}

/// What all take part in.
struct Run<'a> {
    wanted: usize,
    acknowledged: watch::Sender<usize>,
    refused: watch::Sender<usize>,
    stop: &'a Cell<bool>,
    changes: RefCell<BTreeMap<i64, Change>>,
    /// The revision up to which watchers look; not known before the writers are done.
    end: watch::Sender<Option<i64>>,
}

/// Numbers that are the same for the same seed (SplitMix64).
#[derive(Clone)]
struct Random(u64);

/// Checks `writes` writes to the first of `stores`, with watchers on all of them, while `fault`
/// does something to them.
pub(crate) async fn check(
    stores: &[&dyn Store],
    writes: usize,
    fault: impl AsyncFnOnce(Progress<'_>),
) -> Checker {
    let mut checker = Checker::new(stores[0]).await;
    checker.run(stores, writes, fault).await;
    checker.verify(stores).await;
    checker
}

// === impl Checker ===

impl Checker {
    pub(crate) async fn new(store: &dyn Store) -> Self {
        let seed =
            env::var_os("FLEET_SEED").map(|seed| seed.into_string().unwrap().parse().unwrap());
        let now = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_nanos() as u64
        };
        let seed: u64 = seed.unwrap_or_else(now);
        println!("FLEET_SEED={seed}");
        let mut random = Random(seed);
        let writer = |number| {
            let prefix = format!("{PREFIX}{number:02}/");
            let key = |key| Key {
                name: format!("{prefix}{key:02}"),
                is: None,
                maybe: None,
            };
            Writer {
                random: Random(random.next()),
                keys: (0..KEYS).map(key).collect(),
                written: 0,
                prefix,
            }
        };
        let start = store.range(Range::prefix(PREFIX)).await.unwrap();
        assert_eq!(start.items, []);
        let watcher = |number| Watcher::new(number, start.revision);
        Self {
            writers: (0..WRITERS).map(writer).collect(),
            watchers: (0..WATCHERS).map(watcher).collect(),
            acknowledged: BTreeMap::new(),
        }
    }

    /// Writes until `writes` were acknowledged, or the fault says stop.
    pub(crate) async fn run(
        &mut self,
        stores: &[&dyn Store],
        writes: usize,
        fault: impl AsyncFnOnce(Progress<'_>),
    ) {
        let stop = Cell::new(false);
        let run = Run {
            wanted: writes,
            acknowledged: watch::Sender::new(0),
            refused: watch::Sender::new(0),
            stop: &stop,
            changes: RefCell::default(),
            end: watch::Sender::new(None),
        };
        let progress = Progress {
            acknowledged: run.acknowledged.subscribe(),
            refused: run.refused.subscribe(),
            stop: &stop,
        };
        let write = async {
            let writers = self.writers.iter_mut().map(|it| it.run(stores[0], &run));
            tokio::join!(join_all(writers), fault(progress));
            let end = if stop.get() {
                0
            } else {
                list(stores[0]).await.1
            };
            run.end.send_replace(Some(end));
        };
        let watchers = self.watchers.iter_mut().enumerate();
        let watch = watchers.map(|(n, it)| it.run(stores[n % stores.len()], &run));
        let both = async { tokio::join!(write, join_all(watch)) };
        tokio::time::timeout(PATIENCE, both)
            .await
            .unwrap_or_else(|_| panic!("no end: {:?} written", run.acknowledged.borrow()));
        self.acknowledged.extend(run.changes.into_inner());
    }

    /// Compares all with what is there.
    pub(crate) async fn verify(&self, stores: &[&dyn Store]) {
        let (there, _) = list(stores[0]).await;
        let mut keys = 0;
        for key in self.writers.iter().flat_map(|writer| &writer.keys) {
            let found = there.get(&key.name);
            keys += usize::from(found.is_some());
            key.check(found);
        }
        assert_eq!(keys, there.len(), "keys that nobody wrote");
        for watcher in &self.watchers {
            assert_eq!(
                watcher.state, there,
                "the state of watcher {}",
                watcher.number
            );
            if watcher.forgotten == 0 && watcher.number % 3 != 2 {
                self.check_seen(watcher);
            }
        }
    }

    /// Each acknowledged write once, and besides only writes of unknown outcome.
    fn check_seen(&self, watcher: &Watcher) {
        let number = watcher.number;
        for (revision, change) in &self.acknowledged {
            let seen = watcher.seen.get(revision);
            assert_eq!(seen, Some(change), "watcher {number} at {revision}");
        }
        let keys = self.writers.iter().flat_map(|writer| &writer.keys);
        let mut maybe: HashMap<_, _> = keys
            .filter_map(|key| Some((key.name.as_str(), key.maybe.clone()?)))
            .collect();
        for (revision, (name, value)) in &watcher.seen {
            if !self.acknowledged.contains_key(revision) {
                let known = maybe.remove(name.as_str());
                assert_eq!(
                    known.as_ref(),
                    Some(value),
                    "watcher {number} at {revision}: {name}"
                );
            }
        }
    }

    /// How often each watcher was told that what it wants is forgotten.
    pub(crate) fn forgotten(&self) -> Vec<usize> {
        self.watchers
            .iter()
            .map(|watcher| watcher.forgotten)
            .collect()
    }

    /// How many writes have an unknown outcome.
    pub(crate) fn uncertain(&self) -> usize {
        let keys = self.writers.iter().flat_map(|writer| &writer.keys);
        keys.filter(|key| key.maybe.is_some()).count()
    }
}

async fn list(store: &dyn Store) -> (BTreeMap<String, KeyValue>, i64) {
    loop {
        // A store that comes back may need a moment.
        if let Ok(found) = store.range(Range::prefix(PREFIX)).await {
            let items = found.items.into_iter();
            let there = items.map(|kv| (kv.key.clone(), kv)).collect();
            return (there, found.revision);
        }
        tokio::task::yield_now().await;
    }
}

// === impl Progress ===

impl Progress<'_> {
    /// Waits until so many writes were acknowledged.
    pub(crate) async fn reached(&mut self, writes: usize) {
        let reached = self.acknowledged.wait_for(|count| *count >= writes);
        reached.await.expect("the run lasts longer");
    }

    /// How many writes were acknowledged.
    pub(crate) fn count(&self) -> usize {
        *self.acknowledged.borrow()
    }

    /// Waits until `more` writes than now had no success.
    pub(crate) async fn refused(&mut self, more: usize) {
        let now = *self.refused.borrow();
        let refused = self.refused.wait_for(|count| *count >= now + more);
        refused.await.expect("the run lasts longer");
    }

    /// Ends the run: this store will not come back.
    pub(crate) fn stop(&self) {
        self.stop.set(true);
    }
}

// === impl Run ===

impl Run<'_> {
    fn goes_on(&self) -> bool {
        *self.acknowledged.borrow() < self.wanted && !self.stop.get()
    }
}

// === impl Writer ===

impl Writer {
    async fn run(&mut self, store: &dyn Store, run: &Run<'_>) {
        while run.goes_on() {
            let place = self.random.below(self.keys.len());
            if self.keys[place].maybe.is_some() {
                let left = self.keys.iter().filter(|key| key.maybe.is_none()).count();
                assert!(left > 0, "all keys of {} are lost", self.prefix);
                continue;
            }
            let write = self.next_write(place);
            self.write(store, write, place, run).await;
        }
    }

    fn next_write(&mut self, place: usize) -> Write {
        let (name, number) = (&self.keys[place].name, self.written);
        let padding = "x".repeat(self.random.below(400));
        let value = Bytes::from(format!("{name}={number} {padding}"));
        self.written += 1;
        let key = name.clone();
        match self.keys[place].is {
            None => Write::Create { key, value },
            Some((mod_revision, _)) if self.random.below(5) == 0 => {
                Write::Delete { key, mod_revision }
            }
            Some((mod_revision, _)) => Write::Update {
                key,
                value,
                mod_revision,
            },
        }
    }

    async fn write(&mut self, store: &dyn Store, write: Write, place: usize, run: &Run<'_>) {
        let value = write.value().cloned();
        let key = &mut self.keys[place];
        match store.write(write).await {
            Ok(WriteResult::Committed { revision }) => {
                let before = key.is.as_ref().map_or(0, |(revision, _)| *revision);
                assert!(
                    revision > before,
                    "{} at {revision} after {before}",
                    key.name
                );
                key.is = value.clone().map(|value| (revision, value));
                let change = (key.name.clone(), value);
                let twice = run.changes.borrow_mut().insert(revision, change);
                assert_eq!(twice, None, "two writes at {revision}");
                run.acknowledged.send_modify(|count| *count += 1);
            }
            Ok(WriteResult::Conflict { current }) => {
                panic!("{} is {:?}, found {current:?}", key.name, key.is)
            }
            Err(StoreError::Uncertain { .. }) => {
                key.maybe = Some(value);
                run.refused.send_modify(|count| *count += 1);
            }
            // Nothing was written.
            Err(StoreError::Refused { .. } | StoreError::Unavailable { .. }) => {
                run.refused.send_modify(|count| *count += 1);
                tokio::task::yield_now().await;
            }
            Err(
                error @ (StoreError::Compacted { .. }
                | StoreError::FutureRevision { .. }
                | StoreError::TooLarge { .. }),
            ) => panic!("{}: {error:?}", key.name),
        }
    }
}

// === impl Key ===

impl Key {
    fn check(&self, found: Option<&KeyValue>) {
        let Self { name, is, maybe } = self;
        let acknowledged = match (is, found) {
            (Some((revision, value)), Some(kv)) => {
                kv.mod_revision == *revision && kv.value == *value
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let uncertain = maybe
            .as_ref()
            .is_some_and(|value| value.as_ref() == found.map(|kv| &kv.value));
        assert!(
            acknowledged || uncertain,
            "{name}: {is:?} was acknowledged, {maybe:?} uncertain, {found:?} found"
        );
    }
}

// === impl Random ===

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}
