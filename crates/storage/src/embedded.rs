//! The store in one file: an index in memory, and a file that is synced before anyone is answered.
//!
//! A thread of its own writes. It takes whatever writes have queued up, commits them together with
//! one sync, makes them visible, and answers their callers; so many concurrent writers share the
//! price of a sync. Reads and watches never touch the file.

mod disk;
mod writer;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use futures::{
    FutureExt,
    future::{self, BoxFuture},
    stream::BoxStream,
};
use tokio::sync::{mpsc, oneshot};

use self::{
    disk::{Disk, OpenDatabase},
    writer::{Request, Writer},
};
use crate::{
    History, Range, RangeResult, Store, StoreError, WatchBatch, Write, WriteResult, local::Local,
};

/// The file within the data directory.
const FILE_NAME: &str = "fleetgate.redb";

/// How many writes may wait for the writer before further callers wait to queue.
const QUEUE: usize = 1_024;

/// A [`Store`] in one file of one process.
///
/// Recent history is in the file too, so that watches go on over a restart. Dropping the store waits
/// until queued writes are done and the file is closed; its watches then wait for ever.
pub struct EmbeddedStore {
    path: PathBuf,
    local: Arc<Local>,
    /// Taken on drop, which ends the writer.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

/// The store's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is not what was last written to it, or was never a store.
    #[error("the store file {} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<redb::Error>,
    },
    /// The data directory cannot be made.
    #[error("cannot create the data directory {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file cannot be created, opened or read.
    #[error("cannot open the store file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file was written by a version of the server that this one does not understand.
    #[error("the store file {} has format {found}, which this version does not know", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// Another process has the file open.
    #[error("the store file {} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start the store's writer")]
    Writer {
        /// The system's answer.
        source: io::Error,
    },
}

/// The writer is gone, which only a panic can do.
#[derive(Debug, thiserror::Error)]
#[error("the store's writer has ended")]
struct WriterEnded;

// === impl EmbeddedStore ===

impl EmbeddedStore {
    /// Opens the store in `data_dir`, which is made (readable by the owner alone) if it does not
    /// exist. Reads and verifies the whole file: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`OpenError`]; a file that is damaged or in use is left as it is.
    pub fn open(data_dir: &Path, history: History) -> Result<Self, OpenError> {
        disk::create_directory(data_dir)?;
        let path = data_dir.join(FILE_NAME);
        let file = path.clone();
        Self::start(path, history, Box::new(move || disk::open_file(&file)))
    }

    /// Starts on what `open` opens, now and whenever writing fails.
    fn start(path: PathBuf, history: History, open: OpenDatabase) -> Result<Self, OpenError> {
        let disk = Disk::new(open()?, &path)?;
        let (index, evicted) = disk.load(history, &path)?;
        let local = Local::new(index);
        let writer = Writer::new(Arc::clone(&local), open, path.clone(), disk, &evicted);
        let (requests, queue) = mpsc::channel(QUEUE);
        let writer = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|source| OpenError::Writer { source })?;
        Ok(Self {
            path,
            local,
            requests: Some(requests),
            writer: Some(writer),
        })
    }

    async fn enqueue(&self, write: Write) -> Result<WriteResult, StoreError> {
        let ended = || Box::new(WriterEnded);
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().expect("taken on drop only");
        if requests.send(Request { write, reply }).await.is_err() {
            return Err(StoreError::Unavailable { source: ended() });
        }
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::Uncertain { source: ended() }))
    }
}

impl Store for EmbeddedStore {
    fn range(&self, request: Range) -> BoxFuture<'_, Result<RangeResult, StoreError>> {
        future::ready(self.local.range(&request)).boxed()
    }

    fn write(&self, request: Write) -> BoxFuture<'_, Result<WriteResult, StoreError>> {
        self.enqueue(request).boxed()
    }

    fn watch(
        &self,
        prefix: String,
        after: i64,
    ) -> BoxStream<'static, Result<WatchBatch, StoreError>> {
        self.local.watch(prefix, after)
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!(path = %self.path.display(), "the store's writer panicked");
        }
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("path", &self.path)
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
