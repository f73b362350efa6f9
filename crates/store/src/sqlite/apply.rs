//! Batches on the writer's connection.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::last_put::LastPut;
use super::read::{now, owner_id, value};
use super::shapes::{Numbered, NumberedIndex, Shapes, pack, unpack};
use super::word_index::WordIndex;
use crate::batch::{Batch, Committed};
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::log::LogId;
use crate::op::{Op, PutRow};
use crate::owner::Owner;

/// Owners whose numbers are remembered: 100 bytes each.
const OWNERS_KNOWN_MAX: usize = 100_000;

/// The writer's connection, and what it knows by heart.
pub(super) struct Writes {
    pub(super) db: Connection,
    pub(super) shapes: Arc<Shapes>,
    /// Numbers of owners that are stored or staged.
    owners: HashMap<Owner, i64>,
    next_owner: i64,
    pub(super) next_payload: i64,
    pub(super) last_log_id: LogId,
    /// The high-water mark has to be written before the next commit.
    pub(super) high_water_due: bool,
    /// The entry by the last log id was removed: nothing but the high-water mark says that it was given out.
    pub(super) last_is_gone: bool,
    /// Payloads whose entries were removed, which go before the next commit.
    pub(super) payloads_gone: Vec<i64>,
    /// Some log has entries with unique keys, which go with them.
    pub(super) has_unique_keys: bool,
    /// An owner was deleted, and something of it may be left.
    pub(super) owners_gone: bool,
    /// Blobs that lost a reference, to be looked at after the commit.
    pub(super) freed: Vec<BlobHash>,
    /// Owners that the batch at hand was the first to write to.
    new_owners: Vec<Owner>,
    /// A row that is still to be written: what counts a stream's stanzas is mostly put again at once.
    pub(super) last_put: Option<LastPut>,
    /// The index of words, which follows behind.
    pub(super) words: WordIndex,
}

/// One index key that a row has or is to have.
type NumberedKey = (i64, Vec<u8>);

impl Writes {
    pub(super) fn new(
        db: Connection,
        shapes: Arc<Shapes>,
        words: WordIndex,
    ) -> rusqlite::Result<Self> {
        let mut writes = Self {
            db,
            shapes,
            owners: HashMap::new(),
            next_owner: 1,
            next_payload: 1,
            last_log_id: LogId::MIN,
            high_water_due: false,
            last_is_gone: false,
            payloads_gone: Vec::new(),
            has_unique_keys: true,
            owners_gone: true,
            freed: Vec::new(),
            new_owners: Vec::new(),
            last_put: None,
            words,
        };
        writes.recall()?;
        Ok(writes)
    }

    /// Learns again what it knows by heart, from what is committed.
    pub(super) fn recall(&mut self) -> rusqlite::Result<()> {
        self.next_owner =
            self.db
                .query_row("SELECT coalesce(max(id), 0) + 1 FROM owner", [], |row| {
                    row.get(0)
                })?;
        (self.last_log_id, self.next_payload) = high_water(&self.db)?;
        // What is in the index by a number never gets it again.
        self.next_payload = self.next_payload.max(self.words.reach());
        self.has_unique_keys = self
            .db
            .prepare_cached("SELECT 1 FROM log_unique LIMIT 1")?
            .exists([])?;
        self.owners.clear();
        self.owners_gone = true;
        self.last_put = None;
        self.payloads_gone.clear();
        self.high_water_due = false;
        self.last_is_gone = false;
        self.freed.clear();
        Ok(())
    }

