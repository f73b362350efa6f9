//! Batches on the double.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bytes::Bytes;
use prost::Message;

use super::blobs::MemoryBlobs;
use super::read::rows_in;
use super::state::{State, StoredEntry, StoredRow, Undo};
use crate::batch::{Appended, Batch, Committed, NewEntry, Op, PutRow};
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::log::{LogId, Marks};
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
        match op {
            Op::Put { shape, owner, row } => self.put(shape, owner, row)?,
            Op::Delete { shape, owner, key } => {
                self.table(shape)?;
                self.set_row(shape, owner, key.clone(), None);
            }
            Op::DeleteRange {
                shape,
                owner,
                range,
                limit,
            } => {
                self.table(shape)?;
                let rows = rows_in(self.state, shape, owner, range);
                let keys: Vec<_> = rows.take(*limit).map(|(key, _)| key.clone()).collect();
                self.committed.changed.push(keys.len() as u64);
                for key in keys {
                    self.set_row(shape, owner, key, None);
                }
            }
            Op::Add {
                shape,
                owner,
                key,
                now_micros,
                delta,
            } => {
                self.add(shape, owner, key, *now_micros, *delta)?;
            }
            Op::Append {
                shape,
                owner,
                entry,
            } => self.append(shape, owner, entry)?,
            Op::ClearMarks {
                shape,
                owner,
                ids,
                marks,
            } => {
                self.log(shape)?;
                let found = ids
                    .iter()
                    .filter(|id| self.clear(shape, owner, **id, *marks))
                    .count();
                self.committed.changed.push(found as u64);
            }
            Op::ClearMarksIn {
                shape,
                owner,
                ids,
                marks,
                limit,
            } => {
                self.log(shape)?;
                let any = |entry: &StoredEntry| entry.marks.without(*marks) != entry.marks;
                let ids = self.ids(shape, owner, ids, *limit, any);
                self.committed.changed.push(ids.len() as u64);
                for id in ids {
                    self.clear(shape, owner, id, *marks);
                }
            }
            Op::Replace {
                shape,
                owner,
                id,
                payload,
            } => self.replace(shape, owner, *id, payload)?,
            Op::DeleteEntries {
                shape,
                owner,
                ids,
                limit,
            } => {
                self.log(shape)?;
                let ids = self.ids(shape, owner, ids, *limit, |_| true);
                self.committed.changed.push(ids.len() as u64);
                for id in ids {
                    self.set_entry(shape, owner, id, None);
                }
            }
            Op::DeleteOwner { owner } => self.delete_owner(owner),
            Op::PurgeExpired { now_micros, limit } => self.purge_expired(*now_micros, *limit),
            Op::BlobRef { owner, blob } => {
                if !self.blobs.contains(blob.hash()) {
                    return Err(StoreError::NoSuchBlob);
                }
                self.set_references(owner, *blob.hash(), self.references(owner, blob.hash()) + 1);
            }
            Op::BlobUnref { owner, hash } => {
                let left = self
                    .references(owner, hash)
                    .checked_sub(1)
                    .ok_or(StoreError::NoSuchBlob)?;
                self.set_references(owner, *hash, left);
            }
        }
        Ok(())
    }

    fn put(&mut self, shape: &'static str, owner: &Owner, row: &PutRow) -> Result<(), StoreError> {
        self.table(shape)?;
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
            let Some(places) = self.state.indexes.get(&(shape, index.name)) else {
                continue;
            };
            let wanted = row
                .index_keys
                .iter()
                .filter(|(name, _)| *name == index.name);
            for (_, index_key) in wanted {
                let taken = places.iter().any(|place| {
                    place.index_key == *index_key && (place.owner != *owner || place.key != *key)
                });
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
        self.log(shape)?;
        if let Some(log) = self.state.log(shape, owner) {
            let known = entry
                .unique
                .as_ref()
                .and_then(|unique| log.uniques.get(unique));
            if let Some(known) = known {
                self.committed.appended.push(Appended::Known(*known));
                return Ok(());
            }
            if log.entries.contains_key(&entry.id) {
                return Err(StoreError::IdTaken { shape });
            }
        }
        self.committed.appended.push(Appended::New(entry.id));
        if entry.marks == Marks::NONE {
            return Ok(());
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

    fn replace(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        id: LogId,
        payload: &[u8],
    ) -> Result<(), StoreError> {
        self.log(shape)?;
        let entry = self
            .state
            .log(shape, owner)
            .and_then(|log| log.entries.get(&id))
            .cloned();
        self.committed.changed.push(u64::from(entry.is_some()));
        if let Some(entry) = entry {
            let payload = Bytes::copy_from_slice(payload);
            self.set_entry(shape, owner, id, Some(StoredEntry { payload, ..entry }));
        }
        Ok(())
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

    fn purge_expired(&mut self, now_micros: u64, limit: usize) {
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
        self.committed.changed.push(expired.len() as u64);
        for (_, shape, owner, key) in expired {
            self.set_row(shape, &owner, key, None);
        }
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

    fn log(&self, name: &'static str) -> Result<(), StoreError> {
        shape(self.shapes, name, ShapeKind::Log).map(|_| ())
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
