//! The embedded store keeps the contract, and what it acknowledged, whatever happens.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use fleetgate_storage::{
    Event, History, Range, StoreError,
    embedded::{EmbeddedStore, OpenError},
};
use futures::{StreamExt, future::join_all};

use crate::contract::{
    Shared, check_store_contract, create, delete, forget_by_writing, in_time, next_batch, pairs,
    range, update,
};

const FILE: &str = "fleetgate.redb";

/// How the parent tells the child where to write: as a test filter that matches nothing.
const CHILD_ARGUMENT: &str = "child-writes-in=";

fn open(dir: &Path) -> Arc<EmbeddedStore> {
    Arc::new(EmbeddedStore::open(dir, History::RECENT).expect("the store opens"))
}

async fn everything(store: &Shared) -> Vec<(String, String)> {
    pairs(&range(store, Range::prefix("")).await.items)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() {
    let dir = tempfile::tempdir().unwrap();
    let history = History {
        events: 6_000,
        ..History::RECENT
    };
    let store = Arc::new(EmbeddedStore::open(dir.path(), history).unwrap());
    let grouped = join_in_groups(store.clone(), history);
    check_store_contract(&store, move |_| grouped()).await;
}

/// As [`forget_by_writing`], but many writes at a time, which saves syncs.
fn join_in_groups(
    store: Arc<EmbeddedStore>,
    history: History,
) -> impl Fn() -> futures::future::BoxFuture<'static, ()> {
    move || {
        let writers = (0..64).map(|n| {
            let history = History {
                events: history.events / 64,
                ..history
            };
            forget_by_writing(store.clone(), format!("/filler/{n}"), history)(0)
        });
        let writers: Vec<_> = writers.collect();
        Box::pin(async move {
            join_all(writers).await;
        })
    }
}

#[tokio::test]
async fn a_reopened_store_knows_all_it_knew() {
    let dir = tempfile::tempdir().unwrap();
    let store: Shared = open(dir.path());
    let start = range(&store, Range::prefix("")).await.revision;
    let a = create(&store, "/a", "1").await;
    let a = update(&store, "/a", "2", a).await;
    let b = create(&store, "/b", "1").await;
    create(&store, "/c", "").await;
    delete(&store, "/b", b).await;
    let before = range(&store, Range::prefix("")).await;
    let past = range(&store, Range::prefix("").at_revision(b)).await;
    let events = all_events(&store, start, before.revision).await;
    assert_eq!(events.len(), 5);
    drop(store);

    let store: Shared = open(dir.path());
    assert_eq!(range(&store, Range::prefix("")).await, before);
    assert_eq!(range(&store, Range::prefix("").at_revision(b)).await, past);
    assert_eq!(all_events(&store, start, before.revision).await, events);
    assert_eq!(update(&store, "/a", "3", a).await, before.revision + 1);
}

async fn all_events(store: &Shared, after: i64, last: i64) -> Vec<Event> {
    let mut watch = store.watch(String::new(), after);
    let mut events = Vec::new();
    loop {
        let batch = next_batch(&mut watch).await;
        events.extend(batch.events);
        if batch.revision >= last {
            return events;
        }
    }
}

/// What falls out of the history leaves the file, and what is live stays.
#[tokio::test]
async fn the_file_forgets_with_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let history = History {
        events: 4,
        ..History::RECENT
    };
    let reopen = || -> Shared { Arc::new(EmbeddedStore::open(dir.path(), history).unwrap()) };
    let mut store = reopen();
    let kept = create(&store, "/kept", "1").await;
    let mut last = create(&store, "/changing", "0").await;
    for n in 1..20 {
        last = update(&store, "/changing", &n.to_string(), last).await;
        let gone = create(&store, "/gone", "1").await;
        delete(&store, "/gone", gone).await;
        if n % 5 == 0 {
            drop(store);
            store = reopen();
        }
    }
    let now = range(&store, Range::prefix("")).await;
    let want = [("/changing", "19"), ("/kept", "1")];
    assert_eq!(
        pairs(&now.items),
        want.map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
    drop(store);

    // With room for more history than was kept, what was dropped does not come back.
    let store: Shared = open(dir.path());
    assert_eq!(range(&store, Range::prefix("")).await, now);
    let first = store.watch(String::new(), kept).next().await;
    assert!(
        matches!(first, Some(Err(StoreError::Compacted { .. }))),
        "{first:?}"
    );
    let recent = all_events(&store, now.revision - 4, now.revision).await;
    assert_eq!(recent.len(), 4);
    let records = record_count(store, dir.path());
    assert!(
        records <= 2 + 4 + 4,
        "{records} records for two keys and four events"
    );
}

