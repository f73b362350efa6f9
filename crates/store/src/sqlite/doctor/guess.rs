//! Which tables and logs there are, where their list is lost with its index: rows have only the number of theirs.
//!
//! The program knows what it declares, and a new database numbers that in the order of names. Later versions add to it,
//! so that the order alone proves nothing: each record has to read as what it is taken for.

use std::collections::BTreeSet;

use rusqlite::params;

use super::super::shapes::kind_number;
use super::trees;
use super::weigh::Weighing;
use crate::examination::{Damage, DamagedPart, Loss};
use crate::shape::{Shape, ShapeKind};

/// Records that are looked at for each number.
const SAMPLE_RECORDS: u32 = 500;
/// Of a hundred of them, those that may be damaged.
const UNREADABLE_PERCENT_MAX: usize = 10;
/// Numbers that are taken up: there are no more tables and logs than declared, and more numbers are damage.
const NUMBERS_MAX: usize = 256;

/// Which lists are as they were written.
pub(super) struct Lists {
    /// That of the tables and logs, or its index.
    pub(super) shapes: bool,
    /// That of the indexes of tables.
    pub(super) indexes: bool,
}

/// A number that records have, and nothing lists.
struct Unlisted {
    id: i64,
    kind: ShapeKind,
    records: u64,
    /// What it may be, with how many of its records this program would write just so.
    candidates: Vec<(&'static str, usize)>,
}

/// How it was found out what a number is.
#[derive(Clone, Copy)]
enum How {
    Order,
    Content,
}

impl Weighing<'_> {
    /// Finds out what the numbers mean that nothing lists.
    pub(super) fn unlisted(&mut self, lists: &Lists) -> rusqlite::Result<()> {
        let mut unlisted = self.numbers()?;
        if lists.shapes {
            return self.left_behind(
                &unlisted,
                "are filed under a table or log that there is not",
            );
        }
        let listed = self.listed()?;
        for number in &mut unlisted {
            number.candidates = self.candidates(number, &listed, lists)?;
        }
        let (how, found) = match self.by_order(&unlisted, &listed) {
            Some(found) => (How::Order, found),
            None => (How::Content, by_content(&unlisted)),
        };
        for (id, name) in &found {
            self.list(*id, name)?;
        }
        if matches!(how, How::Order) && !found.is_empty() {
            // Those that are empty too: the export is then what a backup would have been.
            for (id, name) in (1..).zip(self.declared.keys()) {
                self.list(id, name)?;
            }
        }
        let is_found = |number: &Unlisted| found.iter().any(|(id, _)| *id == number.id);
        self.say_guessed(how, &unlisted, &found);
        unlisted.retain(|number| !is_found(number));
        self.left_behind(
            &unlisted,
            "are of a table or log whose name is lost, and cannot be told from what they hold",
        )
    }

    fn list(&self, id: i64, name: &str) -> rusqlite::Result<()> {
        let Some(shape) = self.declared.get(name) else {
            return Ok(());
        };
        let mut insert = self
            .db
            .prepare_cached("INSERT OR IGNORE INTO shape VALUES (?1, ?2, ?3, ?4)")?;
        insert.execute(params![id, name, kind_number(shape.kind), shape.version])?;
        Ok(())
    }

    fn numbers(&self) -> rusqlite::Result<Vec<Unlisted>> {
        let mut select = self.db.prepare(
            "SELECT n.id, n.kind, n.records FROM
                 (SELECT shape AS id, 0 AS kind, count(*) AS records FROM table_row GROUP BY 1
                  UNION ALL
                  SELECT log, 1, max(entries, contents) FROM
                      (SELECT log, sum(entry) AS entries, sum(1 - entry) AS contents FROM
                          (SELECT log, 1 AS entry FROM log_entry UNION ALL SELECT log, 0 FROM log_payload) GROUP BY 1)) n
             WHERE n.id NOT IN (SELECT id FROM shape) ORDER BY 1",
        )?;
        let rows = select.query_map([], |row| {
            let kind = match row.get::<_, i64>(1)? {
                0 => ShapeKind::Table,
                _ => ShapeKind::Log,
            };
            Ok(Unlisted {
                id: row.get(0)?,
                kind,
                records: row.get(2)?,
                candidates: Vec::new(),
            })
        })?;
        rows.collect()
    }

