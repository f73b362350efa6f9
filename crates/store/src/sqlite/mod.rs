//! The SQLite backend.
//!
//! A data directory holds:
//!
//! | name | is |
//! |---|---|
//! | `waxwing.db`, `-wal`, `-shm` | tables, logs and references to blobs; see `schema.sql` |
//! | `waxwing-words.db`, `-wal`, `-shm` | the index of words and addresses; see `words.sql`. Made anew where it is missing |
//! | `waxwing.lock` | locked (`flock`) while a process has the directory open; says since when the machine ran then |
//! | `blobs/ab/ab01…` | blobs by their hash |
//! | `blobs/new/` | blobs that are being written or removed; emptied at the start |
//! | `restoring/` | what a restore has built until then, while there is no database |
//!
//! One thread writes, and makes one commit of everything that waits, with `synchronous=FULL`: it never waits
//! for company, but with what nobody waits for ([`Batch::unhurried`]). Each batch is applied by itself, under a
//! savepoint where it could be refused half-way. Readers have connections beside it, and so has the checkpoint;
//! the writer itself answers what looks at staged state.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::alarm::Alarm;
use crate::backend::{Backend, BackupOut, BackupOutcome, BlobFiles, Done, Query};
use crate::backup::{BackupAbout, BackupError};
use crate::batch::Batch;
use crate::blob::BlobHash;
use crate::error::{OpenError, StoreError};
use crate::figures::Figures;
use crate::objects::{OBJECT_THREADS, ObjectPlace};
use crate::reply::Reply;
use crate::shape::{Shape, declared};
use crate::store::Store;

mod ahead;
mod ahead_index;
mod apply;
mod apply_log;
mod blobs;
mod checkpoint;
mod doctor;
mod dump;
mod fault;
mod kept;
mod last_put;
mod migrate;
mod open;
pub(crate) mod pool;
mod probe;
mod queue;
mod read;
mod remove;
mod restore;
mod search;
mod shapes;
mod vacant;
mod word_index;
mod writer;

use apply::Writes;
use blobs::Work;
use checkpoint::Checkpoints;
use kept::Kept;
use open::{Directory, Lock, io, reader_connection};
use pool::Pool;
use queue::Queue;
use shapes::Shapes;
use word_index::{WordIndex, words_path};
use writer::Writer;

pub use doctor::Examination;
pub(crate) use restore::restore_from;

/// Threads that write, read and remove the files of blobs.
const FILE_THREADS: usize = 2;

/// How to open a SQLite database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Threads that read beside the writer, each with a connection of its own. At least one is started.
    pub readers: usize,
    /// How large the database may grow in bytes, its log and the blobs not counted; `None`: as the disk allows.
    pub bytes_max: Option<u64>,
    /// Where blobs are, if not in the data directory.
    pub objects: Option<ObjectPlace>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
            bytes_max: None,
            objects: None,
        }
    }
}

impl Store {
    /// Opens a data directory, creating it where there is none, and migrates what is older than declared.
    /// Blocks; everything that is asked for later does not.
    ///
    /// When the last clone of the store goes, what waits is still done, and the files are closed.
    ///
    /// # Errors
    /// What is documented at [`OpenError`]; no byte of what is stored was changed then.
    pub fn sqlite(
        directory: &Path,
        options: &SqliteOptions,
        shapes: &[Shape],
    ) -> Result<Self, OpenError> {
        Ok(Self::new(Arc::new(Sqlite::open(
            directory, options, shapes,
        )?)))
    }

    /// Whether [`sqlite`](Self::sqlite) would take a data directory, as far as that can be known without writing a
    /// byte: `false` where there is nothing yet. Blocks.
    ///
    /// # Errors
    /// What [`sqlite`](Self::sqlite) would return, [`OpenError::InUse`] included.
    pub fn sqlite_look(directory: &Path, shapes: &[Shape]) -> Result<bool, OpenError> {
        Directory::new(directory).look(&declared(shapes)?)
    }
}

