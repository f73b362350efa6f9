//! What a batch is made of, without types.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::blob::{BlobHash, Lease};
use crate::key::ByteRange;
use crate::log::{LogId, Marks};
use crate::owner::Owner;
use crate::shape::ShapeKind;

/// A precondition on one row.
#[derive(Debug)]
pub(crate) struct Require {
    pub(crate) shape: &'static str,
    pub(crate) owner: Owner,
    pub(crate) key: Vec<u8>,
    pub(crate) now_micros: Option<u64>,
    pub(crate) condition: Condition,
}

#[derive(Debug)]
pub(crate) enum Condition {
    Absent,
    Present,
    Equals(Vec<u8>),
}

impl Condition {
    pub(crate) fn holds(&self, value: Option<&[u8]>) -> bool {
        match self {
            Self::Absent => value.is_none(),
            Self::Present => value.is_some(),
            Self::Equals(wanted) => value == Some(wanted.as_slice()),
        }
    }
}

/// A row to be stored.
#[derive(Clone, Debug)]
pub(crate) struct PutRow {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) expires_micros: Option<u64>,
    /// Sorted, without repetition.
    pub(crate) index_keys: Vec<(&'static str, Vec<u8>)>,
}

/// An entry to be stored.
#[derive(Debug)]
pub(crate) struct NewEntry {
    pub(crate) id: LogId,
    pub(crate) marks: Marks,
    pub(crate) unique: Option<Vec<u8>>,
    pub(crate) address: Option<String>,
    pub(crate) payload: Vec<u8>,
}

/// One write.
#[derive(Debug)]
pub(crate) enum Op {
    Put {
        shape: &'static str,
        owner: Owner,
        row: PutRow,
    },
    Delete {
        shape: &'static str,
        owner: Owner,
        key: Vec<u8>,
    },
    DeleteRange {
        shape: &'static str,
        owner: Owner,
        range: ByteRange,
        limit: usize,
    },
    Add {
        shape: &'static str,
        owner: Owner,
        key: Vec<u8>,
        now_micros: Option<u64>,
        delta: i64,
    },
    Append {
        shape: &'static str,
        owner: Owner,
        entry: NewEntry,
    },
    ClearMarks {
        shape: &'static str,
        owner: Owner,
        ids: Vec<LogId>,
        marks: Marks,
    },
    ClearMarksIn {
        shape: &'static str,
        owner: Owner,
        ids: RangeInclusive<LogId>,
        marks: Marks,
        limit: usize,
    },
    Replace {
        shape: &'static str,
        owner: Owner,
        id: LogId,
        payload: Vec<u8>,
    },
    DeleteEntries {
        shape: &'static str,
        owner: Owner,
        ids: RangeInclusive<LogId>,
        limit: usize,
    },
    DeleteOwner {
        owner: Owner,
    },
    PurgeExpired {
        now_micros: u64,
        limit: usize,
    },
    BlobRef {
        owner: Owner,
        lease: Arc<Lease>,
    },
    BlobUnref {
        owner: Owner,
        hash: BlobHash,
    },
}

impl Op {
    /// Whose data it writes; `None` for that of many.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Put { owner, .. }
            | Self::Delete { owner, .. }
            | Self::DeleteRange { owner, .. }
            | Self::Add { owner, .. }
            | Self::Append { owner, .. }
            | Self::ClearMarks { owner, .. }
            | Self::ClearMarksIn { owner, .. }
            | Self::Replace { owner, .. }
            | Self::DeleteEntries { owner, .. }
            | Self::DeleteOwner { owner }
            | Self::BlobRef { owner, .. }
            | Self::BlobUnref { owner, .. } => Some(owner),
            Self::PurgeExpired { .. } => None,
        }
    }

    /// The shape that it writes to, with its kind; `None` where it names none.
    pub(crate) fn shape(&self) -> Option<(&'static str, ShapeKind)> {
        match self {
            Self::Put { shape, .. }
            | Self::Delete { shape, .. }
            | Self::DeleteRange { shape, .. }
            | Self::Add { shape, .. } => Some((shape, ShapeKind::Table)),
            Self::Append { shape, .. }
            | Self::ClearMarks { shape, .. }
            | Self::ClearMarksIn { shape, .. }
            | Self::Replace { shape, .. }
            | Self::DeleteEntries { shape, .. } => Some((shape, ShapeKind::Log)),
            Self::DeleteOwner { .. }
            | Self::PurgeExpired { .. }
            | Self::BlobRef { .. }
            | Self::BlobUnref { .. } => None,
        }
    }
}
