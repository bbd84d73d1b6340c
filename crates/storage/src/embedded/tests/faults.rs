//! What happens to the file while many write and watch, checked by the checker of the contract's
//! tests.

use std::{fs::File, os::unix::fs::FileExt};

use bytes::Bytes;

use super::*;
use crate::checker::{Checker, Progress, check};

const WRITES: usize = 10_000;
/// How often the machine goes down.
const CRASHES: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_for_a_while() {
    let fixture = Fixture::new();
    let faults = Arc::clone(&fixture.faults);
    let store = &fixture.store;
    let stores: [&dyn Store; 1] = [store];
    let checker = check(&stores, WRITES, async |mut progress: Progress<'_>| {
        for round in 1..4 {
            progress.reached(round * WRITES / 5).await;
            faults.full.raise();
            // What is freed in the file is used again, so it may take a while.
            let (small, large) = (Bytes::from_static(b"s"), Bytes::from(vec![b'x'; 1 << 20]));
            let mut number = 0;
            let refused = loop {
                let write = Write::Create {
                    key: format!("/filler/{round}/{number}"),
                    value: large.clone(),
                };
                number += 1;
                match store.write(write).await {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            assert!(matches!(refused, StoreError::Refused { .. }), "{refused:?}");
            let read = store.range(Range::key(format!("/filler/{round}/0"))).await;
            assert!(read.is_ok(), "reads go on");
            faults.full.lower();
            let key = format!("/small/{round}");
            let write = Write::Create { key, value: small };
            committed(store.write(write).await);
        }
    });
    let checker = checker.await;
    assert_eq!((checker.uncertain(), checker.forgotten()), (0, vec![0; 9]));
}

/// A disk that keeps what was synced, and of all else what it likes: nothing, half or all of each
/// piece. That is what a power cut leaves.
#[derive(Debug)]
struct Volatile {
    file: File,
    /// What the system shows, and what it has not written yet.
    cache: Mutex<Cache>,
    power: Arc<Power>,
}

#[derive(Debug, Default)]
struct Cache {
    image: Vec<u8>,
    pending: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Length(u64),
    Write(u64, Vec<u8>),
}

#[derive(Debug, Default)]
struct Power {
    /// At the next sync it goes off.
    fails: Flag,
    off: Flag,
    random: AtomicUsize,
}

impl Power {
    fn check(&self) -> io::Result<()> {
        self.off.check()
    }

    fn below(&self, limit: usize) -> usize {
        let last = self.random.load(Ordering::SeqCst);
        let next = last
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random.store(next, Ordering::SeqCst);
        (next >> 33) % limit
    }
}

impl Volatile {
    fn open(path: &Path, power: Arc<Power>) -> io::Result<Self> {
        let image = std::fs::read(path)?;
        let file = File::options().read(true).write(true).open(path)?;
        let cache = Mutex::new(Cache {
            image,
            pending: Vec::new(),
        });
        Ok(Self { file, cache, power })
    }

    fn keep(&self, piece: &Piece) -> io::Result<()> {
        match piece {
            Piece::Length(length) => self.file.set_len(*length),
            Piece::Write(offset, data) => self.file.write_all_at(data, *offset),
        }
    }

    fn keep_some(&self, pieces: Vec<Piece>) -> io::Result<()> {
        for piece in pieces {
            match (self.power.below(3), piece) {
                (0, _) => {}
                (1, Piece::Write(offset, mut data)) => {
                    data.truncate(self.power.below(data.len().max(1)));
                    self.keep(&Piece::Write(offset, data))?;
                }
                (_, piece) => self.keep(&piece)?,
            }
        }
        Ok(())
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("a small file")
}

impl StorageBackend for Volatile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.cache.lock().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.power.check()?;
        let start = place(offset);
        out.copy_from_slice(&self.cache.lock().image[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.power.check()?;
        let mut cache = self.cache.lock();
        cache.image.resize(place(len), 0);
        cache.pending.push(Piece::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.power.check()?;
        let pieces = std::mem::take(&mut self.cache.lock().pending);
        if self.power.fails.lower() {
            self.power.off.raise();
            self.keep_some(pieces)?;
            return self.power.check();
        }
        pieces.iter().try_for_each(|piece| self.keep(piece))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.power.check()?;
        let start = place(offset);
        let mut cache = self.cache.lock();
        cache.image[start..start + data.len()].copy_from_slice(data);
        cache.pending.push(Piece::Write(offset, data.to_owned()));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    disk::open_file(&path).map(drop).unwrap();
    let power = Arc::new(Power::default());
    let open = |power: &Arc<Power>| {
        let (file, power) = (path.clone(), Arc::clone(power));
        let open = move || {
            let io_error = |source| OpenError::File {
                path: file.clone(),
                source,
            };
            power.check().map_err(io_error)?;
            let backend = Volatile::open(&file, Arc::clone(&power)).map_err(io_error)?;
            let opened = disk::builder().create_with_backend(backend);
            opened.map_err(|error| OpenError::Damaged {
                path: file.clone(),
                source: Box::new(error.into()),
            })
        };
        EmbeddedStore::start(path.clone(), History::RECENT, Box::new(open)).expect("a good file")
    };
    let mut store = open(&power);
    let mut checker = Checker::new(&store).await;
    for round in 0..CRASHES {
        power.random.fetch_add(round + 1, Ordering::SeqCst);
        let writes = WRITES / CRASHES;
        let cut = async |mut progress: Progress<'_>| {
            progress.reached(writes * 2 / 3).await;
            power.fails.raise();
            progress.refused(1).await;
            progress.stop();
        };
        checker.run(&[&store], writes, cut).await;
        drop(store);
        power.off.lower();
        store = open(&power);
    }
    let rest = WRITES - CRASHES * (WRITES / CRASHES * 2 / 3);
    checker
        .run(&[&store], rest, async |_: Progress<'_>| {})
        .await;
    checker.verify(&[&store]).await;
    assert_eq!(checker.forgotten(), [0; 9]);
    drop(store);
    // And the file is one that the server itself opens.
    let store = EmbeddedStore::open(dir.path(), History::RECENT).expect("a good file");
    checker.verify(&[&store]).await;
}
