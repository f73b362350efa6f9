//! The state that a group of batches sees and changes, before anything of it is written.
//!
//! Batches are applied here, one after another, to what was read of the database; what is left of a group at its end
//! is written with a few statements. So a refused batch never reached the database, and how many batches there are
//! makes no more round trips.

use std::collections::HashMap;

use super::staged::Staged;
use crate::blob::BlobHash;
use crate::log::{LogId, Marks};
use crate::owner::Owner;

/// Shape, owner and key of a row.
pub(super) type RowAt = (i64, i64, Vec<u8>);
/// Log, owner and id of an entry.
pub(super) type EntryAt = (i64, i64, i64);
/// Log, owner and unique key of an entry.
pub(super) type UniqueAt = (i64, i64, Vec<u8>);
/// Owner and hash of references to a blob.
pub(super) type RefAt = (i64, [u8; 32]);
/// Number of an index, and a key in it.
pub(super) type NumberedKey = (i64, Vec<u8>);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct StagedRow {
    pub(super) value: Vec<u8>,
    pub(super) expires: Option<i64>,
    pub(super) index_keys: Vec<NumberedKey>,
}

impl StagedRow {
    pub(super) fn is_live(&self, now: i64) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// A place in an index, in the order of the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IndexPlace {
    pub(super) key: NumberedKey,
    pub(super) owner_name: Vec<u8>,
    pub(super) row_key: Vec<u8>,
    pub(super) owner: i64,
}

/// A row that has a key of an index.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) owner_name: Vec<u8>,
    pub(super) row_key: Vec<u8>,
    pub(super) owner: i64,
}

/// An entry as the database has it.
#[derive(Clone, Debug)]
pub(super) struct FoundEntry {
    pub(super) marks: Marks,
    pub(super) unique: Option<Vec<u8>>,
}

/// An entry as it is to be.
#[derive(Clone, Debug)]
pub(super) struct StagedEntry {
    pub(super) marks: Marks,
    pub(super) unique: Option<Vec<u8>>,
    pub(super) body: Body,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// The database has it.
    Stored,
    /// The database has it with another payload.
    Replaced(Vec<u8>),
    /// The database has not got it, or another in its place.
    New {
        address: Option<String>,
        payload: Vec<u8>,
    },
}

/// What was read of the database for a group. What is not in it was not looked at.
#[derive(Default)]
pub(super) struct Found {
    pub(super) owners: HashMap<Owner, Option<i64>>,
    pub(super) rows: HashMap<RowAt, Option<StagedRow>>,
    pub(super) holders: HashMap<NumberedKey, Vec<Holder>>,
    pub(super) entries: HashMap<EntryAt, Option<FoundEntry>>,
    pub(super) uniques: HashMap<UniqueAt, Option<i64>>,
    pub(super) references: HashMap<RefAt, i64>,
}

/// What a group has changed.
#[derive(Default)]
pub(super) struct Stage {
    pub(super) found: Found,
    /// Numbers of the owners whose names were given or taken away.
    pub(super) owners: Staged<Owner, Option<i64>>,
    /// Owners that are new, by number.
    pub(super) born: Staged<i64, Owner>,
    /// Owners that were deleted, by number.
    pub(super) dead: Staged<i64, Owner>,
    pub(super) rows: Staged<RowAt, Option<StagedRow>>,
    /// Whether a place is there.
    pub(super) index: Staged<IndexPlace, bool>,
    pub(super) entries: Staged<EntryAt, Option<StagedEntry>>,
    pub(super) uniques: Staged<UniqueAt, Option<i64>>,
    pub(super) references: Staged<RefAt, i64>,
    pub(super) last_log_id: LogId,
    /// The last id before the batch at hand.
    last_log_id_before: LogId,
    pub(super) next_owner: i64,
    /// Blobs that lost a reference, to be looked at after the commit.
    pub(super) freed: Vec<BlobHash>,
    freed_before: usize,
    /// An owner was deleted before what is staged was last written.
    pub(super) has_dead: bool,
    /// Something was written, and is not committed yet.
    pub(super) is_written: bool,
}

impl Stage {
    pub(super) fn new(last_log_id: LogId, next_owner: i64) -> Self {
        Self {
            last_log_id,
            last_log_id_before: last_log_id,
            next_owner,
            ..Self::default()
        }
    }

    /// What follows when everything staged is written, and not committed yet: nothing is staged, and all that is known of
    /// the database is whose owners' numbers are.
    pub(super) fn written(self) -> Self {
        let mut found = Found {
            owners: self.found.owners,
            ..Found::default()
        };
        let owners = self.owners.iter();
        found
            .owners
            .extend(owners.map(|(owner, number)| (owner.clone(), *number)));
        Self {
            found,
            freed_before: self.freed.len(),
            freed: self.freed,
            has_dead: self.has_dead || !self.dead.is_empty(),
            is_written: true,
            ..Self::new(self.last_log_id, self.next_owner)
        }
    }

    /// The batch at hand stays.
    pub(super) fn keep(&mut self) {
        self.owners.keep();
        self.born.keep();
        self.dead.keep();
        self.rows.keep();
        self.index.keep();
        self.entries.keep();
        self.uniques.keep();
        self.references.keep();
        self.last_log_id_before = self.last_log_id;
        self.freed_before = self.freed.len();
    }

    /// The batch at hand was refused. Numbers that it gave to owners are not given again.
    pub(super) fn take_back(&mut self) {
        self.owners.take_back();
        self.born.take_back();
        self.dead.take_back();
        self.rows.take_back();
        self.index.take_back();
        self.entries.take_back();
        self.uniques.take_back();
        self.references.take_back();
        self.last_log_id = self.last_log_id_before;
        self.freed.truncate(self.freed_before);
    }

    /// Whether there is anything to write.
    pub(super) fn is_changed(&self) -> bool {
        !(self.born.is_empty()
            && self.dead.is_empty()
            && self.rows.is_empty()
            && self.entries.is_empty()
            && self.references.is_empty())
    }

    /// What an owner's rows and entries are not looked for: it is new, and has what is staged.
    pub(super) fn is_born(&self, owner: i64) -> bool {
        self.born.get(&owner).is_some()
    }
}
