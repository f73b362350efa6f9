//! What can go wrong, by blame.

use std::path::PathBuf;

use crate::limits::Limit;
use crate::objects::ObjectFault;
use crate::shape::RowError;

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The stored state is not what the batch required; the caller decides what that means.
    Conflict,
    /// The caller misused the store: a bug of ours, or an input that was let through unchecked.
    Caller,
    /// The machine failed: a full disk, an I/O error, a damaged file, a store that is shut down.
    Environment,
}

/// Why a batch or a read failed.
///
/// A batch that was refused ([`Blame::Conflict`], [`Blame::Caller`]) left no trace. One that failed by
/// [`Blame::Environment`] was not reported durable; as with any failed write to a disk, whether a restart
/// finds it is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A precondition of the batch did not hold. `position` counts the batch's `require_*` calls from 0.
    #[error("precondition {position} of the batch does not hold in {shape}")]
    Refused {
        /// The shape that the precondition looked at.
        shape: &'static str,
        /// Which of the batch's preconditions, from 0.
        position: usize,
    },
    /// Another key already has this value of a unique index.
    #[error("another key of {shape} has the same {index}")]
    Taken {
        /// The table.
        shape: &'static str,
        /// The unique index.
        index: &'static str,
    },
    /// The log already has an entry with this id for this owner.
    #[error("{shape} already has an entry with this id")]
    IdTaken {
        /// The log.
        shape: &'static str,
    },
    /// A reference to a blob that is not stored, or the return of a reference that is not held.
    #[error("no such blob or reference")]
    NoSuchBlob,
    /// A named limit was passed.
    #[error("{limit} is {max}, asked for {asked}")]
    TooLarge {
        /// Which limit.
        limit: Limit,
        /// Its value.
        max: usize,
        /// What was asked for.
        asked: usize,
    },
    /// The store was opened without this shape.
    #[error("the store was opened without {shape}")]
    UnknownShape {
        /// The shape that was asked for.
        shape: &'static str,
    },
    /// The index was not declared with this table.
    #[error("{shape} has no index {index}")]
    UnknownIndex {
        /// The table.
        shape: &'static str,
        /// The index that was asked for.
        index: &'static str,
    },
    /// There is no room left for the data.
    #[error("the disk is full")]
    DiskFull,
    /// The disk takes no writes, as one that has turned read-only; what is stored can be read.
    #[error("the disk cannot be written ({code})")]
    Unwritable {
        /// SQLite's extended result code.
        code: i32,
    },
    /// What is stored cannot be read as what was declared.
    #[error("stored data of {shape} cannot be read")]
    Damaged {
        /// The shape, or the part of the backend.
        shape: &'static str,
    },
    /// The backend failed otherwise.
    #[error("storage failed ({code}): {text}")]
    Failed {
        /// The backend's own number: SQLite's extended result code, or `errno`; -1 where it has none.
        code: i32,
        /// The backend's own words, for the log.
        text: String,
    },
    /// The database cannot be reached, or is not the one that the store was opened with; where it can be again, the store
    /// goes on by itself. Whether what was being committed meanwhile is stored is not known.
    #[error("the database cannot be reached: {reason}")]
    Unreachable {
        /// In what way, for the log.
        reason: String,
    },
    /// The database did not answer in time.
    #[error("the database did not answer within {millis} ms")]
    Slow {
        /// How long was waited.
        millis: u64,
    },
    /// All connections to the database were in use for too long.
    #[error("all connections to the database were busy for {millis} ms")]
    Busy {
        /// How long was waited.
        millis: u64,
    },
    /// The object store that has the files, or the way to it.
    #[error("the object store {0}")]
    Objects(ObjectFault),
    /// The store was shut down before it could answer.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Who has to act.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Refused { .. } | Self::Taken { .. } | Self::IdTaken { .. } => Blame::Conflict,
            Self::NoSuchBlob
            | Self::TooLarge { .. }
            | Self::UnknownShape { .. }
            | Self::UnknownIndex { .. } => Blame::Caller,
            Self::DiskFull
            | Self::Unwritable { .. }
            | Self::Damaged { .. }
            | Self::Failed { .. }
            | Self::Unreachable { .. }
            | Self::Slow { .. }
            | Self::Busy { .. }
            | Self::Objects(_)
            | Self::Closed => Blame::Environment,
        }
    }
}

