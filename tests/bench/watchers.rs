//! Many who watch the same objects, and how soon they all know of a change.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use fleetgate_tests::connection::{Caller, Connection, chunk};
use memchr::memchr_iter;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout},
};

/// Watches that share a connection.
const PER_CONNECTION: usize = 50;
/// Changes of which the time is taken.
const CHANGES: usize = 30;
const LIMIT: Duration = Duration::from_secs(120);

/// Some who watch, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watchers {
    seen: Arc<Seen>,
    count: usize,
    _tasks: JoinSet<Result<()>>,
    _connections: Vec<Connection>,
}

/// How many events all of them have got.
#[derive(Debug, Default)]
struct Seen {
    events: AtomicUsize,
    target: AtomicUsize,
    reached: Notify,
}

// === impl Watchers ===

impl Watchers {
    /// `count` watches of `path`, all of them answered.
    ///
    /// # Errors
    /// If one is refused.
    pub(crate) async fn start(caller: &Caller, count: usize, path: &str) -> Result<Self> {
        let seen = Arc::new(Seen::default());
        let (mut tasks, mut connections) = (JoinSet::new(), Vec::new());
        let caller = caller.clone().http2();
        for first in (0..count).step_by(PER_CONNECTION) {
            let mut connection = caller.connect().await?;
            for _ in first..count.min(first + PER_CONNECTION) {
                let mut body = connection.watch(path).await?;
                let seen = Arc::clone(&seen);
                tasks.spawn(async move {
                    while let Some(bytes) = chunk(&mut body).await? {
                        seen.add(memchr_iter(b'\n', &bytes).count());
                    }
                    Ok(())
                });
            }
            connections.push(connection);
        }
        Ok(Self {
            seen,
            count,
            _tasks: tasks,
            _connections: connections,
        })
    }

    /// Waits until all together have got `events` events.
    ///
    /// # Errors
    /// If they have not for long.
    pub(crate) async fn until(&self, events: usize) -> Result<()> {
        let reached = timeout(LIMIT, self.seen.until(events)).await;
        let got = self.seen.events.load(Ordering::SeqCst);
        reached.with_context(|| format!("{got} of {events} events"))
    }

    /// The median time from a `change` until all have its event. They have got `before` events.
    ///
    /// # Errors
    /// If a change is refused, or not told.
    pub(crate) async fn time(
        &self,
        before: usize,
        mut change: impl AsyncFnMut(usize) -> Result<()>,
    ) -> Result<Duration> {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let mut took = Vec::new();
        for done in 1..=CHANGES {
            let unique = NEXT.fetch_add(1, Ordering::Relaxed);
            let since = Instant::now();
            change(unique).await?;
            self.until(before + done * self.count).await?;
            took.push(since.elapsed());
        }
        took.sort_unstable();
        Ok(took[CHANGES / 2])
    }
}

// === impl Seen ===

impl Seen {
    fn add(&self, events: usize) {
        let all = self.events.fetch_add(events, Ordering::SeqCst) + events;
        if all >= self.target.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }

    async fn until(&self, events: usize) {
        self.target.store(events, Ordering::SeqCst);
        while self.events.load(Ordering::SeqCst) < events {
            self.reached.notified().await;
        }
    }
}
