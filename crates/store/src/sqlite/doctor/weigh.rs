//! Weighing what was read against itself: every fact of a data directory stands in it twice.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::shapes::{kind_number, unpack};
use super::guess::Lists;
use crate::error::OpenError;
use crate::examination::{Damage, DamagedPart, Loss};
use crate::owner::Owner;
use crate::shape::{Row, Shape, ShapeKind, Verdict};

/// The scratch database, and what is found in it.
pub(super) struct Weighing<'a> {
    pub(super) db: &'a Connection,
    pub(super) declared: &'a BTreeMap<&'static str, Shape>,
    pub(super) now_micros: u64,
    pub(super) any_version: bool,
    pub(super) damages: Vec<Damage>,
    pub(super) versions: Vec<OpenError>,
}

/// A stored shape that this program knows.
pub(super) struct Known<'a> {
    pub(super) id: i64,
    pub(super) shape: &'a Shape,
    version: u32,
    /// Its indexes by name, as the database numbers them.
    indexes: Vec<(String, i64)>,
}

impl Known<'_> {
    /// Whether a record can be read as what is declared, once it is brought to that.
    pub(super) fn reads(&self, row: &mut Row) -> Option<Verdict> {
        let steps = self.shape.steps_from(self.version).unwrap_or_default();
        match self.shape.step(row, steps) {
            Ok(Verdict::Keep) => (self.shape.reads)(&row.key, &row.value).then_some(Verdict::Keep),
            Ok(Verdict::Drop) => Some(Verdict::Drop),
            Err(_) => None,
        }
    }

    /// Whether its rows have the keys that are declared: a start makes them anew where it has other indexes too.
    fn is_current(&self) -> bool {
        let declared = self.shape.indexes.iter().map(|index| index.name);
        self.version == self.shape.version
            && self.indexes.len() == self.shape.indexes.len()
            && declared
                .into_iter()
                .all(|name| self.indexes.iter().any(|(stored, _)| stored == name))
    }
}

impl<'a> Weighing<'a> {
    pub(super) fn damage(&mut self, part: DamagedPart, text: String, loss: Loss) {
        self.damages.push(Damage { part, text, loss });
    }

    pub(super) fn count(&self, sql: &str) -> rusqlite::Result<u64> {
        self.db.query_row(sql, [], |row| row.get(0))
    }

    /// The list of shapes: what is damaged in it, and what this program cannot use.
    pub(super) fn shapes(&mut self, lists: &Lists) -> rusqlite::Result<()> {
        let names = |sql: &str| -> rusqlite::Result<Vec<(i64, String, Option<String>)>> {
            let mut select = self.db.prepare(sql)?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        };
        let mut mended: usize = 0;
        for (id, indexed, named) in names(
            "SELECT x.id, x.name, s.name FROM x_shape x LEFT JOIN shape s ON s.id = x.id
             WHERE s.name IS NULL OR s.name <> x.name",
        )? {
            let Some(shape) = self.declared.get(indexed.as_str()) else {
                continue;
            };
            let is_known = named.is_some_and(|name| self.declared.contains_key(name.as_str()));
            if !is_known {
                self.db.execute(
                    "INSERT INTO shape VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (id) DO UPDATE SET name = excluded.name",
                    params![id, indexed, kind_number(shape.kind), shape.version],
                )?;
                mended += 1;
            }
        }
        self.unlisted(lists)?;
        mended += self.versions()?;
        if mended > 0 {
            let text = format!(
                "{mended} of the tables and logs are listed wrongly; their index says what they are"
            );
            self.damage(
                DamagedPart::Index("of tables and logs".to_owned()),
                text,
                Loss::Nothing,
            );
        }
        Ok(())
    }

