//! Batches on the stage: tables, owners and references.

use std::collections::{BTreeMap, HashMap};

use prost::Message;

use super::fault::Fault;
use super::fetch;
use super::read::now;
use super::session::Session;
use super::stage::{IndexPlace, NumberedKey, RefAt, RowAt, Stage, StagedRow};
use crate::batch::{Batch, Committed};
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::numbered::{Numbered, Shapes};
use crate::op::{Op, PutRow};
use crate::owner::Owner;

/// Applies batches to what was read and staged, and asks the database for what else they turn out to need.
pub(super) struct Apply<'a> {
    pub(super) session: &'a Session,
    pub(super) shapes: &'a Shapes,
    /// Numbers of owners that the database has.
    pub(super) known: &'a HashMap<Owner, i64>,
    pub(super) stage: &'a mut Stage,
}

impl Apply<'_> {
    /// Applies a batch, or leaves everything as it is.
    pub(super) async fn batch(&mut self, batch: &Batch) -> Result<Committed, Fault> {
        let applied = self.try_batch(batch).await;
        if applied.is_ok() {
            self.stage.keep();
        } else {
            self.stage.take_back();
        }
        applied
    }

    async fn try_batch(&mut self, batch: &Batch) -> Result<Committed, Fault> {
        batch.checked()?;
        for (shape, kind) in batch.ops.iter().filter_map(Op::shape) {
            self.shapes.of_kind(shape, kind)?;
        }
        for (position, require) in batch.requires.iter().enumerate() {
            let shape = self.shapes.table(require.shape)?.id;
            let now = now(require.now_micros);
            let row = match self.known_owner(&require.owner).await? {
                Some(owner) => self.row(&(shape, owner, require.key.clone())).await?,
                None => None,
            };
            let row = row.filter(|row| row.is_live(now));
            if !require.condition.holds(row.as_ref().map(|row| &*row.value)) {
                return Err(StoreError::Refused {
                    shape: require.shape,
                    position,
                }
                .into());
            }
        }
        let mut committed = Committed::default();
        for op in &batch.ops {
            self.op(op, &mut committed).await?;
        }
        Ok(committed)
    }

    async fn op(&mut self, op: &Op, committed: &mut Committed) -> Result<(), Fault> {
        match op {
            Op::Put { shape, owner, row } => return self.put(shape, owner, row).await,
            Op::Delete { shape, owner, key } => return self.delete(shape, owner, key).await,
            Op::Add {
                shape,
                owner,
                key,
                now_micros,
                delta,
            } => {
                let sum = self.add(shape, owner, key, now(*now_micros), *delta);
                committed.sums.push(sum.await?);
            }
            Op::Append {
                shape,
                owner,
                entry,
            } => {
                let appended = self.append(shape, owner, entry).await?;
                committed.appended.push(appended);
            }
            Op::DeleteOwner { owner } => return self.delete_owner(owner).await,
            Op::BlobRef { owner, lease } => return self.add_reference(owner, lease.hash()).await,
            Op::BlobUnref { owner, hash } => return self.drop_reference(owner, hash).await,
            _ => {
                if let Some(changed) = self.counted(op).await? {
                    committed.changed.push(changed);
                }
            }
        }
        Ok(())
    }

    /// What is done to as many rows or entries as are found, with their number.
    async fn counted(&mut self, op: &Op) -> Result<Option<u64>, Fault> {
        let changed = match op {
            Op::DeleteRange {
                shape,
                owner,
                range,
                limit,
            } => self.delete_range(shape, owner, range, *limit).await?,
            Op::ClearMarks {
                shape,
                owner,
                ids,
                marks,
            } => self.clear_marks(shape, owner, ids, *marks).await?,
            Op::ClearMarksIn {
                shape,
                owner,
                ids,
                marks,
                limit,
            } => {
                let clear = self.clear_marks_in(shape, owner, ids, *marks, *limit);
                clear.await?
            }
            Op::Replace {
                shape,
                owner,
                id,
                payload,
            } => self.replace(shape, owner, *id, payload).await?,
            Op::DeleteEntries {
                shape,
                owner,
                ids,
                limit,
            } => self.delete_entries(shape, owner, ids, *limit).await?,
            Op::PurgeExpired { now_micros, limit } => {
                self.purge_expired(now(Some(*now_micros)), *limit).await?
            }
            _ => return Ok(None),
        };
        Ok(Some(changed))
    }

    async fn delete(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        key: &[u8],
    ) -> Result<(), Fault> {
        let shapes = self.shapes;
        let shape = shapes.table(shape)?;
        if let Some(number) = self.known_owner(owner).await? {
            let at = (shape.id, number, key.to_vec());
            self.set_row(shape, owner, at, None).await?;
        }
        Ok(())
    }

    /// An owner's number, if it has one.
    pub(super) async fn known_owner(&mut self, owner: &Owner) -> Result<Option<i64>, Fault> {
        if let Some(staged) = self.stage.owners.get(owner) {
            return Ok(*staged);
        }
        // What was found is newer: this group may have written it.
        if let Some(found) = self.stage.found.owners.get(owner) {
            return Ok(*found);
        }
        if let Some(known) = self.known.get(owner) {
            return Ok(Some(*known));
        }
        let wanted = [owner.clone()].into();
        fetch::owners(self.session, &wanted, &mut self.stage.found).await?;
        Ok(self.stage.found.owners.get(owner).copied().flatten())
    }

    /// An owner's number, new where it has none.
    pub(super) async fn owner(&mut self, owner: &Owner) -> Result<i64, Fault> {
        if let Some(number) = self.known_owner(owner).await? {
            return Ok(number);
        }
        let number = self.stage.next_owner;
        self.stage.next_owner += 1;
        self.stage.born.set(number, owner.clone());
        self.stage.owners.set(owner.clone(), Some(number));
        Ok(number)
    }

    /// Takes an owner's name away: nothing that it had is found from then on.
    async fn delete_owner(&mut self, owner: &Owner) -> Result<(), Fault> {
        if let Some(number) = self.known_owner(owner).await? {
            self.stage.dead.set(number, owner.clone());
            self.stage.owners.set(owner.clone(), None);
        }
        Ok(())
    }

    /// A row as the batches before left it.
    pub(super) async fn row(&mut self, at: &RowAt) -> Result<Option<StagedRow>, Fault> {
        if let Some(staged) = self.stage.rows.get(at) {
            return Ok(staged.clone());
        }
        if self.stage.is_born(at.1) {
            return Ok(None);
        }
        if let Some(found) = self.stage.found.rows.get(at) {
            return Ok(found.clone());
        }
        let wanted = fetch::Wanted {
            rows: [at.clone()].into(),
            ..fetch::Wanted::default()
        };
        fetch::all(self.session, wanted, &mut self.stage.found).await?;
        Ok(self.stage.found.rows.get(at).cloned().flatten())
    }

    async fn put(&mut self, shape: &'static str, owner: &Owner, row: &PutRow) -> Result<(), Fault> {
        let shapes = self.shapes;
        let shape = shapes.table(shape)?;
        let number = self.owner(owner).await?;
        let staged = StagedRow {
            value: row.value.clone(),
            expires: row.expires_micros.map(|micros| now(Some(micros))),
            index_keys: numbered(shape, &row.index_keys)?,
        };
        let at = (shape.id, number, row.key.clone());
        self.set_row(shape, owner, at, Some(staged)).await
    }

    async fn add(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        key: &[u8],
        now: i64,
        delta: i64,
    ) -> Result<i64, Fault> {
        let shapes = self.shapes;
        let numbered_shape = shapes.table(shape)?;
        let number = self.owner(owner).await?;
        let at = (numbered_shape.id, number, key.to_vec());
        let before = self.row(&at).await?.filter(|row| row.is_live(now));
        let (sum, expires) = match before {
            Some(row) => {
                let before =
                    i64::decode(row.value.as_slice()).map_err(|_| StoreError::Damaged { shape })?;
                (before.saturating_add(delta), row.expires)
            }
            None => (delta, None),
        };
        let value = sum.encode_to_vec();
        let index_keys = numbered_shape.shape.index_keys(key, &value)?;
        let row = StagedRow {
            value,
            expires,
            index_keys: numbered(numbered_shape, &index_keys)?,
        };
        self.set_row(numbered_shape, owner, at, Some(row)).await?;
        Ok(sum)
    }

    /// Stores or removes a row with its places in indexes, where no other has one of its unique keys.
    pub(super) async fn set_row(
        &mut self,
        shape: &Numbered,
        owner: &Owner,
        at: RowAt,
        row: Option<StagedRow>,
    ) -> Result<(), Fault> {
        if !shape.indexes.is_empty() {
            let before = self.row(&at).await?.map(|row| row.index_keys);
            let before = before.unwrap_or_default();
            let after = row.as_ref().map_or(&[][..], |row| &row.index_keys);
            let place = |key: &NumberedKey| IndexPlace {
                key: key.clone(),
                owner_name: owner.as_bytes().to_vec(),
                row_key: at.2.clone(),
                owner: at.1,
            };
            for key in after.iter().filter(|key| !before.contains(key)) {
                let index = shape.indexes.iter().find(|index| index.id == key.0);
                if let Some(index) = index.filter(|index| index.unique)
                    && self.is_taken(key, &at).await?
                {
                    return Err(StoreError::Taken {
                        shape: shape.shape.name,
                        index: index.name,
                    }
                    .into());
                }
                self.stage.index.set(place(key), true);
            }
            for key in before.iter().filter(|key| !after.contains(key)) {
                self.stage.index.set(place(key), false);
            }
        }
        self.stage.rows.set(at, row);
        Ok(())
    }

    /// Whether a row of an owner that is not deleted, other than this one, has the key.
    async fn is_taken(&mut self, key: &NumberedKey, at: &RowAt) -> Result<bool, Fault> {
        let first = IndexPlace {
            key: key.clone(),
            owner_name: Vec::new(),
            row_key: Vec::new(),
            owner: i64::MIN,
        };
        let is_other = |owner: i64, row_key: &[u8]| (owner, row_key) != (at.1, at.2.as_slice());
        let mut staged = self.stage.index.range(first..);
        let taken = staged.by_ref().take_while(|(place, _)| place.key == *key);
        let mut taken = taken.filter(|(place, is_there)| {
            **is_there
                && is_other(place.owner, &place.row_key)
                && self.stage.dead.get(&place.owner).is_none()
        });
        if taken.next().is_some() {
            return Ok(true);
        }
        if !self.stage.found.holders.contains_key(key) {
            let wanted = fetch::Wanted {
                holders: [key.clone()].into(),
                ..fetch::Wanted::default()
            };
            fetch::all(self.session, wanted, &mut self.stage.found).await?;
        }
        let found = self.stage.found.holders.get(key);
        Ok(found.into_iter().flatten().any(|holder| {
            let place = IndexPlace {
                key: key.clone(),
                owner_name: holder.owner_name.clone(),
                row_key: holder.row_key.clone(),
                owner: holder.owner,
            };
            is_other(holder.owner, &holder.row_key)
                && self.stage.dead.get(&holder.owner).is_none()
                && self.stage.index.get(&place) != Some(&false)
        }))
    }

    async fn references(&mut self, at: &RefAt) -> Result<i64, Fault> {
        if let Some(staged) = self.stage.references.get(at) {
            return Ok(*staged);
        }
        if self.stage.is_born(at.0) {
            return Ok(0);
        }
        if !self.stage.found.references.contains_key(at) {
            let wanted = fetch::Wanted {
                references: [*at].into(),
                ..fetch::Wanted::default()
            };
            fetch::all(self.session, wanted, &mut self.stage.found).await?;
        }
        Ok(self.stage.found.references.get(at).copied().unwrap_or(0))
    }

    async fn add_reference(&mut self, owner: &Owner, hash: &BlobHash) -> Result<(), Fault> {
        let at = (self.owner(owner).await?, hash.0);
        let count = self.references(&at).await?;
        self.stage.references.set(at, count + 1);
        Ok(())
    }

    async fn drop_reference(&mut self, owner: &Owner, hash: &BlobHash) -> Result<(), Fault> {
        let none = || Fault::Refused(StoreError::NoSuchBlob);
        let owner = self.known_owner(owner).await?.ok_or_else(none)?;
        let at = (owner, hash.0);
        let count = self.references(&at).await?;
        if count == 0 {
            return Err(none());
        }
        self.stage.references.set(at, count - 1);
        if count == 1 {
            self.stage.freed.push(*hash);
        }
        Ok(())
    }
}

/// Index keys with the numbers of their indexes.
fn numbered(
    shape: &Numbered,
    keys: &[(&'static str, Vec<u8>)],
) -> Result<Vec<NumberedKey>, StoreError> {
    let keys = keys.iter();
    keys.map(|(name, key)| Ok((shape.index(name)?.id, key.clone())))
        .collect()
}

/// The first keys of what the database has and what is staged in its place.
pub(super) fn merged<K: Ord, V>(
    found: impl Iterator<Item = (K, V)>,
    staged: impl Iterator<Item = (K, Option<V>)>,
    limit: usize,
) -> Vec<(K, V)> {
    let mut all: BTreeMap<K, V> = found.collect();
    for (key, value) in staged {
        match value {
            Some(value) => all.insert(key, value),
            None => all.remove(&key),
        };
    }
    all.into_iter().take(limit).collect()
}
