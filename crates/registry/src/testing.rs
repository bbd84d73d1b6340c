//! What the tests of this crate share: clusters over a memory store, and a store that can be told
//! to fail.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use fleetgate_api::Cluster;
use fleetgate_apimachinery::{options::CreateOptions, status::Status};
use fleetgate_storage::{
    History, Range, RangeResult, Store, StoreError, WatchBatch, Write, WriteResult,
    memory::MemoryStore,
};
use futures::{
    FutureExt, StreamExt,
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{ClusterRegistry, ClusterStrategy, Registry, Stored};

/// Clusters that are kept up with a store for as long as this lives.
pub(crate) struct Fixture {
    pub(crate) clusters: ClusterRegistry,
    pub(crate) store: Arc<FaultyStore>,
    tracker: TaskTracker,
    token: CancellationToken,
    _stop: DropGuard,
}

/// A memory store that fails when told to.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    away: AtomicBool,
    compact: Arc<Notify>,
    /// Reads of states before this one fail: they are no longer kept.
    compacted: AtomicI64,
    hang_up: Arc<Notify>,
    /// Done just before the next write.
    overtaking: Mutex<Option<Write>>,
}

// === impl Fixture ===

impl Fixture {
    /// Clusters over an empty store.
    pub(crate) async fn new() -> Self {
        let fixture = Self::away();
        fixture.store.come_back();
        fixture.clusters.registry().synced().await;
        fixture
    }

    /// Clusters over a store that is away.
    pub(crate) fn away() -> Self {
        let store = Arc::new(FaultyStore::new());
        let strategy = ClusterStrategy::default();
        let shared: Arc<dyn Store> = Arc::<FaultyStore>::clone(&store);
        let clusters = ClusterRegistry::new(strategy, shared, "/registry");
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        tracker.spawn(clusters.run(token.clone()));
        Self {
            clusters,
            store,
            tracker,
            _stop: token.clone().drop_guard(),
            token,
        }
    }

    pub(crate) fn registry(&self) -> &Arc<Registry<ClusterStrategy>> {
        self.clusters.registry()
    }

    pub(crate) async fn create(&self, name: &str) -> Arc<Stored<Cluster>> {
        self.create_with(cluster(name)).await
    }

    pub(crate) async fn create_with(&self, cluster: Cluster) -> Arc<Stored<Cluster>> {
        self.registry()
            .create(cluster, &written_by("test"))
            .await
            .expect("a valid cluster")
    }

    /// Stops keeping up and waits until that is over.
    pub(crate) async fn stop(self) {
        self.token.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

// === impl FaultyStore ===

impl FaultyStore {
    fn new() -> Self {
        Self {
            inner: MemoryStore::new(History::RECENT),
            away: AtomicBool::new(true),
            compact: Arc::default(),
            compacted: AtomicI64::new(0),
            hang_up: Arc::default(),
            overtaking: Mutex::default(),
        }
    }

    pub(crate) fn go_away(&self) {
        self.away.store(true, Ordering::SeqCst);
    }

    pub(crate) fn come_back(&self) {
        self.away.store(false, Ordering::SeqCst);
    }

    /// Ends watches: what they wait for is no longer kept.
    pub(crate) fn compact(&self) {
        self.compact.notify_waiters();
    }

    /// Keeps no states before `revision`.
    pub(crate) fn forget_before(&self, revision: i64) {
        self.compacted.store(revision, Ordering::SeqCst);
    }

    /// Has another server make this write just before the next one.
    pub(crate) fn overtake(&self, write: Write) {
        *self.overtaking.lock() = Some(write);
    }

    /// Ends watches without a reason.
    pub(crate) fn hang_up(&self) {
        self.hang_up.notify_waiters();
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) {
            Err(StoreError::Unavailable {
                source: "told to".into(),
            })
        } else {
            Ok(())
        }
    }
}

impl Store for FaultyStore {
    fn range(&self, request: Range) -> BoxFuture<'_, Result<RangeResult, StoreError>> {
        let compacted = self.compacted.load(Ordering::SeqCst);
        match self.check() {
            Ok(()) if request.at.is_some_and(|at| at < compacted) => {
                let revision = request.at.unwrap_or_default();
                future::ready(Err(StoreError::Compacted { revision })).boxed()
            }
            Ok(()) => self.inner.range(request),
            Err(error) => future::ready(Err(error)).boxed(),
        }
    }

    fn write(&self, request: Write) -> BoxFuture<'_, Result<WriteResult, StoreError>> {
        match self.check() {
            Ok(()) => async move {
                let other = self.overtaking.lock().take();
                if let Some(other) = other {
                    self.inner.write(other).await?;
                }
                self.inner.write(request).await
            }
            .boxed(),
            Err(error) => future::ready(Err(error)).boxed(),
        }
    }

    fn watch(
        &self,
        prefix: String,
        after: i64,
    ) -> BoxStream<'static, Result<WatchBatch, StoreError>> {
        if let Err(error) = self.check() {
            return stream::once(future::ready(Err(error))).boxed();
        }
        let (compact, hang_up) = (Arc::clone(&self.compact), Arc::clone(&self.hang_up));
        let ended = async move {
            tokio::select! {
                () = compact.notified() => Some(Err(StoreError::Compacted { revision: after })),
                () = hang_up.notified() => None,
            }
        };
        let ended = ended
            .into_stream()
            .filter_map(future::ready)
            .chain(stream::empty());
        let batches = self.inner.watch(prefix, after).map(Some);
        // Whichever ends first ends the watch.
        let end = ended.map(Some).chain(stream::once(future::ready(None)));
        stream::select(batches, end)
            .scan((), |(), item| future::ready(item))
            .boxed()
    }
}

/// A small valid cluster.
pub(crate) fn cluster(name: &str) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.metadata.name = name.to_owned();
    cluster.spec.sync_mode = "Push".to_owned();
    cluster
}

/// Options of a write by `manager`.
pub(crate) fn written_by(manager: &str) -> CreateOptions {
    CreateOptions {
        field_manager: manager.to_owned(),
        ..CreateOptions::default()
    }
}

/// The body of the answer to one step of a recorded case.
pub(crate) fn golden(case: &str, step: usize) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/expected.json");
    let text = fs::read_to_string(path).expect("the golden files are in the repository");
    let mut expected: Value = serde_json::from_str(&text).expect("the golden files are JSON");
    expected[case][step]["body"].take()
}

/// Asserts that `status` is the recorded answer.
#[track_caller]
pub(crate) fn assert_golden(status: &Status, case: &str, step: usize) {
    let mut got = serde_json::to_value(status).expect("a status serializes");
    if let Some(uid) = got.pointer_mut("/details/uid") {
        *uid = "UID".into();
    }
    assert_eq!(got, golden(case, step), "{case}, step {step}");
}