struct Sqlite {
    /// Held by the writer too: whichever ends last.
    lock: Arc<Lock>,
    queue: Arc<Queue>,
    readers: Arc<Pool<Query>>,
    workers: Arc<Pool<Work>>,
    checkpoints: Arc<Pool<()>>,
    blobs: Kept,
    database: PathBuf,
    alarm: Arc<Alarm>,
    backup: Mutex<Option<JoinHandle<()>>>,
    /// Whether one is being made.
    backing_up: Arc<AtomicBool>,
    /// Ends a backup early.
    closing: Arc<AtomicBool>,
    /// All but the writer, and the writer.
    threads: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Sqlite {
    fn open(path: &Path, options: &SqliteOptions, shapes: &[Shape]) -> Result<Self, OpenError> {
        let directory = Directory::new(path);
        let (lock, db, shapes) = directory.open(options.bytes_max, &declared(shapes)?)?;
        Self::start(&directory, options, lock, db, shapes).map_err(|error| match error {
            StartError::Io(error) => io(path, &error),
            StartError::Database(error) => directory.refused(&error),
            StartError::Refused(error) => error,
            StartError::Words(error) => OpenError::Environment {
                path: words_path(&directory.database),
                error,
            },
        })
    }

    fn start(
        directory: &Directory,
        options: &SqliteOptions,
        lock: Lock,
        mut db: Connection,
        shapes: Shapes,
    ) -> Result<Self, StartError> {
        let database = &directory.database;
        let alarm = Arc::new(Alarm::new(database.clone()));
        let (queue, workers) = (Arc::new(Queue::default()), Pool::new());
        let objects = options.objects.as_ref();
        let blobs = Kept::open(directory, objects, &db, &queue, &workers)?;
        // From here on, dropping it ends what was started.
        let mut sqlite = Self {
            lock: Arc::new(lock),
            queue,
            readers: Pool::new(),
            workers,
            checkpoints: Pool::new(),
            blobs,
            database: database.clone(),
            alarm: Arc::clone(&alarm),
            backup: Mutex::default(),
            backing_up: Arc::default(),
            closing: Arc::default(),
            threads: Vec::new(),
            writer: None,
        };
        let shapes = Arc::new(shapes);
        let (checkpoints, thread) =
            Checkpoints::start(database.clone(), Arc::clone(&sqlite.checkpoints), &alarm)?;
        sqlite.threads.push(thread);
        checkpoints.watch(&mut db)?;
        let words = WordIndex::open(database, &db, &shapes)?;
        sqlite.start_readers(&words, database, options.readers.max(1), &shapes)?;
        sqlite.start_writer(Writer {
            path: database.clone(),
            bytes_max: options.bytes_max,
            queue: Arc::clone(&sqlite.queue),
            writes: Writes::new(db, shapes, words)?,
            readers: Arc::clone(&sqlite.readers),
            checkpoints,
            alarm,
            blobs: sqlite.blobs.clone(),
            broken: false,
            failing: false,
            groups_since_gone_step: 0,
        })?;
        sqlite.collect_orphans(reader_connection(database)?)?;
        Ok(sqlite)
    }

    fn start_readers(
        &mut self,
        words: &WordIndex,
        database: &Path,
        count: usize,
        shapes: &Arc<Shapes>,
    ) -> Result<(), StartError> {
        for _ in 0..count {
            let (db, words) = (reader_connection(database)?, words.reader()?);
            let shapes = Arc::clone(shapes);
            let thread = self.readers.start("store-read", move |query| {
                read::answer_from_snapshot(&db, &words, &shapes, query);
            })?;
            self.threads.push(thread);
        }
        let count = match self.blobs {
            Kept::Files(_) => FILE_THREADS,
            Kept::Objects(_) => OBJECT_THREADS,
        };
        for _ in 0..count {
            self.threads
                .push(self.workers.start("store-files", |work: Work| work())?);
        }
        Ok(())
    }

    fn start_writer(&mut self, writer: Writer) -> std::io::Result<()> {
        let lock = Arc::clone(&self.lock);
        let thread = thread::Builder::new()
            .name("store-write".to_owned())
            .spawn(move || {
                writer.run();
                drop(lock);
            })?;
        self.writer = Some(thread);
        Ok(())
    }

    /// Looks for blobs to which nothing refers, beside everything else.
    fn collect_orphans(&mut self, db: Connection) -> std::io::Result<()> {
        let is_referenced = move |hash: &BlobHash| {
            let look = || -> rusqlite::Result<bool> {
                let mut select =
                    db.prepare_cached("SELECT 1 FROM blob_ref WHERE hash = ?1 LIMIT 1")?;
                select.exists([hash.0])
            };
            // Where it cannot be known, the blob stays.
            look().unwrap_or(true)
        };
        match self.blobs.clone() {
            Kept::Files(files) => self.offload(Box::new(move || {
                if let Err(error) = files.collect_orphans(is_referenced) {
                    tracing::warn!(%error, "blobs without references could not be looked for");
                }
            })),
            // It goes on as long as the store is open.
            Kept::Objects(objects) => {
                let thread = thread::Builder::new()
                    .name("store-clean".to_owned())
                    .spawn(move || objects.clean(is_referenced))?;
                self.threads.push(thread);
            }
        }
        Ok(())
    }
}

enum StartError {
    Io(std::io::Error),
    Database(rusqlite::Error),
    Words(StoreError),
    Refused(OpenError),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Words(error)
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::Refused(error)
    }
}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for StartError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Backend for Sqlite {
    fn submit(&self, batch: Batch, done: Done) {
        self.queue.submit(batch, done);
    }

    fn read(&self, query: Query) {
        if let Some(query) = self.queue.read(query)
            && let Some(query) = self.readers.push(query)
        {
            query.fail(StoreError::Closed);
        }
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) {
        // Closed only once nobody is left to ask.
        drop(self.workers.push(work));
    }

    fn alarm(&self) -> Arc<Alarm> {
        Arc::clone(&self.alarm)
    }

    fn figures(&self) -> Figures {
        self.queue.figures()
    }

    fn blobs(&self) -> Arc<dyn BlobFiles> {
        self.blobs.shared()
    }

    fn backup(&self, out: BackupOut, about: BackupAbout, reply: Reply<BackupOutcome>) {
        let mut backup = self.backup.lock().unwrap_or_else(PoisonError::into_inner);
        if self.backing_up.swap(true, Ordering::Acquire) {
            reply.send(Ok(Err(BackupError::Busy)));
            return;
        }
        let (database, blobs) = (self.database.clone(), self.blobs.clone());
        let closing = Arc::clone(&self.closing);
        let backing_up = Arc::clone(&self.backing_up);
        let alarm = Arc::clone(&self.alarm);
        // A thread of its own: it takes as long as whoever takes what it writes.
        let thread = thread::Builder::new()
            .name("store-backup".to_owned())
            .spawn(move || {
                let source = dump::Source {
                    database: &database,
                    blobs: &blobs,
                    closing: &closing,
                };
                let outcome = dump::run(&source, out, about);
                if let Err(BackupError::Store(error)) = &outcome {
                    alarm.hear(error);
                }
                // Who hears of it may begin the next one at once.
                backing_up.store(false, Ordering::Release);
                reply.send(Ok(outcome));
            });
        match thread {
            Ok(thread) => *backup = Some(thread),
            Err(error) => {
                self.backing_up.store(false, Ordering::Release);
                tracing::warn!(%error, "a backup could not be begun");
            }
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The writer goes last: what waits for it is still done, and its connection closes the database.
        self.closing.store(true, Ordering::Relaxed);
        self.blobs.stop();
        self.workers.close();
        self.readers.close();
        self.checkpoints.close();
        self.queue.close();
        // The last handle may have been held by a callback, on one of these threads.
        let here = thread::current().id();
        let backup = self
            .backup
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let threads = std::mem::take(&mut self.threads)
            .into_iter()
            .chain(backup)
            .chain(self.writer.take());
        for thread in threads.filter(|thread| thread.thread().id() != here) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
        self.blobs.end();
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").finish_non_exhaustive()
    }
}
