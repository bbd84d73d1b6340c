//! The thread that writes: many requests, one sync, then the answers.

use std::{mem, path::PathBuf, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use super::{
    OpenError,
    disk::{Disk, OpenDatabase, Thinning},
};
use crate::{Event, StoreError, Write, WriteResult, local::Local};

/// At most so many writes, and about so many bytes, share a commit.
const MAX_GROUP: usize = 256;
const MAX_GROUP_BYTES: usize = 16 << 20;

/// A write, and where its caller waits.
pub(super) struct Request {
    pub(super) write: Write,
    pub(super) reply: oneshot::Sender<Result<WriteResult, StoreError>>,
}

/// What a write comes to if its group is committed.
type Staged = Result<WriteResult, StoreError>;

/// The only one that changes the index and the file.
pub(super) struct Writer {
    local: Arc<Local>,
    open: OpenDatabase,
    path: PathBuf,
    /// `None` after an error that could not be mended yet.
    disk: Option<Disk>,
    thinning: Thinning,
    /// Events of a commit that failed: the file, once open again, tells whether they are in it.
    unsettled: Vec<Event>,
}

/// Why a group was not committed. Shared by all its requests.
#[derive(Clone, Debug)]
enum Failure {
    /// The file is as before.
    NotWritten(Arc<redb::Error>),
    /// The file cannot be asked.
    Uncertain(Arc<redb::Error>),
    /// There was no file to begin with.
    Unavailable(Arc<OpenError>),
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(
        local: Arc<Local>,
        open: OpenDatabase,
        path: PathBuf,
        disk: Disk,
        evicted: &[Event],
    ) -> Self {
        let mut thinning = Thinning::default();
        thinning.add(evicted);
        Self {
            local,
            open,
            path,
            disk: Some(disk),
            thinning,
            unsettled: Vec::new(),
        }
    }

    /// Serves until the senders of `queue` are gone and it is empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut bytes = first.write.size();
            let mut group = vec![first];
            while group.len() < MAX_GROUP && bytes < MAX_GROUP_BYTES {
                let Ok(next) = queue.try_recv() else { break };
                bytes += next.write.size();
                group.push(next);
            }
            self.serve(group);
        }
    }

    fn serve(&mut self, group: Vec<Request>) {
        let (writes, replies): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|request| (request.write, request.reply))
            .unzip();
        let (results, committed) = self.write(writes);
        for (reply, result) in replies.into_iter().zip(results) {
            let answer = match (&committed, result) {
                (Ok(()), result) => result,
                (Err(_), Err(own)) => Err(own),
                // A conflict may be with a write of the same group, which has failed too.
                (Err(failure), Ok(_)) => Err(failure.to_store_error()),
            };
            // The caller may have stopped waiting; that changes nothing.
            let _ignored = reply.send(answer);
        }
    }

    /// What each of `writes` comes to, if the second value says that all were committed.
    fn write(&mut self, writes: Vec<Write>) -> (Vec<Staged>, Result<(), Failure>) {
        // Before anything is staged: this may show that an earlier commit succeeded after all.
        let reopened = self.reopen();
        let (results, events) = self.local.read(|index| {
            let mut batch = index.batch();
            let results: Vec<_> = writes.into_iter().map(|write| batch.write(write)).collect();
            (results, batch.into_events())
        });
        let committed = match reopened {
            Ok(_) if events.is_empty() => Ok(()),
            Ok(_) => self.commit(events),
            Err(error) => Err(Failure::Unavailable(Arc::new(error))),
        };
        (results, committed)
    }

    /// Makes `events` durable, then visible.
    fn commit(&mut self, events: Vec<Event>) -> Result<(), Failure> {
        let disk = self
            .disk
            .take()
            .expect("the file was opened before events were staged");
        let Err(error) = disk.commit(&events, &self.thinning) else {
            self.disk = Some(disk);
            self.publish(events);
            return Ok(());
        };
        tracing::error!(path = %self.path.display(), %error, "cannot write to the store file");
        // redb refuses all further work after an I/O error, so open the file again.
        drop(disk);
        let error = Arc::from(error);
        self.unsettled = events;
        match self.reopen() {
            Ok(Settled::Committed) => Ok(()),
            Ok(Settled::Unchanged) => Err(Failure::NotWritten(error)),
            Err(reopen) => {
                tracing::error!(error = %reopen, "cannot reopen the store file");
                Err(Failure::Uncertain(error))
            }
        }
    }

    /// Opens the file if it is not, and finds out what became of the commit that failed.
    fn reopen(&mut self) -> Result<Settled, OpenError> {
        if self.disk.is_some() {
            return Ok(Settled::Unchanged);
        }
        let disk = Disk::new((self.open)()?, &self.path)?;
        let damaged = |source| OpenError::Damaged {
            path: self.path.clone(),
            source,
        };
        let revision = disk.revision().map_err(damaged)?;
        self.disk = Some(disk);
        let events = mem::take(&mut self.unsettled);
        if events
            .last()
            .is_some_and(|last| last.kv.mod_revision == revision)
        {
            self.publish(events);
            return Ok(Settled::Committed);
        }
        Ok(Settled::Unchanged)
    }

    /// Shows what is in the file to readers and watchers.
    fn publish(&mut self, events: Vec<Event>) {
        self.thinning = Thinning::default();
        let evicted = self.local.update(|index| index.apply(events));
        self.thinning.add(&evicted);
    }
}

/// What a file that was opened again holds of the commit that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// All of it.
    Committed,
    /// Nothing, or there was no such commit.
    Unchanged,
}

// === impl Failure ===

impl Failure {
    fn to_store_error(&self) -> StoreError {
        match self {
            Self::NotWritten(error) => StoreError::Refused {
                source: Arc::clone(error).into(),
            },
            Self::Uncertain(error) => StoreError::Uncertain {
                source: Arc::clone(error).into(),
            },
            Self::Unavailable(error) => StoreError::Unavailable {
                source: Arc::clone(error).into(),
            },
        }
    }
}
