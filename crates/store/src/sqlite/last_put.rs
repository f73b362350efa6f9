//! A row that is put again and again in one commit is written once: a stream's count of its stanzas is.

use rusqlite::params;

use super::apply::Writes;
use crate::op::PutRow;

/// A row of a table without indexes, which expires.
pub(super) struct LastPut {
    shape: i64,
    owner: i64,
    row: PutRow,
}

impl Writes {
    /// Takes a row that is written before anything else looks at it.
    pub(super) fn put_last(
        &mut self,
        shape: i64,
        owner: i64,
        row: &PutRow,
    ) -> rusqlite::Result<()> {
        match &mut self.last_put {
            Some(last) if last.shape == shape && last.owner == owner && last.row.key == row.key => {
                last.row.value.clone_from(&row.value);
                last.row.expires_micros = row.expires_micros;
            }
            _ => {
                self.write_last_put()?;
                let row = row.clone();
                self.last_put = Some(LastPut { shape, owner, row });
            }
        }
        Ok(())
    }

    /// Writes the row that is still to be written. Where it stays as long as before, its value alone: SQLite would write
    /// the index of what expires again, though nothing of it changes.
    pub(super) fn write_last_put(&mut self) -> rusqlite::Result<()> {
        let Some(LastPut { shape, owner, row }) = self.last_put.take() else {
            return Ok(());
        };
        let given = params![shape, owner, row.key, row.value, row.expires_micros];
        let mut update = self.db.prepare_cached(
            "UPDATE table_row SET value = ?4
             WHERE shape = ?1 AND owner = ?2 AND key = ?3 AND expires = ?5 AND index_keys IS NULL",
        )?;
        if update.execute(given)? == 0 {
            let mut upsert = self.db.prepare_cached(
                "INSERT INTO table_row (shape, owner, key, value, expires) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (shape, owner, key) DO UPDATE
                 SET value = excluded.value, expires = excluded.expires, index_keys = NULL",
            )?;
            upsert.execute(given)?;
        }
        Ok(())
    }
}
