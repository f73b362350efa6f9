//! Batches on the double.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bytes::Bytes;
use prost::Message;

use super::blobs::MemoryBlobs;
use super::read::rows_in;
use super::state::{State, StoredEntry, StoredRow, Undo};
use crate::batch::{Appended, Batch, Committed};
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::key::ByteRange;
use crate::log::{LogId, Marks};
use crate::op::{NewEntry, Op, PutRow};
use crate::owner::Owner;
use crate::shape::{Shape, ShapeKind};

type Shapes = BTreeMap<&'static str, Shape>;

/// The declared shape of this name and kind.
pub(super) fn shape<'a>(
    shapes: &'a Shapes,
    name: &'static str,
    kind: ShapeKind,
) -> Result<&'a Shape, StoreError> {
    shapes
        .get(name)
        .filter(|shape| shape.kind == kind)
        .ok_or(StoreError::UnknownShape { shape: name })
}

impl State {
    /// Applies a batch, or leaves everything as it is.
    pub(super) fn apply(
        &mut self,
        batch: &Batch,
        shapes: &Shapes,
        blobs: &MemoryBlobs,
    ) -> Result<Committed, StoreError> {
        batch.checked()?;
        for (name, kind) in batch.ops.iter().filter_map(Op::shape) {
            shape(shapes, name, kind)?;
        }
        for (position, require) in batch.requires.iter().enumerate() {
            shape(shapes, require.shape, ShapeKind::Table)?;
            let row = self.row(require.shape, &require.owner, &require.key);
            let row = row.filter(|row| row.is_live(require.now_micros));
            if !require.condition.holds(row.map(|row| &*row.value)) {
                return Err(StoreError::Refused {
                    shape: require.shape,
                    position,
                });
            }
        }
        let mut apply = Apply {
            state: self,
            shapes,
            blobs,
            undo: Vec::new(),
            committed: Committed::default(),
        };
        match batch.ops.iter().try_for_each(|op| apply.op(op)) {
            Ok(()) => Ok(apply.committed),
            Err(error) => {
                apply.undo_all();
                Err(error)
            }
        }
    }
}

struct Apply<'a> {
    state: &'a mut State,
    shapes: &'a Shapes,
    blobs: &'a MemoryBlobs,
    undo: Vec<Undo>,
    committed: Committed,
}

impl<'a> Apply<'a> {
    fn undo_all(&mut self) {
        while let Some(undo) = self.undo.pop() {
            self.state.undo(undo);
        }
    }

    fn op(&mut self, op: &Op) -> Result<(), StoreError> {
        let changed = match op {
            Op::Put { shape, owner, row } => return self.put(shape, owner, row),
            Op::Delete { shape, owner, key } => {
                self.set_row(shape, owner, key.clone(), None);
                return Ok(());
            }
            Op::Add {
                shape,
                owner,
                key,
                now_micros,
                delta,
            } => {
                return self.add(shape, owner, key, *now_micros, *delta);
            }
            Op::Append {
                shape,
                owner,
                entry,
            } => return self.append(shape, owner, entry),
            Op::DeleteOwner { owner } => {
                self.delete_owner(owner);
                return Ok(());
            }
            Op::BlobRef { owner, lease } => return self.add_reference(owner, lease.hash()),
            Op::BlobUnref { owner, hash } => return self.drop_reference(owner, hash),
            Op::DeleteRange {
                shape,
                owner,
                range,
                limit,
            } => self.delete_range(shape, owner, range, *limit),
            Op::ClearMarks {
                shape,
                owner,
                ids,
                marks,
            } => ids
                .iter()
                .filter(|id| self.clear(shape, owner, **id, *marks))
                .count(),
            Op::ClearMarksIn {
                shape,
                owner,
                ids,
                marks,
                limit,
            } => self.clear_in(shape, owner, ids, *marks, *limit),
            Op::Replace {
                shape,
                owner,
                id,
                payload,
            } => self.replace(shape, owner, *id, payload),
            Op::DeleteEntries {
                shape,
                owner,
                ids,
                limit,
            } => self.delete_entries(shape, owner, ids, *limit),
            Op::PurgeExpired { now_micros, limit } => self.purge_expired(*now_micros, *limit),
        };
        self.committed.changed.push(changed as u64);
        Ok(())
    }

    fn delete_range(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        range: &ByteRange,
        limit: usize,
    ) -> usize {
        let rows = rows_in(self.state, shape, owner, range);
        let keys: Vec<_> = rows.take(limit).map(|(key, _)| key.clone()).collect();
        let count = keys.len();
        for key in keys {
            self.set_row(shape, owner, key, None);
        }
        count
    }

