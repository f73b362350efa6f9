//! What the double holds, and the three ways in which it changes, each of which can be undone.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::backend::Place;
use crate::blob::BlobHash;
use crate::log::{LogId, Marks};
use crate::owner::Owner;

#[derive(Clone, Default)]
pub(super) struct State {
    /// Stored shapes: what was declared when the memory was opened last.
    pub(super) stored: BTreeMap<&'static str, StoredShape>,
    pub(super) tables: BTreeMap<&'static str, BTreeMap<Owner, BTreeMap<Vec<u8>, StoredRow>>>,
    pub(super) indexes: BTreeMap<(&'static str, &'static str), BTreeSet<Place>>,
    pub(super) logs: BTreeMap<&'static str, BTreeMap<Owner, OwnedLog>>,
    pub(super) references: BTreeMap<Owner, BTreeMap<BlobHash, u64>>,
    pub(super) last_log_id: LogId,
}

#[derive(Clone, PartialEq)]
pub(super) struct StoredShape {
    pub(super) version: u32,
    pub(super) kind: crate::shape::ShapeKind,
    pub(super) indexes: Vec<(&'static str, bool)>,
}

#[derive(Clone)]
pub(super) struct StoredRow {
    pub(super) value: Bytes,
    pub(super) expires_micros: Option<u64>,
    pub(super) index_keys: Vec<(&'static str, Vec<u8>)>,
}

impl StoredRow {
    pub(super) fn is_live(&self, now_micros: Option<u64>) -> bool {
        !matches!((self.expires_micros, now_micros), (Some(expires), Some(now)) if expires <= now)
    }
}

#[derive(Clone, Default)]
pub(super) struct OwnedLog {
    pub(super) entries: BTreeMap<LogId, StoredEntry>,
    pub(super) uniques: BTreeMap<Vec<u8>, LogId>,
}

#[derive(Clone)]
pub(super) struct StoredEntry {
    pub(super) marks: Marks,
    pub(super) unique: Option<Vec<u8>>,
    pub(super) address: Option<String>,
    pub(super) payload: Bytes,
}

/// What a change replaced.
pub(super) enum Undo {
    Row {
        shape: &'static str,
        owner: Owner,
        key: Vec<u8>,
        before: Option<StoredRow>,
    },
    Entry {
        shape: &'static str,
        owner: Owner,
        id: LogId,
        before: Option<StoredEntry>,
    },
    References {
        owner: Owner,
        hash: BlobHash,
        before: u64,
    },
    LastLogId(LogId),
}

impl State {
    pub(super) fn row(&self, shape: &str, owner: &Owner, key: &[u8]) -> Option<&StoredRow> {
        self.tables.get(shape)?.get(owner)?.get(key)
    }

    pub(super) fn log(&self, shape: &str, owner: &Owner) -> Option<&OwnedLog> {
        self.logs.get(shape)?.get(owner)
    }

    /// The places of an index from a key on.
    pub(super) fn places_from(
        &self,
        shape: &'static str,
        index: &'static str,
        index_key: &[u8],
    ) -> impl Iterator<Item = &Place> {
        // The least owner there is, with the least key.
        let start = Place {
            index_key: index_key.to_vec(),
            owner: Owner::account(""),
            key: Vec::new(),
        };
        let places = self.indexes.get(&(shape, index)).into_iter();
        places.flat_map(move |places| places.range(start.clone()..))
    }

    pub(super) fn is_referenced(&self, hash: &BlobHash) -> bool {
        self.references.values().any(|held| held.contains_key(hash))
    }

    pub(super) fn set_row(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        key: Vec<u8>,
        row: Option<StoredRow>,
    ) -> Undo {
        let place = |index_key: &[u8]| Place {
            index_key: index_key.to_vec(),
            owner: owner.clone(),
            key: key.clone(),
        };
        for (index, index_key) in row.iter().flat_map(|row| &row.index_keys) {
            self.indexes
                .entry((shape, index))
                .or_default()
                .insert(place(index_key));
        }
        let rows = self.tables.entry(shape).or_default();
        let owned = rows.entry(owner.clone()).or_default();
        let kept = row
            .as_ref()
            .map(|row| row.index_keys.clone())
            .unwrap_or_default();
        let before = match row {
            Some(row) => owned.insert(key.clone(), row),
            None => owned.remove(&key),
        };
        if owned.is_empty() {
            rows.remove(owner);
        }
        for gone in before
            .iter()
            .flat_map(|row| &row.index_keys)
            .filter(|gone| !kept.contains(gone))
        {
            self.indexes
                .entry((shape, gone.0))
                .or_default()
                .remove(&place(&gone.1));
        }
        Undo::Row {
            shape,
            owner: owner.clone(),
            key,
            before,
        }
    }

    pub(super) fn set_entry(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        id: LogId,
        entry: Option<StoredEntry>,
    ) -> Undo {
        let logs = self.logs.entry(shape).or_default();
        let log = logs.entry(owner.clone()).or_default();
        let unique = entry.as_ref().and_then(|entry| entry.unique.clone());
        let before = match entry {
            Some(entry) => log.entries.insert(id, entry),
            None => log.entries.remove(&id),
        };
        if let Some(gone) = before.as_ref().and_then(|entry| entry.unique.as_ref()) {
            log.uniques.remove(gone);
        }
        if let Some(unique) = unique {
            log.uniques.insert(unique, id);
        }
        if log.entries.is_empty() {
            logs.remove(owner);
        }
        Undo::Entry {
            shape,
            owner: owner.clone(),
            id,
            before,
        }
    }

    pub(super) fn set_references(&mut self, owner: &Owner, hash: BlobHash, count: u64) -> Undo {
        let held = self.references.entry(owner.clone()).or_default();
        let before = if count == 0 {
            held.remove(&hash)
        } else {
            held.insert(hash, count)
        };
        if held.is_empty() {
            self.references.remove(owner);
        }
        Undo::References {
            owner: owner.clone(),
            hash,
            before: before.unwrap_or_default(),
        }
    }

    pub(super) fn set_last_log_id(&mut self, id: LogId) -> Undo {
        Undo::LastLogId(std::mem::replace(&mut self.last_log_id, id))
    }

    pub(super) fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Row {
                shape,
                owner,
                key,
                before,
            } => {
                self.set_row(shape, &owner, key, before);
            }
            Undo::Entry {
                shape,
                owner,
                id,
                before,
            } => {
                self.set_entry(shape, &owner, id, before);
            }
            Undo::References {
                owner,
                hash,
                before,
            } => {
                self.set_references(&owner, hash, before);
            }
            Undo::LastLogId(id) => self.last_log_id = id,
        }
    }
}
