//! Writes to logs.

use std::ops::RangeInclusive;

use rusqlite::{OptionalExtension, ToSql, params};

use super::apply::Writes;
use super::fault::{Fault, is_taken};
use super::read::{address_number, sql_id, unique_id};
use crate::batch::Appended;
use crate::error::StoreError;
use crate::log::{LogId, Marks};
use crate::op::NewEntry;
use crate::owner::Owner;

/// Payloads after which the greatest known id is written again: as many are looked at when the store is opened.
const HIGH_WATER_PAYLOADS: i64 = 4_096;
/// Entries that may stand among those that are confirmed, for each of these, before they are looked for one by one: what
/// the account itself sent meanwhile, and what has been delivered.
const BETWEEN_PER_WANTED: usize = 4;

/// An entry's id, its marks, and the number of its payload.
type Entry = (i64, Marks, i64);

impl Writes {
    pub(super) fn append(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        entry: &NewEntry,
    ) -> Result<Appended, Fault> {
        let log = self.shapes.log(shape)?;
        let owner = self.owner(owner)?;
        if let Some(unique) = &entry.unique
            && let Some(known) = unique_id(&self.db, log, owner, unique)?
        {
            return Ok(Appended::Known(known));
        }
        let new = Appended::New(entry.id);
        if entry.marks == Marks::NONE {
            return Ok(new);
        }
        let id = sql_id(entry.id);
        let payload = self.next_payload;
        let address = address_number(entry.address.as_deref());
        let mut insert = self.db.prepare_cached(
            "INSERT INTO log_entry (log, owner, id, payload, marks, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        match insert.execute(params![
            log,
            owner,
            id,
            payload,
            entry.marks.bits(),
            address
        ]) {
            Ok(_) => {}
            Err(error) if is_taken(&error) => return Err(StoreError::IdTaken { shape }.into()),
            Err(error) => return Err(error.into()),
        }
        let mut insert = self.db.prepare_cached(
            "INSERT INTO log_payload (id, log, owner, entry, address, unique_key, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        insert.execute(params![
            payload,
            log,
            owner,
            id,
            entry.address,
            entry.unique,
            entry.payload
        ])?;
        if let Some(unique) = &entry.unique {
            let mut insert = self.db.prepare_cached(
                "INSERT INTO log_unique (log, owner, key, id) VALUES (?1, ?2, ?3, ?4)",
            )?;
            insert.execute(params![log, owner, unique, id])?;
            self.has_unique_keys = true;
        }
        self.next_payload += 1;
        if entry.id > self.last_log_id {
            self.last_log_id = entry.id;
            self.last_is_gone = false;
        } else if self.has_greater(log, owner, id)? {
            self.words.note_disorder(log, owner)?;
        }
        self.high_water_due |= payload % HIGH_WATER_PAYLOADS == 0;
        Ok(new)
    }

    /// Whether an owner has entries by greater ids.
    fn has_greater(&self, log: i64, owner: i64, id: i64) -> rusqlite::Result<bool> {
        self.db
            .prepare_cached(
                "SELECT 1 FROM log_entry WHERE log = ?1 AND owner = ?2 AND id > ?3 LIMIT 1",
            )?
            .exists([log, owner, id])
    }

    pub(super) fn clear_marks(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        ids: &[LogId],
        marks: Marks,
    ) -> Result<u64, Fault> {
        let log = self.shapes.log(shape)?;
        let Some(owner) = self.known_owner(owner)? else {
            return Ok(0);
        };
        if marks == Marks::UNDELIVERED && ids.len() > 1 {
            return self.clear_undelivered(log, owner, ids);
        }
        let mut changed = 0;
        for id in ids {
            changed += u64::from(self.clear(log, owner, sql_id(*id), marks)?);
        }
        Ok(changed)
    }

    /// Clears *undelivered* from entries, by a statement for all where they follow each other, as they do when a client
    /// confirms what it was sent: what a statement costs by itself is more than a row.
    fn clear_undelivered(&mut self, log: i64, owner: i64, ids: &[LogId]) -> Result<u64, Fault> {
        let mut wanted: Vec<i64> = ids.iter().map(|id| sql_id(*id)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let range = params![log, owner, wanted[0], wanted[wanted.len() - 1]];
        let found = self.between(range, wanted.len() * BETWEEN_PER_WANTED)?;
        let undelivered = found
            .iter()
            .flatten()
            .filter(|(_, marks, _)| *marks != marks.without(Marks::UNDELIVERED));
        let (going, staying): (Vec<&Entry>, Vec<&Entry>) =
            undelivered.partition(|(_, marks, _)| *marks == Marks::UNDELIVERED);
        let all_wanted = going
            .iter()
            .chain(&staying)
            .all(|(id, ..)| wanted.binary_search(id).is_ok());
        if found.is_none() || !all_wanted || !going.is_empty() && self.has_unique_keys {
            let mut changed = 0;
            for id in wanted {
                changed += u64::from(self.clear(log, owner, id, Marks::UNDELIVERED)?);
            }
            return Ok(changed);
        }
        if !going.is_empty() {
            let mut delete = self.db.prepare_cached(
                "DELETE FROM log_entry WHERE log = ?1 AND owner = ?2 AND id BETWEEN ?3 AND ?4 AND marks = 2",
            )?;
            delete.execute(range)?;
            drop(delete);
            for (id, _, payload) in &going {
                self.leave(*id, *payload);
            }
        }
        if !staying.is_empty() {
            let mut update = self.db.prepare_cached(
                "UPDATE log_entry SET marks = marks - 2
                 WHERE log = ?1 AND owner = ?2 AND id BETWEEN ?3 AND ?4 AND marks >= 2",
            )?;
            update.execute(range)?;
        }
        Ok((going.len() + staying.len()) as u64)
    }

    /// The entries of a range, with their payloads' numbers; `None` where there are more than `limit`.
    fn between(&self, range: &[&dyn ToSql], limit: usize) -> rusqlite::Result<Option<Vec<Entry>>> {
        let mut select = self.db.prepare_cached(
            "SELECT id, marks, payload FROM log_entry WHERE log = ?1 AND owner = ?2 AND id BETWEEN ?3 AND ?4",
        )?;
        let mut rows = select.query(range)?;
        let mut found = Vec::with_capacity(limit / BETWEEN_PER_WANTED);
        while let Some(row) = rows.next()? {
            if found.len() == limit {
                return Ok(None);
            }
            found.push((row.get(0)?, Marks::from_bits(row.get(1)?), row.get(2)?));
        }
        Ok(Some(found))
    }

    pub(super) fn clear_marks_in(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        ids: &RangeInclusive<LogId>,
        marks: Marks,
        limit: usize,
    ) -> Result<u64, Fault> {
        let log = self.shapes.log(shape)?;
        let Some(owner) = self.known_owner(owner)? else {
            return Ok(0);
        };
        let index = if marks == Marks::UNDELIVERED {
            "INDEXED BY log_entry_undelivered WHERE marks >= 2 AND"
        } else {
            "WHERE"
        };
        let mut select = self.db.prepare_cached(&format!(
            "SELECT id FROM log_entry {index} log = ?1 AND owner = ?2 AND id BETWEEN ?3 AND ?4 AND marks & ?5 <> 0
             ORDER BY id LIMIT ?6"
        ))?;
        let given = params![
            log,
            owner,
            sql_id(*ids.start()),
            sql_id(*ids.end()),
            marks.bits(),
            limit
        ];
        let found = select
            .query_map(given, |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        drop(select);
        for id in &found {
            self.clear(log, owner, *id, marks)?;
        }
        Ok(found.len() as u64)
    }

    /// Clears marks of one entry; whether it had any of them.
    fn clear(&mut self, log: i64, owner: i64, id: i64, marks: Marks) -> rusqlite::Result<bool> {
        let mut select = self.db.prepare_cached(
            "SELECT marks, payload FROM log_entry WHERE log = ?1 AND owner = ?2 AND id = ?3",
        )?;
        let entry = select
            .query_row(params![log, owner, id], |row| {
                Ok((Marks::from_bits(row.get(0)?), row.get(1)?))
            })
            .optional()?;
        drop(select);
        let Some((before, payload)) = entry.filter(|(before, _)| before.without(marks) != *before)
        else {
            return Ok(false);
        };
        let left = before.without(marks);
        if left == Marks::NONE {
            self.remove_entry(log, owner, id, payload)?;
        } else {
            let mut update = self.db.prepare_cached(
                "UPDATE log_entry SET marks = ?4 WHERE log = ?1 AND owner = ?2 AND id = ?3",
            )?;
            update.execute(params![log, owner, id, left.bits()])?;
        }
        Ok(true)
    }

    pub(super) fn replace(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        id: LogId,
        payload: &[u8],
    ) -> Result<u64, Fault> {
        let log = self.shapes.log(shape)?;
        let Some(owner) = self.known_owner(owner)? else {
            return Ok(0);
        };
        let mut select = self.db.prepare_cached(
            "SELECT payload FROM log_entry WHERE log = ?1 AND owner = ?2 AND id = ?3",
        )?;
        let number = select.query_row(params![log, owner, sql_id(id)], |row| row.get(0));
        let Some(number) = number.optional()? else {
            return Ok(0);
        };
        drop(select);
        let text = self.shapes.any(shape)?.shape.text_of(payload);
        self.words
            .note_text(&self.db, &self.shapes, number, text.as_deref())?;
        let mut update = self
            .db
            .prepare_cached("UPDATE log_payload SET payload = ?2 WHERE id = ?1")?;
        Ok(update.execute(params![number, payload])? as u64)
    }

    pub(super) fn delete_entries(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        ids: &RangeInclusive<LogId>,
        limit: usize,
    ) -> Result<u64, Fault> {
        let log = self.shapes.log(shape)?;
        let Some(owner) = self.known_owner(owner)? else {
            return Ok(0);
        };
        let mut select = self.db.prepare_cached(
            "SELECT id, payload FROM log_entry WHERE log = ?1 AND owner = ?2 AND id BETWEEN ?3 AND ?4
             ORDER BY id LIMIT ?5",
        )?;
        let given = params![log, owner, sql_id(*ids.start()), sql_id(*ids.end()), limit];
        let found = select.query_map(given, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found = found.collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
        drop(select);
        for (id, payload) in &found {
            self.remove_entry(log, owner, *id, *payload)?;
        }
        Ok(found.len() as u64)
    }

    /// Removes an entry with its payload and its unique key.
    pub(super) fn remove_entry(
        &mut self,
        log: i64,
        owner: i64,
        id: i64,
        payload: i64,
    ) -> rusqlite::Result<()> {
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM log_entry WHERE log = ?1 AND owner = ?2 AND id = ?3")?;
        delete.execute(params![log, owner, id])?;
        drop(delete);
        if self.has_unique_keys {
            let mut select = self
                .db
                .prepare_cached("SELECT unique_key FROM log_payload WHERE id = ?1")?;
            let unique = select.query_row([payload], |row| row.get::<_, Option<Vec<u8>>>(0));
            if let Some(Some(unique)) = unique.optional()? {
                let mut delete = self.db.prepare_cached(
                    "DELETE FROM log_unique WHERE log = ?1 AND owner = ?2 AND key = ?3",
                )?;
                delete.execute(params![log, owner, unique])?;
            }
        }
        self.leave(id, payload);
        Ok(())
    }

    /// Notes what an entry has left that was removed.
    fn leave(&mut self, id: i64, payload: i64) {
        self.payloads_gone.push(payload);
        // Mostly a newer one follows before the commit.
        self.last_is_gone |= id == sql_id(self.last_log_id);
    }

    /// Removes the payloads that entries have left. They were numbered in the order of commits, so that those that go
    /// together mostly follow each other.
    pub(super) fn remove_payloads(&mut self) -> rusqlite::Result<()> {
        if self.payloads_gone.is_empty() {
            return Ok(());
        }
        self.payloads_gone.sort_unstable();
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM log_payload WHERE id BETWEEN ?1 AND ?2")?;
        for run in self.payloads_gone.chunk_by(|one, next| one + 1 == *next) {
            delete.execute([run[0], run[run.len() - 1]])?;
        }
        drop(delete);
        self.words.note_gone(&self.payloads_gone);
        self.payloads_gone.clear();
        Ok(())
    }

    /// Writes the greatest known id, if that is due.
    pub(super) fn write_high_water(&mut self) -> rusqlite::Result<()> {
        if self.high_water_due || self.last_is_gone {
            let mut update = self
                .db
                .prepare_cached("UPDATE high_water SET log_id = ?1, payload = ?2")?;
            update.execute(params![sql_id(self.last_log_id), self.next_payload])?;
            self.high_water_due = false;
            self.last_is_gone = false;
        }
        Ok(())
    }
}