    /// Applies a batch inside the open transaction, or leaves everything as it is.
    pub(super) fn apply(&mut self, batch: &Batch) -> Result<Committed, Fault> {
        batch.checked()?;
        for (shape, kind) in batch.ops.iter().filter_map(Op::shape) {
            self.shapes.of_kind(shape, kind)?;
        }
        if !batch.requires.is_empty() {
            self.write_last_put()?;
        }
        self.check_requires(batch)?;
        if !batch.ops.iter().any(|op| self.may_be_refused(op)) {
            // Were it refused all the same, what it wrote would have to go, and the group with it.
            return self
                .apply_ops(batch)
                .map_err(|fault| Fault::Failed(fault.into()));
        }
        let (last_log_id, freed) = (self.last_log_id, self.freed.len());
        let payloads_gone = self.payloads_gone.len();
        let last_is_gone = self.last_is_gone;
        self.write_last_put()?;
        self.db.prepare_cached("SAVEPOINT batch")?.execute([])?;
        let applied = self.apply_ops(batch);
        match &applied {
            Ok(_) => {}
            // SQLite may have rolled everything back already; whoever asked does it otherwise.
            Err(Fault::Failed(_)) => return applied,
            Err(Fault::Refused(_)) => {
                self.db.prepare_cached("ROLLBACK TO batch")?.execute([])?;
                self.last_log_id = last_log_id;
                self.last_is_gone = last_is_gone;
                self.last_put = None;
                self.payloads_gone.truncate(payloads_gone);
                self.freed.truncate(freed);
                for owner in &self.new_owners {
                    self.owners.remove(owner);
                }
            }
        }
        self.db.prepare_cached("RELEASE batch")?.execute([])?;
        applied
    }

    fn apply_ops(&mut self, batch: &Batch) -> Result<Committed, Fault> {
        self.new_owners.clear();
        let mut committed = Committed::default();
        for op in &batch.ops {
            let leaves_rows = matches!(
                op,
                Op::Put { .. } | Op::Append { .. } | Op::ClearMarks { .. }
            );
            if !leaves_rows {
                self.write_last_put()?;
            }
            self.op(op, &mut committed)?;
        }
        Ok(committed)
    }

    fn check_requires(&self, batch: &Batch) -> Result<(), Fault> {
        for (position, require) in batch.requires.iter().enumerate() {
            let shape = self.shapes.table(require.shape)?.id;
            let stored = match self.known_owner(&require.owner)? {
                Some(owner) => value(&self.db, shape, owner, &require.key, require.now_micros)?,
                None => None,
            };
            if !require.condition.holds(stored.as_deref()) {
                return Err(StoreError::Refused {
                    shape: require.shape,
                    position,
                }
                .into());
            }
        }
        Ok(())
    }

    /// Whether a write can turn out to be impossible after others of its batch were made. A savepoint copies
    /// every page that is written after it, so ordinary deliveries do without.
    fn may_be_refused(&self, op: &Op) -> bool {
        match op {
            Op::Put { shape, .. } => self.shapes.table(shape).is_ok_and(Numbered::is_unique),
            Op::Append { entry, .. } => entry.id <= self.last_log_id,
            Op::Add { .. } | Op::BlobRef { .. } | Op::BlobUnref { .. } => true,
            _ => false,
        }
    }

