//! Backups: everything of a store in one file, for any backend.
//!
//! | part | is |
//! |---|---|
//! | magic | `waxwing-backup\r\n` |
//! | format | version, 4 bytes; all numbers are big-endian |
//! | frames | kind, 1 byte; length, 4 bytes; body; check, 8 bytes |
//!
//! A frame's check is the beginning of the SHA-256 of its place (from 0, 8 bytes), kind, length and body: what is
//! flipped, missing, doubled or moved is found at its place. The last frame holds the SHA-256 of everything before
//! it. Bodies are protobuf messages, named by shapes, owners and keys; nothing in them is of one backend.
//!
//! The first frame is the header: who wrote it and when, every shape with its version and number of records. An
//! owner's frame is followed by its rows, entries and references to blobs; after all owners come the blobs, each
//! followed by its content in parts.

use std::io::Read;

use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::log::LogId;
use crate::shape::Shape;

mod dump;
mod frames;
mod reader;
mod records;

pub(crate) use dump::Dump;
pub(crate) use reader::{Reader, Record};
pub(crate) use records::{EntryRecord, Header, HeaderShape, RowRecord};

/// What every backup begins with. A copy that changed line ends shows it here.
pub const BACKUP_MAGIC: &[u8; 16] = b"waxwing-backup\r\n";
/// The version of the format that this program writes, and the greatest that it reads.
pub const BACKUP_FORMAT: u32 = 1;

/// What a backup says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupAbout {
    /// Version of the program that writes it.
    pub product: String,
    /// When, in microseconds since 1970.
    pub at_micros: u64,
}

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// Who wrote it, and when.
    pub about: BackupAbout,
    /// Each shape, in the order of names.
    pub shapes: Vec<BackupShape>,
    /// The greatest log id that there was.
    pub last_log_id: LogId,
    /// Owners that have anything.
    pub owners: u64,
    /// Owners' references to blobs.
    pub references: u64,
    /// Blobs.
    pub blobs: u64,
    /// Content of the blobs in bytes.
    pub blob_bytes: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// The file's SHA-256, as `sha256sum` gives it.
    pub sha256: [u8; 32],
}

/// A shape in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupShape {
    /// Its name.
    pub name: String,
    /// Its version when the backup was made.
    pub version: u32,
    /// Rows or entries.
    pub records: u64,
}

/// Why there is no backup, or it cannot be used. Whatever the reason, nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file is something else.
    #[error("this is not a Waxwing backup")]
    Foreign,
    /// The file is of a newer program.
    #[error(
        "the backup has format {stored}, this program knows {BACKUP_FORMAT}: use the program that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The file's version.
        stored: u32,
    },
    /// A shape is of a newer program.
    #[error(
        "the backup holds {shape} in version {stored}, this program knows {known}: use the program that wrote it, or a newer one"
    )]
    NewerShape {
        /// The shape.
        shape: String,
        /// The version in the backup.
        stored: u32,
        /// The greatest version that this program knows.
        known: u32,
    },
    /// A shape that this program does not have, or has as another kind.
    #[error("the backup holds {0}, which this program does not know")]
    UnknownShape(
        /// Its name.
        String,
    ),
    /// A shape from before what this program can migrate.
    #[error("the backup holds {shape} in version {stored}, which this program is too new for")]
    TooOld {
        /// The shape.
        shape: &'static str,
        /// The version in the backup.
        stored: u32,
    },
    /// The end is missing.
    #[error("the backup is cut short: it ends after {bytes} bytes, inside record {record}")]
    CutShort {
        /// Bytes that there are.
        bytes: u64,
        /// The record that should be there, from 0.
        record: u64,
    },
    /// What is there is not what was written.
    #[error("the backup is damaged at record {record}: {reason}")]
    Damaged {
        /// Which record, from 0.
        record: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// The backup was given up while it was written.
    #[error("the backup was not finished: {0}")]
    GivenUp(
        /// In the writer's words.
        String,
    ),
    /// A blob that something refers to is not as it was stored.
    #[error("the stored file {0} is missing or damaged, so there is no whole backup")]
    Blob(
        /// Its hash.
        BlobHash,
    ),
    /// Another backup is being made.
    #[error("another backup is being made; wait for its end")]
    Busy,
    /// A backup goes only where nothing is.
    #[error("{0} is not empty; a backup is restored into an empty directory only")]
    NotEmpty(
        /// The directory.
        std::path::PathBuf,
    ),
    /// The same, for a database.
    #[error(
        "{0} is not empty: it holds what a Waxwing server has stored. A backup is restored into an empty database only"
    )]
    DatabaseNotEmpty(
        /// Which database.
        String,
    ),
    /// The data directory or the database cannot be made or opened, or is in use.
    #[error(transparent)]
    Open(#[from] crate::error::OpenError),
    /// The machine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<std::io::Error> for BackupError {
    fn from(error: std::io::Error) -> Self {
        Self::Store(crate::error::io_failed(&error))
    }
}

/// Reads a backup to its end and says what is in it. `shapes` are those that the program declares: a backup that it
/// could not restore is refused.
///
/// # Errors
/// [`BackupError`]: whatever was flipped, cut off, added or newer.
pub fn verify_backup(input: impl Read, shapes: &[Shape]) -> Result<BackupSummary, BackupError> {
    let declared = crate::shape::declared(shapes)?;
    let mut reader = Reader::open(input, &declared)?;
    while reader.next()?.is_some() {}
    reader.summary()
}

/// As [`verify_backup`], and how many records of each shape are not what this program declares, where there are any. Those
/// of an older version are not looked at: their migration does.
///
/// # Errors
/// As for [`verify_backup`].
pub fn examine_backup(
    input: impl Read,
    shapes: &[Shape],
) -> Result<(BackupSummary, Vec<(String, u64)>), BackupError> {
    let declared = crate::shape::declared(shapes)?;
    let mut reader = Reader::open(input, &declared)?;
    let mut unread = vec![0_u64; reader.header.shapes.len()];
    while let Some(record) = reader.next()? {
        let (place, key, value) = match &record {
            Record::Row(row) => (row.shape, row.key.as_slice(), row.value.as_slice()),
            Record::Entry(entry) => (entry.shape, &[][..], entry.payload.as_slice()),
            _ => continue,
        };
        let place = place as usize;
        let shape = reader.header.shapes.get(place).and_then(|stored| {
            let shape = declared.get(stored.name.as_str())?;
            (shape.version == stored.version).then_some(shape)
        });
        if let (Some(shape), Some(count)) = (shape, unread.get_mut(place))
            && !(shape.reads)(key, value)
        {
            *count += 1;
        }
    }
    let names = reader.header.shapes.iter().map(|shape| shape.name.clone());
    let unread = names.zip(unread).filter(|(_, count)| *count > 0).collect();
    Ok((reader.summary()?, unread))
}
