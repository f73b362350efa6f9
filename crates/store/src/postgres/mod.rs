//! The PostgreSQL backend.
//!
//! Everything lies in the schema `waxwing` of one database; see `schema.sql`. The backend has a thread with a runtime of
//! its own, so that a store works under any executor. On it:
//!
//! - One connection writes. It holds an advisory lock as long as it is there, so that one server at a time has the
//!   database. It makes one transaction of everything that waits: what the batches have to know is read in one round trip
//!   (`ahead`, `fetch`), the batches are applied in memory (`stage`, `apply`), and what they changed is written and
//!   committed in a second one (`flush`). A batch that is refused never reaches the database.
//! - Others answer questions. One that a waiting batch may have changed the answer to is asked when that is settled.
//!
//! Where the writer's connection is lost, it is made again, on whichever server of the URL takes writes, and takes the
//! lock again (`recover`). Each transaction has a number, which it writes: so it is known then whether the last one was
//! stored. If it was, it is told so; if not, it is made again; where nobody can be asked in time, it is told as failed.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::alarm::Alarm;
use crate::backend::{Backend, BackupOut, BackupOutcome, BlobFiles, Done, Query};
use crate::backup::{BackupAbout, BackupError};
use crate::batch::Batch;
use crate::error::{OpenError, StoreError};
use crate::figures::Figures;
use crate::objects::{OBJECT_THREADS, ObjectPlace, SharedObjects};
use crate::reply::Reply;
use crate::shape::{Shape, declared};
use crate::sqlite::pool::Pool;
use crate::store::Store;

mod address;
mod ahead;
mod apply;
mod apply_log;
mod apply_range;
mod between;
mod blobs;
mod dump;
mod fault;
mod fetch;
mod flush;
mod gone;
mod key;
mod lock;
mod migrate;
mod noted;
mod open;
mod page;
mod queue;
mod read;
mod readers;
mod recover;
mod restore;
mod search;
mod session;
mod settings;
mod stage;
mod staged;
mod start;
mod tls;
mod url;
mod word_index;
mod writer;

use address::Address;
use blobs::SharedBlobs;
use queue::Queue;
use start::Started;

pub(crate) use restore::restore_from;
pub use settings::PostgresSettings;
pub use url::PostgresAddress;

/// Threads that wait for parts of blobs.
const BLOB_THREADS: usize = 4;

/// Work that waits for the database.
type Work = Box<dyn FnOnce() + Send>;

/// How to open a PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections that read beside the one that writes. At least one is made, when it is needed.
    pub readers: usize,
    /// How long the database may take for one answer, in milliseconds. A question waits half as long for a connection.
    pub answer_millis_max: u64,
    /// How long what was asked is kept while the database cannot be reached, in milliseconds, before it fails. What
    /// comes after that fails at once, until the database is there again.
    pub recover_millis_max: u64,
    /// Where blobs are, if not in the database.
    pub objects: Option<ObjectPlace>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            readers: thread::available_parallelism().map_or(4, |cores| cores.get().clamp(4, 16)),
            answer_millis_max: 10_000,
            recover_millis_max: 5_000,
            objects: None,
        }
    }
}

impl PostgresOptions {
    pub(crate) fn answer_wait(&self) -> Duration {
        Duration::from_millis(self.answer_millis_max)
    }

    pub(crate) fn pool_wait(&self) -> Duration {
        self.answer_wait() / 2
    }

    pub(crate) fn recover_wait(&self) -> Duration {
        Duration::from_millis(self.recover_millis_max)
    }
}

impl Store {
    /// Opens a database of a PostgreSQL server, creating what it needs where it is empty, and migrates what is older than
    /// declared. Blocks; everything that is asked for later does not.
    ///
    /// Where the address names several hosts, the first that takes writes is used, also later when a connection is lost.
    /// When the last clone of the store goes, what waits is still done, and the connections are closed.
    ///
    /// # Errors
    /// What is documented at [`OpenError`]; nothing of what is stored was changed then.
    pub fn postgres(
        address: &PostgresAddress,
        options: &PostgresOptions,
        shapes: &[Shape],
    ) -> Result<Self, OpenError> {
        let address = Address::new(address, options)?;
        let declared = declared(shapes)?;
        Ok(Self::new(Arc::new(Postgres::open(
            address, options, declared,
        )?)))
    }

    /// Whether [`postgres`](Self::postgres) would take a database, as far as that can be known without changing it:
    /// `false` where there is nothing of ours yet. Blocks.
    ///
    /// # Errors
    /// What [`postgres`](Self::postgres) would return, but for [`OpenError::DatabaseInUse`].
    pub fn postgres_look(
        address: &PostgresAddress,
        options: &PostgresOptions,
        shapes: &[Shape],
    ) -> Result<bool, OpenError> {
        let address = Address::new(address, options)?;
        start::look(&address, &declared(shapes)?)
    }
}

struct Postgres {
    address: Address,
    queue: Arc<Queue>,
    started: Started,
    workers: Arc<Pool<Work>>,
    alarm: Arc<Alarm>,
    backup: Mutex<Option<JoinHandle<()>>>,
    /// Whether one is being made.
    backing_up: Arc<AtomicBool>,
    /// Ends a backup early.
    closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    runtime: Option<JoinHandle<()>>,
}