    fn add_reference(&mut self, owner: &Owner, hash: &BlobHash) -> Result<(), StoreError> {
        if !self.blobs.contains(hash) {
            return Err(StoreError::NoSuchBlob);
        }
        self.set_references(owner, *hash, self.references(owner, hash) + 1);
        Ok(())
    }

    fn drop_reference(&mut self, owner: &Owner, hash: &BlobHash) -> Result<(), StoreError> {
        let left = self
            .references(owner, hash)
            .checked_sub(1)
            .ok_or(StoreError::NoSuchBlob)?;
        self.set_references(owner, *hash, left);
        Ok(())
    }

    fn put(&mut self, shape: &'static str, owner: &Owner, row: &PutRow) -> Result<(), StoreError> {
        let stored = StoredRow {
            value: Bytes::copy_from_slice(&row.value),
            expires_micros: row.expires_micros,
            index_keys: row.index_keys.clone(),
        };
        self.put_stored(shape, owner, &row.key, stored)
    }

    /// Stores a row where no other has one of its unique keys.
    fn put_stored(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        key: &[u8],
        row: StoredRow,
    ) -> Result<(), StoreError> {
        for index in self
            .table(shape)?
            .indexes
            .iter()
            .filter(|index| index.unique)
        {
            let wanted = row
                .index_keys
                .iter()
                .filter(|(name, _)| *name == index.name);
            for (_, index_key) in wanted {
                let holders = self.state.places_from(shape, index.name, index_key);
                let taken = holders
                    .take_while(|place| place.index_key == *index_key)
                    .any(|place| place.owner != *owner || place.key != *key);
                if taken {
                    return Err(StoreError::Taken {
                        shape,
                        index: index.name,
                    });
                }
            }
        }
        self.set_row(shape, owner, key.to_vec(), Some(row));
        Ok(())
    }

    fn add(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        key: &[u8],
        now_micros: Option<u64>,
        delta: i64,
    ) -> Result<(), StoreError> {
        let declared = self.table(shape)?;
        let row = self
            .state
            .row(shape, owner, key)
            .filter(|row| row.is_live(now_micros));
        let (sum, expires_micros) = match row {
            Some(row) => {
                let before = i64::decode(&*row.value).map_err(|_| StoreError::Damaged { shape })?;
                (before.saturating_add(delta), row.expires_micros)
            }
            None => (delta, None),
        };
        let value = sum.encode_to_vec();
        let index_keys = declared.index_keys(key, &value)?;
        let row = StoredRow {
            value: value.into(),
            expires_micros,
            index_keys,
        };
        self.put_stored(shape, owner, key, row)?;
        self.committed.sums.push(sum);
        Ok(())
    }

    fn append(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        entry: &NewEntry,
    ) -> Result<(), StoreError> {
        if let Some(log) = self.state.log(shape, owner) {
            let known = entry
                .unique
                .as_ref()
                .and_then(|unique| log.uniques.get(unique));
            if let Some(known) = known {
                self.committed.appended.push(Appended::Known(*known));
                return Ok(());
            }
        }
        self.committed.appended.push(Appended::New(entry.id));
        if entry.marks == Marks::NONE {
            return Ok(());
        }
        let log = self.state.log(shape, owner);
        if log.is_some_and(|log| log.entries.contains_key(&entry.id)) {
            return Err(StoreError::IdTaken { shape });
        }
        let stored = StoredEntry {
            marks: entry.marks,
            unique: entry.unique.clone(),
            address: entry.address.clone(),
            payload: Bytes::copy_from_slice(&entry.payload),
        };
        self.set_entry(shape, owner, entry.id, Some(stored));
        if entry.id > self.state.last_log_id {
            let undo = self.state.set_last_log_id(entry.id);
            self.undo.push(undo);
        }
        Ok(())
    }

    fn replace(&mut self, shape: &'static str, owner: &Owner, id: LogId, payload: &[u8]) -> usize {
        let log = self.state.log(shape, owner);
        let Some(entry) = log.and_then(|log| log.entries.get(&id)).cloned() else {
            return 0;
        };
        let payload = Bytes::copy_from_slice(payload);
        self.set_entry(shape, owner, id, Some(StoredEntry { payload, ..entry }));
        1
    }