/// Why a store was not opened. Whatever the reason, what is stored was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another store of this one, has the data directory open.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// There is a file where the data should be, and it is not ours.
    #[error("{0} is not a Waxwing database; it was left as it is")]
    Foreign(PathBuf),
    /// There is a file where the data directory should be.
    #[error("{0} is no directory; give another path, or move what is there away")]
    NoDirectory(PathBuf),
    /// The directory has no database, and is not empty.
    #[error(
        "{path} holds {found} and no Waxwing database; choose an empty directory, or one that is not there yet. Nothing was changed"
    )]
    Occupied {
        /// The directory.
        path: PathBuf,
        /// Some of the names in it, quoted.
        found: String,
    },
    /// Parts of the data are there, and what belongs to them is missing.
    #[error("{found} is there, but {missing} is missing: has it been moved? Nothing was changed")]
    Incomplete {
        /// What was found.
        found: PathBuf,
        /// What should be there too.
        missing: PathBuf,
    },
    /// Nothing can be written there: by anybody.
    #[error("{0} cannot be written: its disk is read-only")]
    ReadOnly(PathBuf),
    /// Nothing can be read or written there: by this user.
    #[error("{0} cannot be opened: this user may not read and write it")]
    Denied(PathBuf),
    /// There is nothing that could be looked at.
    #[error("{0} holds no Waxwing database")]
    Missing(PathBuf),
    /// The database cannot be read.
    #[error("{path} is damaged ({detail}); it was left as it is")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The database was written by a newer program.
    #[error(
        "{what} has version {stored}, this program knows {known}: it was written by a newer program, and was left as it is"
    )]
    Newer {
        /// The shape, or the layout of the whole.
        what: String,
        /// The stored version.
        stored: u32,
        /// The greatest version that this program knows.
        known: u32,
    },
    /// The database holds a shape that this program does not declare.
    #[error("the database holds {0}, which this program does not know; it was left as it is")]
    UnknownShape(String),
    /// A backup was being restored, and the restore did not end.
    #[error("a restore into {0} did not end; run it again, or empty the directory")]
    Unrestored(PathBuf),
    /// A stored shape is of another kind than the declared one.
    #[error("{0} is stored as another kind of shape; it was left as it is")]
    OtherKind(&'static str),
    /// No migration leads from the stored version to the declared one.
    #[error("{shape} has version {stored}, and there is no migration from it to {declared}")]
    TooOld {
        /// The shape.
        shape: &'static str,
        /// The stored version.
        stored: u32,
        /// The declared version.
        declared: u32,
    },
    /// A row could not be brought to the declared version.
    #[error("{shape} cannot be migrated: {error}")]
    Migration {
        /// The shape.
        shape: &'static str,
        /// What was wrong with the row.
        error: RowError,
    },
    /// Rows have the same key, or the same key of a unique index, after a migration.
    #[error("{shape} cannot be migrated: two rows have the same {index}")]
    MigrationTaken {
        /// The shape.
        shape: &'static str,
        /// The unique index; `key` for the key itself.
        index: &'static str,
    },
    /// The declared shapes contradict each other, or a name is not one.
    #[error("{shape} cannot be declared so: {reason}")]
    Declared {
        /// The shape.
        shape: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// The address of a database server cannot be used.
    #[error("the database's URL cannot be used: {0}")]
    Url(String),
    /// No server of the address could be reached, or none was ready.
    #[error("{database} cannot be reached: {reason}")]
    Unreachable {
        /// Which database, without its password.
        database: String,
        /// What was tried, and what came of it.
        reason: String,
    },
    /// The server lacks what was acknowledged: it is of before a failover, or was put back.
    #[error("{database} lacks {commits} commits that were acknowledged. Nothing was changed")]
    Behind {
        /// Which database, without its password.
        database: String,
        /// How many commits it lacks.
        commits: u64,
    },
    /// The server does not let us in: another password, or a rule.
    #[error("{database} does not let this user in: {reason}")]
    NotLetIn {
        /// Which database, without its password.
        database: String,
        /// In PostgreSQL's words.
        reason: String,
    },
    /// The server has no such database.
    #[error("{0} does not exist")]
    NoDatabase(String),
    /// We may not do what we need there.
    #[error("{database} cannot be used: {reason}")]
    Forbidden {
        /// Which database, without its password.
        database: String,
        /// In PostgreSQL's words.
        reason: String,
    },
    /// Another server has the database open.
    #[error("{0} is in use by another Waxwing server; a database has one at a time")]
    DatabaseInUse(String),
    /// The database holds tables, and they are not ours.
    #[error(
        "{database} holds {found} and no Waxwing tables; create an empty database for Waxwing. Nothing was changed"
    )]
    ForeignDatabase {
        /// Which database.
        database: String,
        /// What was found there.
        found: String,
    },
    /// The server's settings or version do not fit.
    #[error("{database} cannot be used: {reason}. Nothing was changed")]
    UnfitDatabase {
        /// Which database.
        database: String,
        /// What would have to be otherwise.
        reason: String,
    },
    /// The object store for files cannot be used.
    #[error("{place} {fault}")]
    Objects {
        /// Which, without its key.
        place: String,
        /// Why.
        fault: ObjectFault,
    },
    /// The files are in another place than the one that was named, and would be lost.
    #[error("the files of {store} are in {files}. Nothing was changed")]
    FilesElsewhere {
        /// The data directory or the database.
        store: String,
        /// Where its files are.
        files: String,
    },
    /// The environment failed.
    #[error("{path}: {error}")]
    Environment {
        /// Which file or directory.
        path: PathBuf,
        /// How.
        error: StoreError,
    },
}

/// An error of the file system.
pub(crate) fn io_failed(error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        _ => StoreError::Failed {
            code: error.raw_os_error().unwrap_or(-1),
            text: error.to_string(),
        },
    }
}