    /// What this program cannot use; how many are of another kind than they can be.
    fn versions(&mut self) -> rusqlite::Result<usize> {
        let mut mended = 0;
        let mut listed = self
            .db
            .prepare("SELECT id, name, kind, version FROM shape")?;
        let mut rows = listed.query([])?;
        let mut unusable = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, name, kind, version): (i64, String, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let Some(shape) = self.declared.get(name.as_str()) else {
                self.versions.push(OpenError::UnknownShape(name));
                unusable.push((id, None));
                continue;
            };
            if kind != kind_number(shape.kind) {
                mended += 1;
                self.db.execute(
                    "UPDATE shape SET kind = ?2 WHERE id = ?1",
                    params![id, kind_number(shape.kind)],
                )?;
            }
            let version = u32::try_from(version).unwrap_or_default();
            if let Err(error) = shape.steps_from(version) {
                self.versions.push(error);
                unusable.push((id, Some(shape.version)));
            }
        }
        drop(rows);
        drop(listed);
        if self.any_version {
            for (id, version) in unusable {
                self.db.execute(
                    match version {
                        Some(_) => "UPDATE shape SET version = ?2 WHERE id = ?1",
                        None => "DELETE FROM shape WHERE id = ?1 AND ?2 IS NULL",
                    },
                    params![id, version],
                )?;
            }
        }
        Ok(mended)
    }

    /// Owners whose row is lost or is no owner get their name from an index, if it has it.
    pub(super) fn owners(&mut self) -> rusqlite::Result<()> {
        let mut select = self.db.prepare(
            "SELECT o.id, o.name, x.name FROM owner o LEFT JOIN x_owner x ON x.id = o.id WHERE o.name IS NOT NULL",
        )?;
        let mut rows = select.query([])?;
        let (mut bad, mut differ) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let (id, name, indexed): (i64, Vec<u8>, Option<Vec<u8>>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            if Owner::from_bytes(&name).is_none() {
                bad.push((id, indexed.filter(|name| Owner::from_bytes(name).is_some())));
            } else if indexed.is_some_and(|indexed| indexed != name) {
                differ += 1;
            }
        }
        drop(rows);
        drop(select);
        for (id, name) in &bad {
            self.db.execute("DELETE FROM owner WHERE id = ?1", [id])?;
            if let Some(name) = name {
                self.db.execute(
                    "INSERT OR IGNORE INTO owner VALUES (?1, ?2, NULL)",
                    params![id, name],
                )?;
            }
        }
        let mut found = 0;
        for from in [
            "SELECT id, name FROM x_owner WHERE name IS NOT NULL AND id NOT IN (SELECT id FROM owner)",
            "SELECT DISTINCT owner, owner_name FROM index_key WHERE owner NOT IN (SELECT id FROM owner)",
        ] {
            let mut select = self.db.prepare(from)?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for (id, name) in rows.collect::<rusqlite::Result<Vec<(i64, Vec<u8>)>>>()? {
                if Owner::from_bytes(&name).is_some() {
                    found += self.db.execute(
                        "INSERT OR IGNORE INTO owner VALUES (?1, ?2, NULL)",
                        params![id, name],
                    )?;
                }
            }
        }
        if found > 0 || !bad.is_empty() {
            let text = format!(
                "{} owners are lost from their list; {} were found again in the indexes",
                found + bad.len(),
                found + bad.iter().filter(|(_, name)| name.is_some()).count()
            );
            self.damage(DamagedPart::Owners, text, Loss::Nothing);
        }
        if differ > 0 {
            let text = format!("{differ} owners have another name in the index than in their list");
            self.damage(DamagedPart::Owners, text, Loss::Nothing);
        }
        Ok(())
    }

    pub(super) fn known(&self, kind: ShapeKind) -> rusqlite::Result<Vec<Known<'a>>> {
        let mut select = self
            .db
            .prepare("SELECT id, name, version FROM shape ORDER BY name")?;
        let mut indexes = self
            .db
            .prepare("SELECT name, id FROM shape_index WHERE shape = ?1")?;
        let mut rows = select.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(1)?;
            let Some(shape) = self
                .declared
                .get(name.as_str())
                .filter(|shape| shape.kind == kind)
            else {
                continue;
            };
            let id = row.get(0)?;
            let indexes = indexes.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            all.push(Known {
                id,
                shape,
                version: row.get(2)?,
                indexes: indexes.collect::<rusqlite::Result<_>>()?,
            });
        }
        Ok(all)
    }

    pub(super) fn lose(&self, shape: &str, why: &str, owner: i64) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO x_lost VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE SET records = records + 1",
            )?
            .execute(params![shape, why, owner])?;
        Ok(())
    }

    /// Rows that cannot be read as what they are, or would not be taken back, are left behind.
    pub(super) fn rows(&mut self, rows_are_whole: bool) -> rusqlite::Result<()> {
        let mut disagreeing = 0;
        for known in self.known(ShapeKind::Table)? {
            let mut select = self.db.prepare(
                "SELECT r.owner, r.key, r.value, r.index_keys, r.expires FROM table_row r WHERE r.shape = ?1",
            )?;
            let mut rows = select.query([known.id])?;
            while let Some(row) = rows.next()? {
                let (owner, key, value): (i64, Vec<u8>, Vec<u8>) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                let packed: Option<Vec<u8>> = row.get(3)?;
                let expires: Option<i64> = row.get(4)?;
                let packed = unpack(&packed.unwrap_or_default());
                match self.row(&known, owner, key.clone(), value, expires, &packed)? {
                    Ok(agrees) => disagreeing += u64::from(!agrees),
                    Err(why) => {
                        self.lose(known.shape.name, why, owner)?;
                        self.db
                            .prepare_cached("INSERT OR IGNORE INTO x_doomed VALUES (?1, ?2, ?3)")?
                            .execute(params![known.id, owner, key])?;
                    }
                }
            }
        }
        if disagreeing > 0 {
            let text = format!("{disagreeing} rows are not found by the keys that they have");
            self.damage(
                DamagedPart::Index("of tables".to_owned()),
                text,
                Loss::Nothing,
            );
        }
        self.rows_that_are_gone(rows_are_whole)?;
        self.db.execute_batch(
            "DELETE FROM table_row WHERE (shape, owner, key) IN (SELECT shape, owner, key FROM x_doomed);
             DELETE FROM table_row WHERE shape NOT IN (SELECT id FROM shape WHERE kind = 0)
                 OR owner NOT IN (SELECT id FROM owner);",
        )
    }

    /// Whether a row can be read, and its indexes know it; or why it has to stay behind.
    fn row(
        &self,
        known: &Known<'_>,
        owner: i64,
        key: Vec<u8>,
        value: Vec<u8>,
        expires: Option<i64>,
        packed: &[(i64, Vec<u8>)],
    ) -> rusqlite::Result<Result<bool, &'static str>> {
        const UNREADABLE: &str = "cannot be read";
        let name: Option<Option<Vec<u8>>> = self
            .db
            .prepare_cached("SELECT name FROM owner WHERE id = ?1")?
            .query_row([owner], |row| row.get(0))
            .optional()?;
        let Some(name) = name else {
            return Ok(Err("belong to nobody who is known"));
        };
        let Some(name) = name else {
            // A deleted owner's, on its way out.
            return Ok(Ok(true));
        };
        if expires.is_some_and(|expires| expires < 0) {
            return Ok(Err(UNREADABLE));
        }
        let mut row = Row { key, value };
        let row_key = row.key.clone();
        match known.reads(&mut row) {
            Some(Verdict::Keep) => {}
            Some(Verdict::Drop) => return Ok(Ok(true)),
            None => return Ok(Err(UNREADABLE)),
        }
        let Ok(keys) = known.shape.index_keys(&row.key, &row.value) else {
            return Ok(Err(UNREADABLE));
        };
        for (index, key) in &keys {
            let is_unique = known
                .shape
                .indexes
                .iter()
                .any(|declared| declared.name == *index && declared.unique);
            if is_unique {
                let place = format!("{}/{index}", known.shape.name);
                let taken = self
                    .db
                    .prepare_cached("INSERT OR IGNORE INTO x_taken VALUES (?1, ?2)")?
                    .execute(params![place, key])?;
                if taken == 0 {
                    return Ok(Err("have a key that another has too"));
                }
            }
        }
        let listed = |index: i64, key: &[u8]| {
            let mut select = self.db.prepare_cached(
                "SELECT 1 FROM index_key WHERE idx = ?1 AND key = ?2 AND owner_name = ?3 AND row_key = ?4 AND owner = ?5",
            )?;
            select.exists(params![index, key, name, row_key, owner])
        };
        let mut agrees = true;
        if known.is_current() {
            let number = |name: &str| {
                let found = known.indexes.iter().find(|(stored, _)| stored == name);
                found.map(|(_, number)| *number)
            };
            let mut expected: Vec<(i64, Vec<u8>)> = keys
                .into_iter()
                .filter_map(|(name, key)| Some((number(name)?, key)))
                .collect();
            expected.sort_unstable();
            let mut packed = packed.to_vec();
            packed.sort_unstable();
            agrees = expected == packed;
        }
        for (index, key) in packed {
            agrees &= listed(*index, key)?;
        }
        Ok(Ok(agrees))
    }

    /// Rows that an index knows and that are not there.
    fn rows_that_are_gone(&mut self, rows_are_whole: bool) -> rusqlite::Result<()> {
        let mut select = self.db.prepare(
            "SELECT s.name, g.owner, count(*) FROM
                 (SELECT DISTINCT i.shape AS shape, k.owner AS owner, k.row_key AS key FROM index_key k
                  JOIN shape_index i ON i.id = k.idx
                  WHERE NOT EXISTS (SELECT 1 FROM table_row r
                      WHERE r.shape = i.shape AND r.owner = k.owner AND r.key = k.row_key)) g
             JOIN shape s ON s.id = g.shape GROUP BY 1, 2",
        )?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for (shape, owner, records) in
            rows.collect::<rusqlite::Result<Vec<(String, i64, i64)>>>()?
        {
            if rows_are_whole {
                let text = format!("it knows {records} rows that are not there");
                self.damage(
                    DamagedPart::Index(format!("of {shape}")),
                    text,
                    Loss::Nothing,
                );
                continue;
            }
            self.db.execute(
                "INSERT INTO x_lost VALUES (?1, 'are known to an index and are not there', ?2, ?3)",
                params![shape, owner, records],
            )?;
        }
        Ok(())
    }
}
