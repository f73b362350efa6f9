//! Entries of logs and their content, which stand in two places and lead to each other.

use rusqlite::{OptionalExtension, params};

use super::super::read::address_number;
use super::weigh::{Known, Weighing};
use crate::examination::{DamagedPart, Loss};
use crate::shape::{Row, ShapeKind};

const TABLES: &str = "
    CREATE INDEX x_back ON log_payload (log, owner, entry);
    -- Entries with the content that is theirs.
    CREATE TABLE x_used (payload INTEGER PRIMARY KEY, log INTEGER, owner INTEGER, id INTEGER);
    CREATE TABLE x_bare (log INTEGER, owner INTEGER, id INTEGER, PRIMARY KEY (log, owner, id)) WITHOUT ROWID;
    CREATE TABLE x_unique (log INTEGER, owner INTEGER, key BLOB, PRIMARY KEY (log, owner, key)) WITHOUT ROWID;
    CREATE TABLE x_again (payload INTEGER PRIMARY KEY);
    CREATE TABLE x_found (log INTEGER, owner INTEGER, id INTEGER, payload INTEGER, marks INTEGER);
";

/// Where an entry stands: log, owner, id.
type Place = (i64, i64, i64);

/// What is wrong with entries, and costs nothing.
#[derive(Default)]
struct Odd {
    pointers: u64,
    addresses: u64,
    marks: u64,
    uniques: u64,
}

