//! The tasks that a program runs beside its requests, so that stopping can wait for them.

use std::future::Future;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Spawns tasks, tells them to stop and waits for them. Clones share the tasks.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

// === impl Tasks ===

impl Tasks {
    /// Runs `task` to its end; [`Self::stop`] waits for it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Runs `task` until its end or the call to stop, whichever is first.
    pub fn spawn_until_stopped(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = task => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Is cancelled when the tasks are to stop.
    pub const fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Tells all tasks to stop and waits until they have.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use tokio::time::timeout;

    use super::Tasks;

    #[tokio::test]
    async fn stop_ends_what_runs_for_ever_and_waits_for_the_rest() {
        let tasks = Tasks::default();
        let (tx, rx) = tokio::sync::oneshot::channel();
        tasks.spawn_until_stopped(pending());
        let stopping = tasks.stopping().clone();
        tasks.spawn(async move {
            stopping.cancelled().await;
            tx.send(()).expect("the test waits");
        });
        let stopped = timeout(Duration::from_secs(20), tasks.stop()).await;
        assert!(stopped.is_ok(), "a task was not told to stop");
        rx.await.expect("the task ran to its end");
    }
}
