//! The file: a log of records by revision, thinned to what is live or recent.
//!
//! A record is one write. Replaying the records in order gives the live keys and, for those after
//! the compacted revision, the history with what each event replaced. When an event leaves the
//! history, the record that it replaced is deleted, and its own if it was a deletion: what stays
//! behind the compacted revision are exactly the keys that were live there.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use bytes::Bytes;
use redb::{
    Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, backends::FileBackend,
};

use super::OpenError;
use crate::{Event, EventKind, History, KeyValue, ValueState, index::Index};

/// Opens the database anew.
pub(super) type OpenDatabase = Box<dyn Fn() -> Result<Database, OpenError> + Send>;

/// Key, create revision, version, and the value or `None` for a deletion.
type Record = (&'static str, i64, i64, Option<&'static [u8]>);

const RECORDS: TableDefinition<'_, i64, Record> = TableDefinition::new("records");
const META: TableDefinition<'_, &str, i64> = TableDefinition::new("meta");

const FORMAT: &str = "format";
const REVISION: &str = "revision";
const COMPACTED: &str = "compacted";

const FORMAT_VERSION: i64 = 1;

/// The index holds every value already, so redb needs to keep few pages.
const PAGE_CACHE_BYTES: usize = 4 << 20;

/// An open database.
pub(super) struct Disk {
    database: Database,
}

/// What may leave the file with the next commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Thinning {
    compacted: i64,
    records: Vec<i64>,
}

/// Makes `path` and what is missing above it, for the owner alone.
pub(super) fn create_directory(path: &Path) -> Result<(), OpenError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| OpenError::Directory {
            path: path.to_owned(),
            source,
        })
}

/// Opens the database in the file at `path`, made if it does not exist.
///
/// A new file is made aside and given its name once it is whole, so that a crash leaves either none
/// or a good one, and an empty file is a damaged one.
pub(super) fn open_file(path: &Path) -> Result<Database, OpenError> {
    let io_error = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let exists = fs::exists(path).map_err(io_error)?;
    if !exists {
        create_file(path)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(io_error)?;
    if file.metadata().map_err(io_error)?.len() == 0 {
        let source = redb::Error::Corrupted("the file is empty".to_owned());
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            source: Box::new(source),
        });
    }
    open_backend(FileBackend::new(file), path)
}

fn create_file(path: &Path) -> Result<(), OpenError> {
    let io_error = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let directory = path.parent().expect("a file of the data directory");
    let new = tempfile::Builder::new()
        .prefix(".fleetgate-")
        .suffix(".new")
        .tempfile_in(directory)
        .map_err(io_error)?;
    let backend = FileBackend::new(new.reopen().map_err(io_error)?);
    drop(Disk::new(open_backend(backend, path)?, path)?);
    match new.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io_error(error.error)),
    }
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error)
}

fn open_backend(
    backend: Result<FileBackend, DatabaseError>,
    path: &Path,
) -> Result<Database, OpenError> {
    let open = |backend| builder().create_with_backend(backend);
    backend
        .and_then(open)
        .map_err(|error| open_error(error, path))
}

/// How databases are opened: verified, so that damage is an error now and not a surprise later.
pub(super) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(PAGE_CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}

fn open_error(error: DatabaseError, path: &Path) -> OpenError {
    let path = path.to_owned();
    if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
        return OpenError::InUse { path };
    }
    if let DatabaseError::Storage(StorageError::Io(source)) = error {
        // What redb itself has to say of a file comes as one of these two.
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        if !matches!(source.kind(), InvalidData | UnexpectedEof) {
            return OpenError::File { path, source };
        }
        return OpenError::Damaged {
            path,
            source: boxed(source),
        };
    }
    OpenError::Damaged {
        path,
        source: boxed(error),
    }
}

// === impl Disk ===

impl Disk {
    /// Takes `database`, laid out anew if nothing is in it.
    pub(super) fn new(database: Database, path: &Path) -> Result<Self, OpenError> {
        let damaged = |source| OpenError::Damaged {
            path: path.to_owned(),
            source,
        };
        let disk = Self { database };
        match disk.format().map_err(damaged)? {
            Some(FORMAT_VERSION) => Ok(disk),
            Some(found) => Err(OpenError::Format {
                path: path.to_owned(),
                found,
            }),
            None => {
                disk.lay_out().map_err(damaged)?;
                Ok(disk)
            }
        }
    }

    /// The format, or `None` of a database without tables.
    fn format(&self) -> Result<Option<i64>, Box<redb::Error>> {
        let transaction = self.database.begin_read().map_err(boxed)?;
        let meta = match transaction.open_table(META) {
            Ok(meta) => meta,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(boxed(error)),
        };
        let format = meta.get(FORMAT).map_err(boxed)?;
        Ok(Some(format.map_or(0, |format| format.value())))
    }