impl Weighing<'_> {
    /// Entries get the content that says that it is theirs; where entries are lost, contents get them back.
    pub(super) fn logs(&mut self, entries_are_whole: bool) -> rusqlite::Result<()> {
        self.db.execute_batch(TABLES)?;
        let mut odd = Odd::default();
        for known in self.known(ShapeKind::Log)? {
            let mut select = self.db.prepare(
                "SELECT e.owner, e.id, e.payload, e.marks, e.address FROM log_entry e
                 JOIN owner o ON o.id = e.owner WHERE e.log = ?1",
            )?;
            let mut rows = select.query([known.id])?;
            while let Some(row) = rows.next()? {
                let place = (known.id, row.get(0)?, row.get(1)?);
                let pointer: i64 = row.get(2)?;
                let Some(payload) = self.payload_of(place, pointer)? else {
                    self.leave(&known, place, "have lost their content")?;
                    continue;
                };
                let Some(address) = self.take(&known, place, payload, &mut odd)? else {
                    self.leave(&known, place, "cannot be read")?;
                    continue;
                };
                odd.pointers += u64::from(payload != pointer);
                let marks: i64 = row.get(3)?;
                odd.marks += u64::from(!(1..=3).contains(&marks));
                odd.addresses += u64::from(address != row.get::<_, i64>(4)?);
            }
            drop(rows);
            drop(select);
            if !entries_are_whole {
                self.take_up(&known, &mut odd)?;
            }
        }
        self.of_nobody()?;
        let uniques = "SELECT (SELECT count(*) FROM (SELECT log, owner, key FROM x_unique
            EXCEPT SELECT log, owner, key FROM log_unique)) + (SELECT count(*) FROM
            (SELECT u.log, u.owner, u.key FROM log_unique u JOIN log_entry e ON e.log = u.log AND e.owner = u.owner AND e.id = u.id
             EXCEPT SELECT log, owner, key FROM x_unique))";
        odd.uniques += self.count(uniques)?;
        self.settle()?;
        self.say(&odd);
        Ok(())
    }

    /// Entries and contents whose owner is lost.
    fn of_nobody(&self) -> rusqlite::Result<()> {
        self.db.execute_batch(
            "INSERT INTO x_lost SELECT s.name, 'belong to nobody who is known', n.owner, count(*) FROM
                 (SELECT log, owner, id FROM log_entry UNION SELECT log, owner, entry FROM log_payload) n
             JOIN shape s ON s.id = n.log AND s.kind = 1
             WHERE n.owner NOT IN (SELECT id FROM owner) GROUP BY 1, 3",
        )
    }

    fn say(&mut self, odd: &Odd) {
        for (count, what) in [
            (
                odd.pointers,
                "entries lead to another content than theirs, which was found",
            ),
            (
                odd.addresses,
                "entries are filed under another address than theirs",
            ),
            (
                odd.marks,
                "entries have marks that there are not; they count as archived",
            ),
            (
                odd.uniques,
                "unique keys of entries are not what their index says",
            ),
        ] {
            if count > 0 {
                let part = DamagedPart::Index("of logs".to_owned());
                self.damage(part, format!("{count} {what}"), Loss::Nothing);
            }
        }
    }

    fn leave(&self, known: &Known<'_>, place: Place, why: &str) -> rusqlite::Result<()> {
        self.lose(known.shape.name, why, place.1)?;
        self.db
            .prepare_cached("INSERT OR IGNORE INTO x_bare VALUES (?1, ?2, ?3)")?
            .execute(place)?;
        Ok(())
    }

    /// The content of an entry: that to which it leads, unless that says that it is another's.
    fn payload_of(&self, place: Place, pointer: i64) -> rusqlite::Result<Option<i64>> {
        let mut select = self
            .db
            .prepare_cached("SELECT log, owner, entry FROM log_payload WHERE id = ?1")?;
        let said: Option<Place> = select
            .query_row([pointer], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        if said == Some(place) {
            return Ok(Some(pointer));
        }
        let mut select = self.db.prepare_cached(
            "SELECT id FROM log_payload WHERE log = ?1 AND owner = ?2 AND entry = ?3 LIMIT 1",
        )?;
        let found = select.query_row(place, |row| row.get(0)).optional()?;
        if found.is_some() {
            return Ok(found);
        }
        let Some(said) = said else {
            return Ok(None);
        };
        let mut select = self
            .db
            .prepare_cached("SELECT 1 FROM log_entry WHERE log = ?1 AND owner = ?2 AND id = ?3")?;
        Ok((!select.exists(said)?).then_some(pointer))
    }

    /// Gives a content to an entry, if it can be read and is nobody's yet; the number of its address.
    fn take(
        &self,
        known: &Known<'_>,
        place: Place,
        payload: i64,
        odd: &mut Odd,
    ) -> rusqlite::Result<Option<i64>> {
        let (address, unique, value) = self
            .db
            .prepare_cached("SELECT address, unique_key, payload FROM log_payload WHERE id = ?1")?
            .query_row([payload], |row| {
                Ok((
                    row.get::<_, Option<String>>(0)?,
                    row.get::<_, Option<Vec<u8>>>(1)?,
                    row.get(2)?,
                ))
            })?;
        let mut row = Row {
            key: Vec::new(),
            value,
        };
        if place.2 < 0 || known.reads(&mut row).is_none() {
            return Ok(None);
        }
        let taken = self
            .db
            .prepare_cached("INSERT OR IGNORE INTO x_used VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![payload, place.0, place.1, place.2])?;
        if taken == 0 {
            return Ok(None);
        }
        if let Some(unique) = unique {
            let first = self
                .db
                .prepare_cached("INSERT OR IGNORE INTO x_unique VALUES (?1, ?2, ?3)")?
                .execute(params![place.0, place.1, unique])?;
            if first == 0 {
                odd.uniques += 1;
                self.db
                    .execute("INSERT OR IGNORE INTO x_again VALUES (?1)", [payload])?;
            }
        }
        Ok(Some(address_number(address.as_deref())))
    }

    /// Makes entries for contents whose own are lost: undelivered where its index says so, and archived.
    fn take_up(&mut self, known: &Known<'_>, odd: &mut Odd) -> rusqlite::Result<()> {
        let mut select = self.db.prepare(
            "SELECT p.id, p.owner, p.entry, EXISTS (SELECT 1 FROM x_undelivered u
                 WHERE u.log = p.log AND u.owner = p.owner AND u.id = p.entry)
             FROM log_payload p JOIN owner o ON o.id = p.owner WHERE p.log = ?1 AND p.entry >= 0
             AND NOT EXISTS (SELECT 1 FROM log_entry e
                 WHERE e.log = p.log AND e.owner = p.owner AND e.id = p.entry)
             AND NOT EXISTS (SELECT 1 FROM x_used u WHERE u.payload = p.id)",
        )?;
        let mut rows = select.query([known.id])?;
        let mut found = 0_u64;
        while let Some(row) = rows.next()? {
            let (payload, place) = (row.get(0)?, (known.id, row.get(1)?, row.get(2)?));
            let waits: bool = row.get(3)?;
            if self.take(known, place, payload, odd)?.is_none() {
                self.lose(known.shape.name, "cannot be read", place.1)?;
                continue;
            }
            found += 1;
            self.db
                .prepare_cached("INSERT OR IGNORE INTO x_found VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![
                    place.0,
                    place.1,
                    place.2,
                    payload,
                    if waits { 3 } else { 1 }
                ])?;
        }
        drop(rows);
        drop(select);
        if found > 0 {
            let text = format!(
                "{found} entries are lost, and their contents are not: they count as archived, and as undelivered where that is known"
            );
            let part = DamagedPart::Shape(known.shape.name.to_owned());
            self.damage(part, text, Loss::Nothing);
        }
        Ok(())
    }

    /// Makes the entries what was found.
    fn settle(&self) -> rusqlite::Result<()> {
        self.db.execute_batch(
            "DELETE FROM log_entry WHERE (log, owner, id) IN (SELECT log, owner, id FROM x_bare);
             DELETE FROM log_entry WHERE log NOT IN (SELECT id FROM shape WHERE kind = 1)
                 OR owner NOT IN (SELECT id FROM owner);
             UPDATE log_entry SET marks = max(marks & 3, 1) WHERE marks NOT BETWEEN 1 AND 3;
             INSERT OR IGNORE INTO log_entry SELECT log, owner, id, payload, marks, 0 FROM x_found;
             UPDATE log_payload SET unique_key = NULL WHERE id IN (SELECT payload FROM x_again);
             UPDATE log_entry SET payload = u.payload FROM x_used u WHERE u.log = log_entry.log
                 AND u.owner = log_entry.owner AND u.id = log_entry.id AND u.payload <> log_entry.payload;",
        )
    }
}
