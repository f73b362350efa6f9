//! Removing rows, owners and references; what a deleted owner had goes in steps.

use rusqlite::{OptionalExtension, params};

use super::apply::Writes;
use super::fault::Fault;
use super::read::now;
use super::shapes::unpack;
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::key::ByteRange;
use crate::owner::Owner;

/// Rows of deleted owners that are removed with one commit: about a millisecond's work, which all wait for.
const GONE_ROWS_MAX: usize = 200;

impl Writes {
    /// Removes a row, of a deleted owner too; whether it was there.
    pub(super) fn delete_row(&self, shape: i64, owner: i64, key: &[u8]) -> rusqlite::Result<bool> {
        let mut delete = self.db.prepare_cached(
            "DELETE FROM table_row WHERE shape = ?1 AND owner = ?2 AND key = ?3 RETURNING index_keys",
        )?;
        let gone = delete.query_row(params![shape, owner, key], |row| {
            row.get::<_, Option<Vec<u8>>>(0)
        });
        let Some(index_keys) = gone.optional()? else {
            return Ok(false);
        };
        if let Some(index_keys) = index_keys {
            let mut name = self
                .db
                .prepare_cached("SELECT coalesce(name, former_name) FROM owner WHERE id = ?1")?;
            let name: Vec<u8> = name.query_row([owner], |row| row.get(0))?;
            self.delete_index_keys(unpack(&index_keys).iter(), &name, owner, key)?;
        }
        Ok(true)
    }

    pub(super) fn delete_range(
        &self,
        shape: &'static str,
        owner: &Owner,
        range: &ByteRange,
        limit: usize,
    ) -> Result<u64, Fault> {
        let shape = self.shapes.table(shape)?.id;
        let Some(owner) = self.known_owner(owner)? else {
            return Ok(0);
        };
        let end = if range.end.is_some() {
            "AND key < ?4"
        } else {
            "AND ?4 IS NULL"
        };
        let mut select = self.db.prepare_cached(&format!(
            "SELECT key FROM table_row WHERE shape = ?1 AND owner = ?2 AND key >= ?3 {end} ORDER BY key LIMIT ?5"
        ))?;
        let keys = select.query_map(
            params![shape, owner, range.start, range.end, limit],
            |row| row.get(0),
        )?;
        let keys = keys.collect::<rusqlite::Result<Vec<Vec<u8>>>>()?;
        for key in &keys {
            self.delete_row(shape, owner, key)?;
        }
        Ok(keys.len() as u64)
    }

