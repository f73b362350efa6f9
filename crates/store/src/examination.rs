//! What can still be read of a data directory that is damaged.

use crate::blob::BlobHash;
use crate::error::OpenError;
use crate::objects::ObjectPlace;
use crate::owner::Owner;

/// The part of a data directory that a damage is in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DamagedPart {
    /// The database's file as a whole: its length, or its first bytes.
    File,
    /// The write-ahead log beside it.
    WriteAhead,
    /// The structure of the database: pages that hold this.
    Pages(&'static str),
    /// The records of a table or log.
    Shape(String),
    /// The owners.
    Owners,
    /// What repeats the records of a table, to find them; it is made anew by a restore.
    Index(String),
    /// References to stored files.
    References,
    /// A stored file.
    Blob(BlobHash),
}

/// What it is, in plain words.
impl std::fmt::Display for DamagedPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File => f.write_str("the database"),
            Self::WriteAhead => f.write_str("the write-ahead log"),
            Self::Pages(title) => f.write_str(title),
            Self::Shape(name) => f.write_str(name),
            Self::Owners => f.write_str("the list of owners"),
            Self::Index(name) => write!(f, "the index {name}"),
            Self::References => f.write_str("files"),
            Self::Blob(hash) => write!(f, "{hash}"),
        }
    }
}

/// What a damage costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Everything is there twice, or can be told from the rest.
    Nothing,
    /// So many records, and of whom; owners beyond the first few, and those that are not known, are only counted.
    Records(u64, Vec<(Owner, u64)>),
    /// What was there cannot be told.
    Unknown,
    /// Nothing, if what was guessed is right.
    Guessed,
}

/// One damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where.
    pub part: DamagedPart,
    /// What is wrong, in plain words.
    pub text: String,
    /// What cannot be exported because of it.
    pub loss: Loss,
}

/// A table or log as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExaminedShape {
    /// Its name.
    pub name: String,
    /// Records that can be exported.
    pub records: u64,
    /// Whose they are: how many owners.
    pub owners: u64,
}

/// What an examination found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Why a server would not start on it; `None` where it would.
    pub refusal: Option<OpenError>,
    /// Versions of tables and logs that this program cannot use.
    pub versions: Vec<OpenError>,
    /// Everything that is damaged.
    pub damages: Vec<Damage>,
    /// A last write that did not reach the disk whole, as a power cut leaves it: nothing of it was acknowledged.
    pub is_unfinished: bool,
    /// Each table and log with what can be exported of it.
    pub shapes: Vec<ExaminedShape>,
    /// Owners that have anything.
    pub owners: u64,
    /// Stored files that are whole, and referred to.
    pub blobs: u64,
}

/// How to examine.
#[derive(Clone, Copy, Debug)]
pub struct ExamineOptions<'a> {
    /// Where the scratch file may be made that holds what was read, which is as large as the database. It has no name
    /// while it is used, so nothing of it stays.
    pub scratch: &'a std::path::Path,
    /// The time, in microseconds since 1970: a log id that is far beyond it is damaged.
    pub now_micros: u64,
    /// Takes a version that this program does not know for a damaged one: records that can be read as this program
    /// knows them are exported, the others left behind.
    pub any_version: bool,
    /// The object store that has the blobs, if one has.
    pub objects: Option<&'a ObjectPlace>,
}