    fn lay_out(&self) -> Result<(), Box<redb::Error>> {
        let empty = Index::new(History {
            events: 0,
            bytes: 0,
        });
        let transaction = self.database.begin_write().map_err(boxed)?;
        {
            let mut meta = transaction.open_table(META).map_err(boxed)?;
            meta.insert(FORMAT, FORMAT_VERSION).map_err(boxed)?;
            meta.insert(REVISION, empty.revision()).map_err(boxed)?;
            meta.insert(COMPACTED, 0).map_err(boxed)?;
            transaction.open_table(RECORDS).map_err(boxed)?;
        }
        transaction.commit().map_err(boxed)
    }

    /// What the file holds, and the events that `history` has no room for.
    pub(super) fn load(
        &self,
        history: History,
        path: &Path,
    ) -> Result<(Index, Vec<Event>), OpenError> {
        self.replay(history).map_err(|source| OpenError::Damaged {
            path: path.to_owned(),
            source,
        })
    }

    fn replay(&self, history: History) -> Result<(Index, Vec<Event>), Box<redb::Error>> {
        let transaction = self.database.begin_read().map_err(boxed)?;
        let meta = transaction.open_table(META).map_err(boxed)?;
        let number = |name| -> Result<i64, Box<redb::Error>> {
            let missing = || Box::new(redb::Error::Corrupted(format!("{name} is missing")));
            Ok(meta.get(name).map_err(boxed)?.ok_or_else(missing)?.value())
        };
        let mut index = Index::restored(history, number(REVISION)?, number(COMPACTED)?);
        let records = transaction.open_table(RECORDS).map_err(boxed)?;
        for record in records.iter().map_err(boxed)? {
            let (revision, record) = record.map_err(boxed)?;
            let (kind, kv) = decode(revision.value(), record.value());
            index.replay(kind, kv);
        }
        let evicted = index.apply(Vec::new());
        Ok((index, evicted))
    }

    /// The revision of the last commit.
    pub(super) fn revision(&self) -> Result<i64, Box<redb::Error>> {
        let transaction = self.database.begin_read().map_err(boxed)?;
        let meta = transaction.open_table(META).map_err(boxed)?;
        let revision = meta.get(REVISION).map_err(boxed)?;
        Ok(revision.map_or(0, |revision| revision.value()))
    }

    /// Writes `events` and thins the log, durably and all or nothing. After an error the database
    /// has to be opened anew, and only then can be told which of the two it was.
    pub(super) fn commit(
        &self,
        events: &[Event],
        thinning: &Thinning,
    ) -> Result<(), Box<redb::Error>> {
        let mut transaction = self.database.begin_write().map_err(boxed)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(boxed)?;
        {
            let mut records = transaction.open_table(RECORDS).map_err(boxed)?;
            let mut meta = transaction.open_table(META).map_err(boxed)?;
            for record in &thinning.records {
                records.remove(record).map_err(boxed)?;
            }
            if thinning.compacted > 0 {
                meta.insert(COMPACTED, thinning.compacted).map_err(boxed)?;
            }
            for event in events {
                let revision = event.kv.mod_revision;
                records.insert(revision, encode(event)).map_err(boxed)?;
                meta.insert(REVISION, revision).map_err(boxed)?;
            }
        }
        transaction.commit().map_err(boxed)
    }
}

fn encode(event: &Event) -> (&str, i64, i64, Option<&[u8]>) {
    let KeyValue {
        key,
        value,
        create_revision,
        mod_revision: _,
        version,
        state: _,
    } = &event.kv;
    let value = match event.kind {
        EventKind::Delete => None,
        EventKind::Put => Some(value.as_ref()),
    };
    (key, *create_revision, *version, value)
}

fn decode(revision: i64, record: (&str, i64, i64, Option<&[u8]>)) -> (EventKind, KeyValue) {
    let (key, create_revision, version, value) = record;
    let kind = if value.is_some() {
        EventKind::Put
    } else {
        EventKind::Delete
    };
    let kv = KeyValue {
        key: key.to_owned(),
        value: value.map(Bytes::copy_from_slice).unwrap_or_default(),
        create_revision,
        mod_revision: revision,
        version,
        state: ValueState::Current,
    };
    (kind, kv)
}

fn boxed(error: impl Into<redb::Error>) -> Box<redb::Error> {
    Box::new(error.into())
}

// === impl Thinning ===

impl Thinning {
    /// Adds what `evicted` leaves behind, oldest first as it left the history.
    pub(super) fn add(&mut self, evicted: &[Event]) {
        for event in evicted {
            self.compacted = event.kv.mod_revision;
            self.records
                .extend(event.prev.as_ref().map(|prev| prev.mod_revision));
            if event.kind == EventKind::Delete {
                self.records.push(event.kv.mod_revision);
            }
        }
    }
}