    pub(super) fn purge_expired(&self, now_micros: u64, limit: usize) -> rusqlite::Result<u64> {
        let mut select = self.db.prepare_cached(
            "SELECT r.shape, r.owner, r.key FROM table_row r CROSS JOIN owner o ON o.id = r.owner AND o.name IS NOT NULL
             WHERE r.expires IS NOT NULL AND r.expires <= ?1 ORDER BY r.expires LIMIT ?2",
        )?;
        let rows = select.query_map(params![now(Some(now_micros)), limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        let rows = rows.collect::<rusqlite::Result<Vec<(i64, i64, Vec<u8>)>>>()?;
        for (shape, owner, key) in &rows {
            self.delete_row(*shape, *owner, key)?;
        }
        Ok(rows.len() as u64)
    }

    /// Takes an owner's name away: nothing that it had is found from then on.
    pub(super) fn delete_owner(&mut self, owner: &Owner) -> rusqlite::Result<()> {
        let Some(id) = self.known_owner(owner)? else {
            return Ok(());
        };
        let mut update = self
            .db
            .prepare_cached("UPDATE owner SET former_name = name, name = NULL WHERE id = ?1")?;
        update.execute([id])?;
        drop(update);
        self.forget_owner(owner);
        self.owners_gone = true;
        Ok(())
    }

    /// Removes a part of what deleted owners had.
    pub(super) fn remove_gone(&mut self) -> rusqlite::Result<()> {
        let mut left = GONE_ROWS_MAX;
        while left > 0 {
            let mut select = self
                .db
                .prepare_cached("SELECT id FROM owner WHERE name IS NULL LIMIT 1")?;
            let Some(owner) = select.query_row([], |row| row.get(0)).optional()? else {
                drop(select);
                self.owners_gone = false;
                return Ok(());
            };
            drop(select);
            let removed = self.remove_gone_rows(owner, left)?;
            left -= removed;
            if removed == 0 {
                self.db
                    .prepare_cached("DELETE FROM owner WHERE id = ?1")?
                    .execute([owner])?;
                // Even an owner without anything costs a little.
                left -= 1;
            }
        }
        Ok(())
    }

    fn remove_gone_rows(&mut self, owner: i64, limit: usize) -> rusqlite::Result<usize> {
        let mut removed = 0;
        // By the primary keys, for each shape: a condition on the owner alone would look at everything.
        let shapes: Vec<i64> = self.shapes.0.values().map(|shape| shape.id).collect();
        for shape in &shapes {
            let mut rows = self.db.prepare_cached(
                "SELECT key FROM table_row WHERE shape = ?1 AND owner = ?2 LIMIT ?3",
            )?;
            let keys = rows.query_map(params![shape, owner, limit - removed], |row| row.get(0))?;
            let keys = keys.collect::<rusqlite::Result<Vec<Vec<u8>>>>()?;
            for key in &keys {
                self.delete_row(*shape, owner, key)?;
            }
            removed += keys.len();
        }
        for log in shapes {
            removed += self.remove_gone_entries(log, owner, limit - removed)?;
        }
        removed += self.remove_gone_references(owner, limit - removed)?;
        Ok(removed)
    }

    fn remove_gone_entries(
        &mut self,
        log: i64,
        owner: i64,
        limit: usize,
    ) -> rusqlite::Result<usize> {
        let mut select = self.db.prepare_cached(
            "SELECT id, payload FROM log_entry WHERE log = ?1 AND owner = ?2 LIMIT ?3",
        )?;
        let entries = select.query_map(params![log, owner, limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let entries = entries.collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
        drop(select);
        for (id, payload) in &entries {
            self.remove_entry(log, owner, *id, *payload)?;
        }
        Ok(entries.len())
    }

    fn remove_gone_references(&mut self, owner: i64, limit: usize) -> rusqlite::Result<usize> {
        let mut select = self
            .db
            .prepare_cached("SELECT hash FROM blob_ref WHERE owner = ?1 LIMIT ?2")?;
        let hashes = select.query_map(params![owner, limit], |row| row.get(0))?;
        let hashes = hashes.collect::<rusqlite::Result<Vec<[u8; 32]>>>()?;
        drop(select);
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM blob_ref WHERE owner = ?1 AND hash = ?2")?;
        for hash in &hashes {
            delete.execute(params![owner, hash])?;
            self.freed.push(BlobHash(*hash));
        }
        Ok(hashes.len())
    }

    pub(super) fn add_reference(&mut self, owner: &Owner, hash: &BlobHash) -> rusqlite::Result<()> {
        let owner = self.owner(owner)?;
        let mut upsert = self.db.prepare_cached(
            "INSERT INTO blob_ref (owner, hash, count) VALUES (?1, ?2, 1)
             ON CONFLICT (owner, hash) DO UPDATE SET count = count + 1",
        )?;
        upsert.execute(params![owner, hash.0])?;
        Ok(())
    }

    pub(super) fn drop_reference(&mut self, owner: &Owner, hash: &BlobHash) -> Result<(), Fault> {
        let none = || Fault::Refused(StoreError::NoSuchBlob);
        let owner = self.known_owner(owner)?.ok_or_else(none)?;
        let mut update = self.db.prepare_cached(
            "UPDATE blob_ref SET count = count - 1 WHERE owner = ?1 AND hash = ?2 RETURNING count",
        )?;
        let left: Option<i64> = update
            .query_row(params![owner, hash.0], |row| row.get(0))
            .optional()?;
        if left.ok_or_else(none)? == 0 {
            let mut delete = self
                .db
                .prepare_cached("DELETE FROM blob_ref WHERE owner = ?1 AND hash = ?2")?;
            delete.execute(params![owner, hash.0])?;
            self.freed.push(*hash);
        }
        Ok(())
    }

    /// Whether anyone holds a reference, a deleted owner whose rows are not gone yet too.
    pub(super) fn is_referenced(&self, hash: &BlobHash) -> rusqlite::Result<bool> {
        self.db
            .prepare_cached("SELECT 1 FROM blob_ref WHERE hash = ?1 LIMIT 1")?
            .exists([hash.0])
    }
}