    fn listed(&self) -> rusqlite::Result<Vec<(i64, String)>> {
        let mut select = self.db.prepare("SELECT id, name FROM shape")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// The declared shapes that a number may mean.
    fn candidates(
        &self,
        number: &Unlisted,
        listed: &[(i64, String)],
        lists: &Lists,
    ) -> rusqlite::Result<Vec<(&'static str, usize)>> {
        let mut select = self
            .db
            .prepare_cached("SELECT name, is_unique FROM shape_index WHERE shape = ?1")?;
        let rows = select.query_map([number.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let indexes = rows.collect::<rusqlite::Result<BTreeSet<(String, bool)>>>()?;
        let has_indexes = |shape: &Shape| {
            let declared = shape.indexes.iter();
            let declared = declared.map(|index| (index.name.to_owned(), index.unique));
            (!lists.indexes && indexes.is_empty()) || declared.collect::<BTreeSet<_>>() == indexes
        };
        let mut select = self.db.prepare_cached(match number.kind {
            ShapeKind::Table => "SELECT key, value FROM table_row WHERE shape = ?1 LIMIT ?2",
            ShapeKind::Log => "SELECT x'', payload FROM log_payload WHERE log = ?1 LIMIT ?2",
        })?;
        let rows = select.query_map(params![number.id, SAMPLE_RECORDS], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let sample = rows.collect::<rusqlite::Result<Vec<(Vec<u8>, Vec<u8>)>>>()?;
        let mut fitting = Vec::new();
        for (name, shape) in self.declared {
            let is_listed = listed.iter().any(|(_, listed)| listed == name);
            if is_listed || shape.kind != number.kind || !has_indexes(shape) || sample.is_empty() {
                continue;
            }
            let read = sample
                .iter()
                .filter(|(key, value)| (shape.reads)(key, value));
            let unreadable = sample.len() - read.count();
            if unreadable * 100 <= sample.len() * UNREADABLE_PERCENT_MAX {
                let written = sample.iter().filter(|(_, value)| (shape.writes)(value));
                fitting.push((*name, written.count()));
            }
        }
        Ok(fitting)
    }

    /// What the numbers mean in a database that this version has made, if everything in it agrees to be one.
    fn by_order(
        &self,
        unlisted: &[Unlisted],
        listed: &[(i64, String)],
    ) -> Option<Vec<(i64, &'static str)>> {
        let at = |id: i64| {
            let place = usize::try_from(id).ok()?.checked_sub(1)?;
            self.declared.keys().nth(place).copied()
        };
        if listed.iter().any(|(id, name)| at(*id) != Some(name)) {
            return None;
        }
        let found = unlisted.iter().map(|number| {
            let name = at(number.id)?;
            let best = number.candidates.iter().map(|(_, written)| *written).max();
            // What another fits better speaks against the order.
            let fits = number
                .candidates
                .iter()
                .any(|(candidate, written)| *candidate == name && Some(*written) == best);
            fits.then_some((number.id, name))
        });
        found.collect()
    }

    fn say_guessed(&mut self, how: How, unlisted: &[Unlisted], found: &[(i64, &'static str)]) {
        if found.is_empty() {
            return;
        }
        let named = unlisted.iter().filter_map(|number| {
            let (_, name) = found.iter().find(|(id, _)| *id == number.id)?;
            Some(format!("{name} ({})", number.records))
        });
        let how = match how {
            How::Order => {
                "by the order in which this version numbers them, with which their content agrees"
            }
            How::Content => "by what their records hold alone",
        };
        let text = format!(
            "{} of them are listed nowhere any more; which they are was guessed, {how}: {}",
            found.len(),
            named.collect::<Vec<_>>().join(", ")
        );
        self.damages.push(Damage {
            part: DamagedPart::Pages(trees::LIST_TITLE),
            text,
            loss: Loss::Guessed,
        });
    }

    fn left_behind(&mut self, unlisted: &[Unlisted], why: &str) -> rusqlite::Result<()> {
        let records: u64 = unlisted.iter().map(|number| number.records).sum();
        if records > 0 {
            self.damages.push(Damage {
                part: DamagedPart::Pages(trees::LIST_TITLE),
                text: format!("{records} records {why}"),
                loss: Loss::Records(records, Vec::new()),
            });
        }
        Ok(())
    }
}

/// What numbers mean by their content: what fits one best fits no other so well.
fn by_content(unlisted: &[Unlisted]) -> Vec<(i64, &'static str)> {
    let mut found: Vec<(i64, &'static str)> = Vec::new();
    loop {
        let mut sure = Vec::new();
        for number in unlisted.iter().take(NUMBERS_MAX) {
            if found.iter().any(|(id, _)| *id == number.id) {
                continue;
            }
            let free = |name: &str| found.iter().all(|(_, taken)| *taken != name);
            let mut left: Vec<_> = number
                .candidates
                .iter()
                .filter(|(name, _)| free(name))
                .collect();
            left.sort_by_key(|(_, written)| std::cmp::Reverse(*written));
            match left[..] {
                [(name, _)] => sure.push((number.id, *name)),
                [(name, best), (_, next), ..] if best > next => sure.push((number.id, *name)),
                _ => {}
            }
        }
        // What two claim is neither's.
        let claims = |name: &str| sure.iter().filter(|(_, claimed)| *claimed == name).count();
        let settled: Vec<_> = sure
            .iter()
            .filter(|(_, name)| claims(name) == 1)
            .copied()
            .collect();
        if settled.is_empty() {
            return found;
        }
        found.extend(settled);
    }
}