    fn op(&mut self, op: &Op, committed: &mut Committed) -> Result<(), Fault> {
        let changed = match op {
            Op::Put { shape, owner, row } => return self.put(shape, owner, row),
            Op::Delete { shape, owner, key } => {
                let shape = self.shapes.table(shape)?.id;
                if let Some(owner) = self.known_owner(owner)? {
                    self.delete_row(shape, owner, key)?;
                }
                return Ok(());
            }
            Op::Add {
                shape,
                owner,
                key,
                now_micros,
                delta,
            } => {
                committed
                    .sums
                    .push(self.add(shape, owner, key, *now_micros, *delta)?);
                return Ok(());
            }
            Op::Append {
                shape,
                owner,
                entry,
            } => {
                committed.appended.push(self.append(shape, owner, entry)?);
                return Ok(());
            }
            Op::DeleteOwner { owner } => return Ok(self.delete_owner(owner)?),
            Op::BlobRef { owner, lease } => return Ok(self.add_reference(owner, lease.hash())?),
            Op::BlobUnref { owner, hash } => return self.drop_reference(owner, hash),
            Op::DeleteRange {
                shape,
                owner,
                range,
                limit,
            } => self.delete_range(shape, owner, range, *limit)?,
            Op::ClearMarks {
                shape,
                owner,
                ids,
                marks,
            } => self.clear_marks(shape, owner, ids, *marks)?,
            Op::ClearMarksIn {
                shape,
                owner,
                ids,
                marks,
                limit,
            } => self.clear_marks_in(shape, owner, ids, *marks, *limit)?,
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
            } => self.delete_entries(shape, owner, ids, *limit)?,
            Op::PurgeExpired { now_micros, limit } => self.purge_expired(*now_micros, *limit)?,
        };
        committed.changed.push(changed);
        Ok(())
    }

    /// An owner's number, if it has one.
    pub(super) fn known_owner(&self, owner: &Owner) -> rusqlite::Result<Option<i64>> {
        match self.owners.get(owner) {
            Some(id) => Ok(Some(*id)),
            None => owner_id(&self.db, owner),
        }
    }

    /// An owner's number, new where it has none.
    pub(super) fn owner(&mut self, owner: &Owner) -> rusqlite::Result<i64> {
        if let Some(id) = self.owners.get(owner) {
            return Ok(*id);
        }
        let id = if let Some(id) = owner_id(&self.db, owner)? {
            id
        } else {
            let id = self.next_owner;
            let mut insert = self
                .db
                .prepare_cached("INSERT INTO owner (id, name) VALUES (?1, ?2)")?;
            insert.execute(params![id, owner.as_bytes()])?;
            self.next_owner += 1;
            self.new_owners.push(owner.clone());
            id
        };
        if self.owners.len() >= OWNERS_KNOWN_MAX {
            self.owners.clear();
        }
        self.owners.insert(owner.clone(), id);
        Ok(id)
    }

    pub(super) fn forget_owner(&mut self, owner: &Owner) {
        self.owners.remove(owner);
    }

    fn put(&mut self, shape: &'static str, owner: &Owner, row: &PutRow) -> Result<(), Fault> {
        let owner_number = self.owner(owner)?;
        let shapes = Arc::clone(&self.shapes);
        let shape = shapes.table(shape)?;
        if shape.indexes.is_empty() && row.expires_micros.is_some() {
            return Ok(self.put_last(shape.id, owner_number, row)?);
        }
        self.write_last_put()?;
        let index_keys =
            self.set_index_keys(shape, owner, owner_number, &row.key, &row.index_keys)?;
        let mut upsert = self.db.prepare_cached(
            "INSERT INTO table_row (shape, owner, key, value, expires, index_keys) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (shape, owner, key) DO UPDATE
             SET value = excluded.value, expires = excluded.expires, index_keys = excluded.index_keys",
        )?;
        upsert.execute(params![
            shape.id,
            owner_number,
            row.key,
            row.value,
            row.expires_micros,
            index_keys
        ])?;
        Ok(())
    }

    fn add(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        key: &[u8],
        now_micros: Option<u64>,
        delta: i64,
    ) -> Result<i64, Fault> {
        let shapes = Arc::clone(&self.shapes);
        let numbered = shapes.table(shape)?;
        let owner_number = self.owner(owner)?;
        let stored: Option<(Vec<u8>, Option<u64>)> = self
            .db
            .prepare_cached(
                "SELECT value, expires FROM table_row WHERE shape = ?1 AND owner = ?2 AND key = ?3
                 AND (expires IS NULL OR expires > ?4)",
            )?
            .query_row(
                params![numbered.id, owner_number, key, now(now_micros)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let (sum, expires_micros) = match stored {
            Some((value, expires)) => {
                let before =
                    i64::decode(value.as_slice()).map_err(|_| StoreError::Damaged { shape })?;
                (before.saturating_add(delta), expires)
            }
            None => (delta, None),
        };
        let value = sum.encode_to_vec();
        let index_keys = numbered.shape.index_keys(key, &value)?;
        self.put(
            shape,
            owner,
            &PutRow {
                key: key.to_vec(),
                value,
                expires_micros,
                index_keys,
            },
        )?;
        Ok(sum)
    }

    /// Brings a row's index keys to what they are to be, and gives them as the row keeps them.
    fn set_index_keys(
        &self,
        shape: &Numbered,
        owner: &Owner,
        owner_number: i64,
        row_key: &[u8],
        wanted: &[(&'static str, Vec<u8>)],
    ) -> Result<Option<Vec<u8>>, Fault> {
        if shape.indexes.is_empty() {
            return Ok(None);
        }
        let before = self.stored_index_keys(shape.id, owner_number, row_key)?;
        let mut after: Vec<NumberedKey> = Vec::with_capacity(wanted.len());
        for (name, key) in wanted {
            let index = shape.index(name)?;
            after.push((index.id, key.clone()));
            if before.contains(&after[after.len() - 1]) {
                continue;
            }
            if index.unique && self.is_taken(index, key, owner_number, row_key)? {
                return Err(StoreError::Taken {
                    shape: shape.shape.name,
                    index: index.name,
                }
                .into());
            }
            insert_index_key(&self.db, index.id, key, owner, owner_number, row_key)?;
        }
        let gone = before.iter().filter(|key| !after.contains(key));
        self.delete_index_keys(gone, owner.as_bytes(), owner_number, row_key)?;
        Ok(pack(&after))
    }

    fn stored_index_keys(
        &self,
        shape: i64,
        owner: i64,
        key: &[u8],
    ) -> rusqlite::Result<Vec<NumberedKey>> {
        let mut select = self.db.prepare_cached(
            "SELECT index_keys FROM table_row WHERE shape = ?1 AND owner = ?2 AND key = ?3",
        )?;
        let packed = select.query_row(params![shape, owner, key], |row| {
            row.get::<_, Option<Vec<u8>>>(0)
        });
        Ok(packed
            .optional()?
            .flatten()
            .map(|packed| unpack(&packed))
            .unwrap_or_default())
    }

    /// Whether a row of an owner that is not deleted, other than this one, has the key.
    fn is_taken(
        &self,
        index: &NumberedIndex,
        key: &[u8],
        owner: i64,
        row_key: &[u8],
    ) -> rusqlite::Result<bool> {
        let mut select = self.db.prepare_cached(
            "SELECT 1 FROM index_key i JOIN owner o ON o.id = i.owner AND o.name IS NOT NULL
             WHERE i.idx = ?1 AND i.key = ?2 AND NOT (i.owner = ?3 AND i.row_key = ?4)",
        )?;
        select.exists(params![index.id, key, owner, row_key])
    }

    pub(super) fn delete_index_keys<'a>(
        &self,
        keys: impl Iterator<Item = &'a NumberedKey>,
        owner_name: &[u8],
        owner: i64,
        row_key: &[u8],
    ) -> rusqlite::Result<()> {
        let mut delete = self.db.prepare_cached(
            "DELETE FROM index_key WHERE idx = ?1 AND key = ?2 AND owner_name = ?3 AND row_key = ?4 AND owner = ?5",
        )?;
        for (index, key) in keys {
            delete.execute(params![index, key, owner_name, row_key, owner])?;
        }
        Ok(())
    }
}

/// The greatest log id that any log had an entry by, and the number of the next payload.
pub(super) fn high_water(db: &Connection) -> rusqlite::Result<(LogId, i64)> {
    let (log_id, payload): (i64, i64) =
        db.query_row("SELECT log_id, payload FROM high_water", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let after_last: i64 = db.query_row(
        "SELECT coalesce(max(id), 0) + 1 FROM log_payload",
        [],
        |row| row.get(0),
    )?;
    let mut newer = db.prepare("SELECT coalesce(max(entry), 0) FROM log_payload WHERE id >= ?1")?;
    let last = log_id.max(newer.query_row([payload], |row| row.get(0))?);
    Ok((
        LogId(u64::try_from(last).unwrap_or_default()),
        payload.max(after_last),
    ))
}

/// Adds one key of a row to an index.
pub(super) fn insert_index_key(
    db: &Connection,
    index: i64,
    key: &[u8],
    owner: &Owner,
    owner_number: i64,
    row_key: &[u8],
) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO index_key (idx, key, owner_name, row_key, owner) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute(params![index, key, owner.as_bytes(), row_key, owner_number])?;
    Ok(())
}
