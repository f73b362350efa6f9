//! What is left: indexes against their tables, references against files, and all of it in plain words.

use rusqlite::params;
use sha2::{Digest, Sha256};

use super::super::fault::failed;
use super::trees::TREES;
use super::walk::{Found, Walk};
use super::weigh::Weighing;
use crate::backend::Contents;
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::examination::{Damage, DamagedPart, ExaminedShape, Loss};
use crate::limits::BLOB_READ_BYTES_MAX;
use crate::owner::Owner;

/// Owners that are named with a damage.
const OWNERS_NAMED_MAX: u32 = 10;
/// Log ids are times: none is a year ahead.
const AHEAD_MICROS_MAX: u64 = 366 * 86_400 * 1_000_000;

/// Each index that only repeats a table: its place in [`TREES`], that of its table, what it should hold, what it holds.
const REPEATED: &[(&str, &str, &str, &str)] = &[
    (
        "sqlite_autoindex_shape_1",
        "shape",
        "SELECT name, id FROM shape",
        "SELECT name, id FROM x_shape",
    ),
    (
        "sqlite_autoindex_owner_1",
        "owner",
        "SELECT name, id FROM owner",
        "SELECT name, id FROM x_owner",
    ),
    (
        "owner_gone",
        "owner",
        "SELECT id, id FROM owner WHERE name IS NULL",
        "SELECT id, row FROM x_gone",
    ),
    (
        "table_row_expires",
        "table_row",
        "SELECT expires, shape, owner, key FROM table_row WHERE expires IS NOT NULL",
        "SELECT expires, shape, owner, key FROM x_expires",
    ),
    (
        "log_entry_undelivered",
        "log_entry",
        "SELECT log, owner, id FROM log_entry WHERE marks >= 2",
        "SELECT log, owner, id FROM x_undelivered",
    ),
    (
        "blob_ref_hash",
        "blob_ref",
        "SELECT hash, owner FROM blob_ref",
        "SELECT hash, owner FROM x_blob",
    ),
];

fn place_of(name: &str) -> usize {
    let place = TREES.iter().position(|tree| tree.name == name);
    place.unwrap_or_default()
}