    /// Clears marks of one entry; whether it had any of them.
    fn clear(&mut self, shape: &'static str, owner: &Owner, id: LogId, marks: Marks) -> bool {
        let entry = self
            .state
            .log(shape, owner)
            .and_then(|log| log.entries.get(&id));
        let Some(entry) = entry.filter(|entry| entry.marks.without(marks) != entry.marks) else {
            return false;
        };
        let left = entry.marks.without(marks);
        let entry = (left != Marks::NONE).then(|| StoredEntry {
            marks: left,
            ..entry.clone()
        });
        self.set_entry(shape, owner, id, entry);
        true
    }

    fn clear_in(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        ids: &RangeInclusive<LogId>,
        marks: Marks,
        limit: usize,
    ) -> usize {
        let any = |entry: &StoredEntry| entry.marks.without(marks) != entry.marks;
        let ids = self.ids(shape, owner, ids, limit, any);
        ids.iter()
            .filter(|id| self.clear(shape, owner, **id, marks))
            .count()
    }

    fn delete_entries(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        ids: &RangeInclusive<LogId>,
        limit: usize,
    ) -> usize {
        let ids = self.ids(shape, owner, ids, limit, |_| true);
        ids.iter()
            .for_each(|id| self.set_entry(shape, owner, *id, None));
        ids.len()
    }

    fn delete_owner(&mut self, owner: &Owner) {
        let rows = self
            .state
            .tables
            .iter()
            .filter_map(|(shape, owners)| Some((*shape, owners.get(owner)?)));
        let rows: Vec<_> = rows
            .flat_map(|(shape, rows)| rows.keys().map(move |key| (shape, key.clone())))
            .collect();
        for (shape, key) in rows {
            self.set_row(shape, owner, key, None);
        }
        let logs = self
            .state
            .logs
            .iter()
            .filter_map(|(shape, owners)| Some((*shape, owners.get(owner)?)));
        let ids: Vec<_> = logs
            .flat_map(|(shape, log)| log.entries.keys().map(move |id| (shape, *id)))
            .collect();
        for (shape, id) in ids {
            self.set_entry(shape, owner, id, None);
        }
        let hashes = self
            .state
            .references
            .get(owner)
            .map(|held| held.keys().copied().collect::<Vec<_>>());
        for hash in hashes.unwrap_or_default() {
            self.set_references(owner, hash, 0);
        }
    }

    fn purge_expired(&mut self, now_micros: u64, limit: usize) -> usize {
        let rows = self.state.tables.iter().flat_map(|(shape, owners)| {
            let rows = owners
                .iter()
                .flat_map(|(owner, rows)| rows.iter().map(move |row| (owner, row)));
            rows.map(move |(owner, (key, row))| {
                (row.expires_micros, *shape, owner.clone(), key.clone())
            })
        });
        let mut expired: Vec<_> = rows
            .filter(|row| row.0.is_some_and(|at| at <= now_micros))
            .collect();
        expired.sort();
        expired.truncate(limit);
        let count = expired.len();
        for (_, shape, owner, key) in expired {
            self.set_row(shape, &owner, key, None);
        }
        count
    }

    /// The first ids of a range whose entries fit.
    fn ids(
        &self,
        shape: &str,
        owner: &Owner,
        ids: &RangeInclusive<LogId>,
        limit: usize,
        fits: impl Fn(&StoredEntry) -> bool,
    ) -> Vec<LogId> {
        let log = self.state.log(shape, owner).filter(|_| !ids.is_empty());
        let entries = log
            .into_iter()
            .flat_map(|log| log.entries.range(ids.clone()));
        entries
            .filter(|(_, entry)| fits(entry))
            .map(|(id, _)| *id)
            .take(limit)
            .collect()
    }

    fn references(&self, owner: &Owner, hash: &BlobHash) -> u64 {
        self.state
            .references
            .get(owner)
            .and_then(|held| held.get(hash))
            .copied()
            .unwrap_or_default()
    }

    fn table(&self, name: &'static str) -> Result<&'a Shape, StoreError> {
        shape(self.shapes, name, ShapeKind::Table)
    }

    fn set_row(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        key: Vec<u8>,
        row: Option<StoredRow>,
    ) {
        let undo = self.state.set_row(shape, owner, key, row);
        self.undo.push(undo);
    }

    fn set_entry(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        id: LogId,
        entry: Option<StoredEntry>,
    ) {
        let undo = self.state.set_entry(shape, owner, id, entry);
        self.undo.push(undo);
    }

    fn set_references(&mut self, owner: &Owner, hash: BlobHash, count: u64) {
        let undo = self.state.set_references(owner, hash, count);
        self.undo.push(undo);
    }
}