/// How many records are in the file, looked at with the store closed.
fn record_count(store: Shared, dir: &Path) -> u64 {
    use redb::{ReadableDatabase, ReadableTableMetadata};
    drop(store);
    type Record = (&'static str, i64, i64, Option<&'static [u8]>);
    const RECORDS: redb::TableDefinition<'_, i64, Record> = redb::TableDefinition::new("records");
    let database = redb::Database::open(dir.join(FILE)).unwrap();
    database
        .begin_read()
        .unwrap()
        .open_table(RECORDS)
        .unwrap()
        .len()
        .unwrap()
}

#[tokio::test]
async fn files_are_the_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("var").join("data");
    let _store = open(&data);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join(FILE)), 0o600);
    let left: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|f| f.unwrap().file_name())
        .collect();
    assert_eq!(left, [FILE]);
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let second = EmbeddedStore::open(dir.path(), History::RECENT);
    let Err(OpenError::InUse { path }) = second else {
        panic!("{second:?}")
    };
    assert_eq!(path, dir.path().join(FILE));
    drop(first);
    open(dir.path());
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store: Shared = open(dir.path());
    let value = "x".repeat(20_000);
    for n in 0..100 {
        create(&store, &format!("/k/{n}"), &value).await;
    }
    drop(store);
    let whole = fs::read(dir.path().join(FILE)).unwrap();
    let len = whole.len();
    for cut in [
        0,
        1,
        8,
        64,
        319,
        320,
        4_095,
        4_096,
        10_000,
        len / 4,
        len / 2,
        len - 4_096,
        len - 1,
    ] {
        check_damaged(&whole[..cut], &format!("cut to {cut} of {len} bytes"));
    }
    check_damaged(b"#!/bin/sh\necho this is no store\n", "another file");
    check_damaged(&vec![0; len], "zeros");
    // A value's bytes changed under us. Pages in use are found by what they hold.
    let mut flipped = whole.clone();
    let at = whole
        .windows(64)
        .position(|bytes| bytes == [b'x'; 64])
        .unwrap();
    flipped[at + 100] ^= 1;
    check_damaged(&flipped, "a flipped bit");
}

#[track_caller]
fn check_damaged(bytes: &[u8], what: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    fs::write(&path, bytes).unwrap();
    let error = match EmbeddedStore::open(dir.path(), History::RECENT) {
        Err(error) => error,
        Ok(store) => panic!("{what}: opened as {store:?}"),
    };
    assert!(
        matches!(&error, OpenError::Damaged { path: named, .. } if *named == path),
        "{what}: {error:?}"
    );
    assert!(error.to_string().contains(FILE), "{error}");
    assert_eq!(
        fs::metadata(&path).unwrap().size(),
        bytes.len() as u64,
        "{what}: left as it is"
    );
}

/// A child writes and says so; it is killed in the middle of it, many times over one file. The test
/// runs itself as the child, told apart by its arguments.
#[test]
fn acknowledged_writes_survive_a_kill() {
    if let Some(dir) = child_directory() {
        write_until_killed(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..6 {
        acknowledged.extend(kill_after(dir.path(), 25 + round * 13));
        let store: Shared = open(dir.path());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let there = runtime.block_on(everything(&store));
        let missing: Vec<_> = acknowledged
            .iter()
            .filter(|key| there.binary_search_by(|(there, _)| there.cmp(key)).is_err())
            .collect();
        assert!(
            missing.is_empty(),
            "{missing:?} of {} writes",
            acknowledged.len()
        );
    }
}

fn child_directory() -> Option<PathBuf> {
    std::env::args().find_map(|arg| arg.strip_prefix(CHILD_ARGUMENT).map(PathBuf::from))
}

/// Runs a child on `dir`, kills it after `lines` acknowledgements or some more, and returns the
/// keys that were acknowledged.
fn kill_after(dir: &Path, lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "embedded::acknowledged_writes_survive_a_kill",
            "--nocapture",
        ])
        .arg(format!("{CHILD_ARGUMENT}{}", dir.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut keys = Vec::new();
    let mut killed = false;
    for line in output.lines() {
        // The last line may be cut off, and then has no end mark.
        if let Some(key) = line
            .unwrap()
            .strip_prefix("acknowledged ")
            .and_then(|l| l.strip_suffix(" ."))
        {
            keys.push(key.to_owned());
        }
        if keys.len() >= lines && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    assert!(killed, "the child ended by itself");
    child.wait().unwrap();
    keys
}

/// Eight writers at a time, so that groups form; ends only by a signal.
fn write_until_killed(dir: &Path) -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store: Shared = open(dir);
        let start = range(&store, Range::prefix("")).await.revision;
        let writer = async |writer: usize| {
            for n in 0.. {
                let key = format!("/k/{start:08}/{writer}/{n}");
                create(&store, &key, &"v".repeat(n % 5_000)).await;
                println!("acknowledged {key} .");
            }
        };
        in_time("to be killed", join_all((0..8).map(writer))).await;
    });
    panic!("nobody killed the writer")
}