/// What is wrong with the pages of a tree.
pub(super) fn pages(place: usize, trees: &[Found]) -> Option<Damage> {
    let (tree, found) = (&TREES[place], &trees[place]);
    if found.is_whole() {
        return None;
    }
    let mut parts: Vec<String> = found
        .pages
        .iter()
        .map(|(page, what)| format!("page {page}: {what}"))
        .collect();
    let more = found.pages_damaged - found.pages.len() as u64;
    if more > 0 {
        parts.push(format!("{more} more pages"));
    }
    for (count, what) in [
        (found.lost, "records are there and cannot be read"),
        (
            found.misplaced,
            "records stand where their keys do not belong",
        ),
        (
            found.cut_off,
            "pages cannot be reached, with what is below them",
        ),
        (
            found.stray,
            "records were found in pages that nothing leads to any more; some of them may have been removed before",
        ),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let repeats = REPEATED.iter().find(|(index, ..)| *index == tree.name);
    let has_table = repeats.is_none_or(|(_, table, ..)| trees[place_of(table)].is_whole());
    let nothing = (tree.is_index && has_table)
        || (found.lost == 0 && found.misplaced == 0 && found.cut_off == 0);
    Some(Damage {
        part: DamagedPart::Pages(tree.title),
        text: parts.join("; "),
        loss: if nothing {
            Loss::Nothing
        } else {
            Loss::Unknown
        },
    })
}

impl Weighing<'_> {
    /// Indexes that SQLite keeps. Where a table is damaged, they differ for that reason.
    pub(super) fn repeated(&mut self, walk: &Walk<'_>) -> rusqlite::Result<()> {
        for (index, table, should, does) in REPEATED {
            let whole = |name| walk.trees[place_of(name)].is_whole();
            if !whole(index) || !whole(table) {
                continue;
            }
            let differ = self.count(&format!(
                "SELECT (SELECT count(*) FROM ({should} EXCEPT {does})) + (SELECT count(*) FROM ({does} EXCEPT {should}))"
            ))?;
            if differ > 0 {
                let title = TREES[place_of(index)].title;
                let text = format!("it does not agree with its table in {differ} places");
                self.damage(DamagedPart::Pages(title), text, Loss::Nothing);
            }
        }
        Ok(())
    }

    /// The greatest log id must be as great as every id that there is, and no absurd one.
    pub(super) fn high_water(&mut self) -> rusqlite::Result<()> {
        self.db.execute_batch(
            "INSERT INTO high_water SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM high_water)",
        )?;
        let (noted, greatest): (i64, i64) = self.db.query_row(
            "SELECT max(log_id), (SELECT coalesce(max(id), 0) FROM log_entry) FROM high_water",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let latest =
            i64::try_from(self.now_micros.saturating_add(AHEAD_MICROS_MAX)).unwrap_or(i64::MAX);
        let mut last = noted.max(greatest);
        if noted > latest && noted > greatest {
            last = greatest;
            let text =
                "the greatest log id lies years ahead; that of the entries was taken".to_owned();
            let part = DamagedPart::Index("of logs".to_owned());
            self.damage(part, text, Loss::Nothing);
        }
        // Contents whose entries are gone must not count.
        self.db.execute(
            "UPDATE high_water SET log_id = ?1, payload = (SELECT coalesce(max(id), 0) + 1 FROM log_payload)",
            [last],
        )?;
        Ok(())
    }

    /// References to files are somebody's, and are counted; the others go.
    pub(super) fn references(&mut self) -> rusqlite::Result<()> {
        let (unknown, senseless) = (
            "SELECT count(*) FROM blob_ref WHERE owner NOT IN (SELECT id FROM owner)",
            "SELECT count(*) FROM blob_ref WHERE count < 1 OR length(hash) <> 32",
        );
        for (counted, text) in [
            (unknown, "references to files belong to nobody who is known"),
            (senseless, "references to files are counted wrong"),
        ] {
            let count = self.count(counted)?;
            if count > 0 {
                let loss = Loss::Records(count, Vec::new());
                self.damage(DamagedPart::References, format!("{count} {text}"), loss);
            }
        }
        self.db.execute_batch(
            "DELETE FROM blob_ref WHERE owner NOT IN (SELECT id FROM owner) OR length(hash) <> 32;
             UPDATE blob_ref SET count = 1 WHERE count < 1;",
        )
    }

    /// Files that are referred to are there and are what their names say; what is not goes with its references.
    pub(super) fn files(&mut self, files: &dyn Contents) -> Result<u64, StoreError> {
        let sql = |error: rusqlite::Error| failed(&error);
        self.db
            .execute_batch(
                "CREATE TABLE x_file (hash BLOB PRIMARY KEY) WITHOUT ROWID;
                 CREATE INDEX x_hash ON blob_ref (hash);",
            )
            .map_err(sql)?;
        let mut select = self
            .db
            .prepare("SELECT DISTINCT hash FROM blob_ref ORDER BY hash")
            .map_err(sql)?;
        let mut rows = select.query([]).map_err(sql)?;
        let mut whole = 0;
        while let Some(row) = rows.next().map_err(sql)? {
            let hash = BlobHash(row.get(0).map_err(sql)?);
            let Some(what) = wrong_with(files, &hash) else {
                whole += 1;
                continue;
            };
            self.db
                .execute("INSERT INTO x_file VALUES (?1)", [hash.0])
                .map_err(sql)?;
            let (count, owners) = self.holders(&hash).map_err(sql)?;
            let loss = Loss::Records(count, owners);
            self.damage(DamagedPart::Blob(hash), what, loss);
        }
        self.db
            .execute(
                "DELETE FROM blob_ref WHERE hash IN (SELECT hash FROM x_file)",
                [],
            )
            .map_err(sql)?;
        Ok(whole)
    }

    fn holders(&self, hash: &BlobHash) -> rusqlite::Result<(u64, Vec<(Owner, u64)>)> {
        let mut select = self.db.prepare_cached(
            "SELECT o.name, b.count FROM blob_ref b JOIN owner o ON o.id = b.owner WHERE b.hash = ?1",
        )?;
        let mut rows = select.query([hash.0])?;
        let (mut all, mut named) = (0, Vec::new());
        while let Some(row) = rows.next()? {
            all += 1;
            let name: Option<Vec<u8>> = row.get(0)?;
            if named.len() < OWNERS_NAMED_MAX as usize
                && let Some(owner) = name.as_deref().and_then(Owner::from_bytes)
            {
                named.push((owner, row.get::<_, i64>(1)?.cast_unsigned()));
            }
        }
        Ok((all, named))
    }

    /// Says of each table and log what is left behind, of whom, and why.
    pub(super) fn losses(&mut self) -> rusqlite::Result<()> {
        let mut select = self
            .db
            .prepare("SELECT shape, why, sum(records) FROM x_lost GROUP BY 1, 2 ORDER BY 1, 2")?;
        let all = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let all = all.collect::<rusqlite::Result<Vec<(String, String, u64)>>>()?;
        for (shape, why, records) in all {
            let mut select = self.db.prepare_cached(
                "SELECT o.name, l.records FROM x_lost l JOIN owner o ON o.id = l.owner
                 WHERE l.shape = ?1 AND l.why = ?2 ORDER BY 2 DESC, 1 LIMIT ?3",
            )?;
            let rows = select.query_map(params![shape, why, OWNERS_NAMED_MAX], |row| {
                Ok((row.get::<_, Option<Vec<u8>>>(0)?, row.get(1)?))
            })?;
            let mut owners = Vec::new();
            for row in rows {
                let (name, records) = row?;
                owners.extend(
                    name.as_deref()
                        .and_then(Owner::from_bytes)
                        .map(|owner| (owner, records)),
                );
            }
            let loss = Loss::Records(records, owners);
            self.damage(DamagedPart::Shape(shape), format!("{records} {why}"), loss);
        }
        Ok(())
    }

    /// What can be exported.
    pub(super) fn shapes_left(&self) -> rusqlite::Result<Vec<ExaminedShape>> {
        let mut select = self.db.prepare(
            "SELECT s.name,
                 CASE s.kind WHEN 0 THEN
                     (SELECT count(*) FROM table_row r JOIN owner o ON o.id = r.owner AND o.name IS NOT NULL WHERE r.shape = s.id)
                 ELSE
                     (SELECT count(*) FROM log_entry e JOIN owner o ON o.id = e.owner AND o.name IS NOT NULL WHERE e.log = s.id)
                 END,
                 CASE s.kind WHEN 0 THEN
                     (SELECT count(DISTINCT r.owner) FROM table_row r JOIN owner o ON o.id = r.owner AND o.name IS NOT NULL WHERE r.shape = s.id)
                 ELSE
                     (SELECT count(DISTINCT e.owner) FROM log_entry e JOIN owner o ON o.id = e.owner AND o.name IS NOT NULL WHERE e.log = s.id)
                 END
             FROM shape s ORDER BY s.name",
        )?;
        let rows = select.query_map([], |row| {
            Ok(ExaminedShape {
                name: row.get(0)?,
                records: row.get(1)?,
                owners: row.get(2)?,
            })
        })?;
        rows.collect()
    }
}

/// What is wrong with a stored file.
fn wrong_with(files: &dyn Contents, hash: &BlobHash) -> Option<String> {
    match files.length(hash) {
        Ok(Some(_)) => {}
        Ok(None) => return Some("it is missing".to_owned()),
        Err(error) => return Some(format!("it cannot be read: {error}")),
    }
    let mut sum = Sha256::new();
    let mut offset = 0;
    loop {
        match files.part(hash, offset, BLOB_READ_BYTES_MAX) {
            Ok(part) if part.is_empty() => break,
            Ok(part) => {
                sum.update(&part);
                offset += part.len() as u64;
            }
            Err(error) => return Some(format!("it cannot be read: {error}")),
        }
    }
    let same = <[u8; 32]>::from(sum.finalize()) == hash.0;
    (!same).then(|| "its content is another than its name says".to_owned())
}
