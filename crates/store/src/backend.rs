//! What a backend has to do: the typed fronts need no more.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;

use crate::alarm::Alarm;
use crate::backup::{BackupAbout, BackupError, BackupSummary};
use crate::batch::{Batch, Committed};
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::figures::Figures;
use crate::key::ByteRange;
use crate::log::{Direction, LogId, Marks, Page};
use crate::owner::Owner;
use crate::reply::Reply;

/// Called once with the outcome of a batch, from a thread of the backend: it must be quick and must not panic.
pub type Done = Box<dyn FnOnce(Result<Committed, StoreError>) + Send>;

/// A place where the shapes are stored.
pub(crate) trait Backend: Send + Sync {
    /// Takes a batch without waiting; see [`Store::submit`](crate::Store::submit).
    fn submit(&self, batch: Batch, done: Done);
    /// Takes a question without waiting. It is answered from the state after every batch that was submitted
    /// before.
    fn read(&self, query: Query);
    /// Runs work on files beside everything else.
    fn offload(&self, work: Box<dyn FnOnce() + Send>);
    /// Where blobs are. Its functions block, and are called through [`offload`](Self::offload).
    fn blobs(&self) -> Arc<dyn BlobFiles>;
    /// Writes everything as one moment had it, beside everything else.
    fn backup(&self, out: BackupOut, about: BackupAbout, reply: Reply<BackupOutcome>);
    /// What hears of damage that is met in use.
    fn alarm(&self) -> Arc<Alarm> {
        Arc::new(Alarm::new("what is held in memory".into()))
    }
    /// What it has done, where it counts.
    fn figures(&self) -> Figures {
        Figures::default()
    }
}

/// Where a backup goes.
pub(crate) type BackupOut = Box<dyn Write + Send>;
/// What came of a backup.
pub(crate) type BackupOutcome = Result<BackupSummary, BackupError>;

/// Blobs as files, or what stands for them.
pub(crate) trait BlobFiles: Send + Sync {
    /// Begins a blob.
    fn create(&self) -> Result<Box<dyn Upload>, StoreError>;
    /// Length of a stored blob in bytes. The caller holds a lease.
    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError>;
    /// Reads at most `bytes_max` bytes from `offset` on. The caller holds a lease.
    fn read(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError>;
    /// Bytes that are best read at a time, by whoever reads a blob to its end.
    fn read_bytes_best(&self) -> usize {
        64 << 10
    }
    /// Counts a lease: a blob that has one is not removed, even if it has no reference.
    fn lease(&self, hash: &BlobHash);
    /// Gives a lease back. Must not block.
    fn release(&self, hash: &BlobHash);
}

/// A blob that is being written; dropped before [`finish`](Self::finish), it leaves nothing.
pub(crate) trait Upload: Send {
    /// Appends bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError>;
    /// Makes it durable under its name. The caller holds a lease.
    fn finish(self: Box<Self>, hash: &BlobHash) -> Result<(), StoreError>;
}

/// Content of blobs, for whoever reads them to their ends, one after another.
pub(crate) trait Contents {
    /// Length of a blob in bytes; `None` where it is not there.
    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError>;
    /// At most so many bytes of it from an offset on; none at the end.
    fn part(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError>;
}

/// A question, with the place for its answer.
pub(crate) enum Query {
    Get(Get, Reply<Option<Bytes>>),
    Scan(Scan, Reply<Vec<RawRow>>),
    Find(Find, Reply<Vec<FoundRow>>),
    Count(Count, Reply<u64>),
    Owners(Owners, Reply<Vec<Owner>>),
    Page(PageOf, Reply<RawPage>),
    CountEntries(CountEntries, Reply<u64>),
    IdOf(IdOf, Reply<Option<LogId>>),
    LastLogId(Reply<LogId>),
}

impl Query {
    /// Whose state it looks at; `None` for that of many.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Get(query, _) => Some(&query.owner),
            Self::Scan(query, _) => Some(&query.owner),
            Self::Count(query, _) => Some(&query.owner),
            Self::Page(query, _) => Some(&query.owner),
            Self::CountEntries(query, _) => Some(&query.owner),
            Self::IdOf(query, _) => Some(&query.owner),
            Self::Find(..) | Self::Owners(..) | Self::LastLogId(_) => None,
        }
    }

    /// Answers it by an error.
    pub(crate) fn fail(self, error: StoreError) {
        match self {
            Self::Get(_, reply) => reply.send(Err(error)),
            Self::Scan(_, reply) => reply.send(Err(error)),
            Self::Find(_, reply) => reply.send(Err(error)),
            Self::Count(_, reply) | Self::CountEntries(_, reply) => reply.send(Err(error)),
            Self::Owners(_, reply) => reply.send(Err(error)),
            Self::Page(_, reply) => reply.send(Err(error)),
            Self::IdOf(_, reply) => reply.send(Err(error)),
            Self::LastLogId(reply) => reply.send(Err(error)),
        }
    }
}

/// One value.
pub(crate) struct Get {
    pub(crate) shape: &'static str,
    pub(crate) owner: Owner,
    pub(crate) key: Vec<u8>,
    pub(crate) now_micros: Option<u64>,
}

/// Rows of one owner in the order of their keys.
pub(crate) struct Scan {
    pub(crate) shape: &'static str,
    pub(crate) owner: Owner,
    pub(crate) range: ByteRange,
    pub(crate) direction: Direction,
    pub(crate) limit: usize,
    pub(crate) now_micros: Option<u64>,
}

/// A row as stored.
pub(crate) struct RawRow {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Rows of all owners in the order of index key, owner and key.
pub(crate) struct Find {
    pub(crate) shape: &'static str,
    pub(crate) index: &'static str,
    pub(crate) range: ByteRange,
    /// Only what comes after this place.
    pub(crate) after: Option<Place>,
    pub(crate) limit: usize,
    pub(crate) now_micros: Option<u64>,
}

/// A place in an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) index_key: Vec<u8>,
    pub(crate) owner: Owner,
    pub(crate) key: Vec<u8>,
}

/// A row found through an index.
pub(crate) struct FoundRow {
    pub(crate) place: Place,
    pub(crate) value: Vec<u8>,
}

/// How many rows an owner has in a range.
pub(crate) struct Count {
    pub(crate) shape: &'static str,
    pub(crate) owner: Owner,
    pub(crate) range: ByteRange,
    pub(crate) now_micros: Option<u64>,
}

/// Who has anything in a shape, in the order of owners.
pub(crate) struct Owners {
    pub(crate) shape: &'static str,
    pub(crate) after: Option<Owner>,
    pub(crate) limit: usize,
}

/// A page of an owner's log.
pub(crate) struct PageOf {
    pub(crate) shape: &'static str,
    pub(crate) owner: Owner,
    pub(crate) page: Page,
}

/// How many entries of an owner's log have these marks.
pub(crate) struct CountEntries {
    pub(crate) shape: &'static str,
    pub(crate) owner: Owner,
    pub(crate) marks: Marks,
}

/// The entry that has a unique key.
pub(crate) struct IdOf {
    pub(crate) shape: &'static str,
    pub(crate) owner: Owner,
    pub(crate) unique: Vec<u8>,
}

/// Entries as stored.
#[derive(Default)]
pub(crate) struct RawPage {
    pub(crate) entries: Vec<RawEntry>,
    pub(crate) next: Option<LogId>,
}

/// One entry as stored.
pub(crate) struct RawEntry {
    pub(crate) id: LogId,
    pub(crate) marks: Marks,
    pub(crate) payload: Bytes,
}