impl Postgres {
    fn open(
        address: Address,
        options: &PostgresOptions,
        declared: start::Declared,
    ) -> Result<Self, OpenError> {
        let (queue, workers) = (Arc::new(Queue::default()), Pool::new());
        let alarm = Arc::new(Alarm::new(address.name().into()));
        let no_thread = |error: &std::io::Error| OpenError::Unreachable {
            database: address.name().to_owned(),
            reason: error.to_string(),
        };
        let (tell, told) = mpsc::channel();
        let start = start::Start {
            address: address.clone(),
            options: options.clone(),
            declared,
            queue: Arc::clone(&queue),
            alarm: Arc::clone(&alarm),
            tell,
        };
        let runtime = thread::Builder::new()
            .name("store-postgres".to_owned())
            .spawn(move || start.run())
            .map_err(|error| no_thread(&error))?;
        let started = told.recv().unwrap_or_else(|_| {
            Err(OpenError::Unreachable {
                database: address.name().to_owned(),
                reason: "the thread that opens it ended".to_owned(),
            })
        })?;
        // From here on, dropping it ends what was started.
        let mut postgres = Self {
            address: address.clone(),
            queue,
            started,
            workers,
            alarm,
            backup: Mutex::default(),
            backing_up: Arc::default(),
            closing: Arc::default(),
            threads: Vec::new(),
            runtime: Some(runtime),
        };
        let blobs = Arc::clone(&postgres.started.blobs);
        let database = (address.name(), postgres.started.database.clone());
        let objects = options.objects.as_ref();
        // Who opens a store may be a runtime of its own, which must not wait for another one itself.
        let kept = thread::scope(|scope| scope.spawn(|| blobs.keep_in(objects, database)).join());
        kept.unwrap_or_else(|_| {
            Err(OpenError::Unreachable {
                database: address.name().to_owned(),
                reason: "the thread that opens it ended".to_owned(),
            })
        })?;
        let mut count = BLOB_THREADS;
        if let Some(cleaning) = blobs.cleaning() {
            count = OBJECT_THREADS;
            let thread = thread::Builder::new().name("store-clean".to_owned());
            let thread = thread.spawn(cleaning).map_err(|error| no_thread(&error))?;
            postgres.threads.push(thread);
        }
        for _ in 0..count {
            let worker = postgres
                .workers
                .start("store-blobs", |work: Work| work())
                .map_err(|error| no_thread(&error))?;
            postgres.threads.push(worker);
        }
        Ok(postgres)
    }
}

impl Backend for Postgres {
    fn submit(&self, batch: Batch, done: Done) {
        self.queue.submit(batch, done);
    }

    fn read(&self, query: Query) {
        if let Some(query) = self.queue.read(query) {
            self.started.readers.ask(query);
        }
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) {
        let asked = self.started.readers.asked();
        let work: Work = Box::new(move || {
            work();
            drop(asked);
        });
        // Closed only once nobody is left to ask.
        drop(self.workers.push(work));
    }

    fn blobs(&self) -> Arc<dyn BlobFiles> {
        match self.started.blobs.objects() {
            Some(objects) => Arc::new(SharedObjects(Arc::clone(objects))),
            None => Arc::new(SharedBlobs(Arc::clone(&self.started.blobs))),
        }
    }

    fn alarm(&self) -> Arc<Alarm> {
        Arc::clone(&self.alarm)
    }

    fn figures(&self) -> Figures {
        self.queue.figures()
    }

    fn backup(&self, out: BackupOut, about: BackupAbout, reply: Reply<BackupOutcome>) {
        let mut backup = self.backup.lock().unwrap_or_else(PoisonError::into_inner);
        if self.backing_up.swap(true, Ordering::Acquire) {
            reply.send(Ok(Err(BackupError::Busy)));
            return;
        }
        let source = dump::Source {
            address: self.address.clone(),
            runtime: self.started.readers.runtime().clone(),
            closing: Arc::clone(&self.closing),
            blobs: match self.started.blobs.objects() {
                Some(objects) => dump::Blobs::Open(Arc::clone(objects)),
                None => dump::Blobs::Here,
            },
        };
        let asked = self.started.readers.asked();
        let backing_up = Arc::clone(&self.backing_up);
        let alarm = Arc::clone(&self.alarm);
        // A thread of its own: it takes as long as whoever takes what it writes.
        let thread = thread::Builder::new()
            .name("store-backup".to_owned())
            .spawn(move || {
                let outcome = dump::run(&source, out, about);
                if let Err(BackupError::Store(error)) = &outcome {
                    alarm.hear(error);
                }
                // Who hears of it may begin the next one at once.
                backing_up.store(false, Ordering::Release);
                reply.send(Ok(outcome));
                drop(asked);
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

impl Drop for Postgres {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        let objects = self.started.blobs.objects().cloned();
        if let Some(objects) = &objects {
            objects.stop();
        }
        self.workers.close();
        // What waits is still done; the runtime ends when nobody needs it any more.
        self.queue.close();
        let here = thread::current().id();
        let runtime = self.runtime.take();
        // The last handle may have been held by a callback, on the runtime's thread: it would wait for itself.
        if runtime
            .as_ref()
            .is_some_and(|runtime| runtime.thread().id() == here)
        {
            return;
        }
        let backup = self
            .backup
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let threads = std::mem::take(&mut self.threads).into_iter().chain(backup);
        for thread in threads
            .chain(runtime)
            .filter(|thread| thread.thread().id() != here)
        {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
        if let Some(objects) = objects {
            objects.end();
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What is said where the store was closed before it could answer.
fn closed() -> BackupError {
    BackupError::Store(StoreError::Closed)
}
