//! What happens when the disk fails: errors to the writers, nothing lost, and the store goes on.

mod faults;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures::future::join_all;
use parking_lot::Mutex;
use redb::{StorageBackend, backends::FileBackend};
use tempfile::TempDir;

use super::*;
use crate::WriteResult;

/// What goes wrong from now on, shared with every backend that is opened.
#[derive(Debug, Default)]
struct Faults {
    /// The file cannot grow: a full disk.
    full: Flag,
    /// Nothing can be written: a broken disk.
    broken: Flag,
    /// The next sync says that it failed, but did not.
    lying_sync: Flag,
    /// Held by a test that wants a sync to wait.
    gate: Mutex<()>,
    syncs: AtomicUsize,
}

#[derive(Debug, Default)]
struct Flag(AtomicBool);

#[derive(Debug)]
struct FaultyFile {
    file: FileBackend,
    faults: Arc<Faults>,
}

impl Flag {
    fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was raised.
    fn lower(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.faults.broken.check()?;
        if len > self.file.len()? {
            self.faults.full.check()?;
        }
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        drop(self.faults.gate.lock());
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        self.faults.broken.check()?;
        self.file.sync_data()?;
        if self.faults.lying_sync.lower() {
            Err(io::ErrorKind::Other.into())
        } else {
            Ok(())
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.faults.broken.check()?;
        self.file.write(offset, data)
    }
}

struct Fixture {
    dir: TempDir,
    faults: Arc<Faults>,
    store: EmbeddedStore,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        disk::open_file(&path).map(drop).unwrap();
        let faults = Arc::new(Faults::default());
        let (file, shared) = (path.clone(), Arc::clone(&faults));
        let open = move || {
            let io_error = |source| OpenError::File {
                path: file.clone(),
                source,
            };
            let file_handle = std::fs::File::options().read(true).write(true).open(&file);
            let backend = FileBackend::new(file_handle.map_err(io_error)?).unwrap();
            let backend = FaultyFile {
                file: backend,
                faults: Arc::clone(&shared),
            };
            disk::builder()
                .create_with_backend(backend)
                .map_err(|error| OpenError::Damaged {
                    path: file.clone(),
                    source: Box::new(error.into()),
                })
        };
        let store = EmbeddedStore::start(path, History::RECENT, Box::new(open)).unwrap();
        Self { dir, faults, store }
    }

    async fn create(&self, key: &str) -> Result<WriteResult, StoreError> {
        self.create_sized(key, 10_000).await
    }

    async fn create_sized(&self, key: &str, size: usize) -> Result<WriteResult, StoreError> {
        let value = vec![b'x'; size].into();
        self.store
            .write(Write::Create {
                key: key.to_owned(),
                value,
            })
            .await
    }

    async fn keys(&self) -> Vec<String> {
        keys(&self.store).await
    }

    async fn keys_in_file(self) -> Vec<String> {
        drop(self.store);
        keys(&EmbeddedStore::open(self.dir.path(), History::RECENT).unwrap()).await
    }
}

async fn keys(store: &EmbeddedStore) -> Vec<String> {
    let found = store.range(Range::prefix("")).await.unwrap();
    found.items.into_iter().map(|kv| kv.key).collect()
}

#[track_caller]
fn committed(result: Result<WriteResult, StoreError>) -> i64 {
    match result {
        Ok(WriteResult::Committed { revision }) => revision,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit() {
    let fixture = Fixture::new();
    let first = committed(fixture.create("/a").await);

    fixture.faults.full.raise();
    let mut fit = 0;
    let refused = loop {
        match fixture
            .create_sized(&format!("/fill/{fit:03}"), 1 << 20)
            .await
        {
            Ok(_) => fit += 1,
            Err(error) => break error,
        }
        assert!(fit < 1_000, "the file never needed to grow");
    };
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused:?}");
    let small = committed(fixture.create("/small").await);
    assert_eq!(small, first + fit + 1, "the refused write took no revision");
    let before = fixture.keys().await;
    assert_eq!(before.len() as i64, fit + 2);

    fixture.faults.full.lower();
    committed(fixture.create_sized("/z", 1 << 20).await);
    let after = [before, vec!["/z".to_owned()]].concat();
    assert_eq!(fixture.keys().await, after);
    assert_eq!(fixture.keys_in_file().await, after);
}

#[tokio::test]
async fn a_broken_disk_loses_nothing_that_was_acknowledged() {
    let fixture = Fixture::new();
    let first = committed(fixture.create("/a").await);

    fixture.faults.broken.raise();
    let one = fixture.create("/b").await;
    assert!(matches!(one, Err(StoreError::Uncertain { .. })), "{one:?}");
    let two = fixture.create("/b").await;
    assert!(
        matches!(two, Err(StoreError::Unavailable { .. })),
        "{two:?}"
    );
    assert_eq!(fixture.keys().await, ["/a"], "reads go on");

    fixture.faults.broken.lower();
    assert_eq!(committed(fixture.create("/c").await), first + 1);
    assert_eq!(fixture.keys().await, ["/a", "/c"]);
    assert_eq!(fixture.keys_in_file().await, ["/a", "/c"]);
}

/// The commit is in the file although the disk said otherwise: the file is believed.
#[tokio::test]
async fn a_commit_that_succeeded_after_all_is_told_so() {
    let fixture = Fixture::new();
    let first = committed(fixture.create("/a").await);

    fixture.faults.lying_sync.raise();
    assert_eq!(committed(fixture.create("/b").await), first + 1);
    assert_eq!(committed(fixture.create("/c").await), first + 2);
    assert_eq!(fixture.keys().await, ["/a", "/b", "/c"]);
    assert_eq!(fixture.keys_in_file().await, ["/a", "/b", "/c"]);
}

/// While one commit waits for the disk, other writes queue, and then share the next.
#[tokio::test]
async fn concurrent_writes_share_a_sync() {
    let fixture = Fixture::new();
    committed(fixture.create("/a").await);
    let one = fixture.faults.syncs.load(Ordering::SeqCst);
    committed(fixture.create("/b").await);
    let syncs_each = fixture.faults.syncs.load(Ordering::SeqCst) - one;

    let faults = Arc::clone(&fixture.faults);
    let gate = faults.gate.lock();
    let keys: Vec<_> = (0..200).map(|n| format!("/k/{n:03}")).collect();
    let mut writes = join_all(keys.iter().map(|key| fixture.create_sized(key, 10)));
    // Polled once, so that all are queued.
    assert!((&mut writes).now_or_never().is_none());
    let before = fixture.faults.syncs.load(Ordering::SeqCst);
    drop(gate);
    let mut revisions: Vec<_> = writes.await.into_iter().map(committed).collect();
    let syncs = fixture.faults.syncs.load(Ordering::SeqCst) - before;
    assert!(
        syncs <= 2 * syncs_each + 1,
        "{syncs} syncs where one write takes {syncs_each}"
    );

    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), 200, "each write has its own revision");
    assert_eq!(fixture.keys().await.len(), 202);
}
