//! What is done to the index between commits: taking what is new, letting go what is gone.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::shapes::Shapes;
use super::{PAPER, Paper, WordIndex, paper, put, read_paper, spoken};

/// Payloads that one step takes: a few milliseconds, for which the next commit may wait.
const STEP_PAYLOADS: usize = 128;
/// Bytes of payloads after which a step takes no more.
const STEP_BYTES: usize = 512 * 1024;
/// Payloads that one step compares with what there is, or takes out.
const STEP_SWEPT: usize = 1_000;
/// Pages of the index that one step of a purge writes.
const STEP_PAGES: i64 = 64;
/// Payloads that may wait before a step is due; a page looks at what waits of its owner's.
const WAITING_PAYLOADS_MAX: i64 = 1_000;
/// Payloads from which on steps are made though there is something else to do.
const PRESSING_PAYLOADS: i64 = 20_000;
/// Commits between two steps that are made though there is something else to do.
const COMMITS_PER_STEP: u32 = 8;
/// Steps that an ending store makes so that nothing is left in the index that is gone.
const LAST_STEPS_MAX: usize = 128;
/// Time between two purges, by what is appended: each writes the whole index anew.
pub(super) const PURGE_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

impl WordIndex {
    /// Whether a step is due before the payload of this number, when there is nothing else to do.
    pub(in super::super) fn is_due(&self, next_payload: i64) -> bool {
        let waiting = next_payload - self.reach.max(self.looked);
        let owes = || {
            !self.is_whole
                || !self.stale.is_empty()
                || self.sweep.is_some()
                || !self.usable.load(Ordering::Relaxed)
                || self.is_purge_due()
        };
        !self.is_given_up && (waiting >= WAITING_PAYLOADS_MAX || !self.is_failing && owes())
    }

    /// Whether a step is due after one more commit, whatever else there is to do.
    pub(in super::super) fn is_pressing(&mut self, next_payload: i64) -> bool {
        self.commits += 1;
        self.commits >= COMMITS_PER_STEP
            && !self.is_given_up
            && next_payload - self.reach.max(self.looked) >= PRESSING_PAYLOADS
    }

    /// Takes some of what waits. Between two commits: what it reads must be there to stay.
    pub(in super::super) fn step(&mut self, main: &Connection, shapes: &Shapes, next_payload: i64) {
        self.commits = 0;
        if !self.usable.load(Ordering::Relaxed) {
            // A reader met damage.
            if let Err(error) = self.give_up() {
                tracing::error!(?error, "the index of words could not be removed");
                self.pause(next_payload);
            }
            return;
        }
        match self.do_some(main, shapes, next_payload) {
            Ok(()) => self.is_failing = false,
            Err(error) => {
                if !self.is_failing {
                    tracing::warn!(%error, "the index of words could not be written; searches take longer");
                }
                self.pause(next_payload);
            }
        }
    }

    /// The next attempt is made when as much again has come.
    fn pause(&mut self, next_payload: i64) {
        self.is_failing = true;
        self.looked = next_payload;
    }

    fn do_some(
        &mut self,
        main: &Connection,
        shapes: &Shapes,
        next_payload: i64,
    ) -> rusqlite::Result<()> {
        if self.take(main, shapes, next_payload)? {
            return Ok(());
        }
        match self.sweep {
            Some(from) => self.sweep(main, from),
            None if self.is_purge_due() => self.purge(STEP_PAGES),
            None => Ok(()),
        }
    }

    /// Leaves nothing in the index that is gone, as far as that is soon done, and says so: else the next start looks.
    pub(in super::super) fn settle(&mut self, main: &Connection, shapes: &Shapes) {
        let is_usable = !self.is_given_up && self.usable.load(Ordering::Relaxed);
        if !is_usable || self.sweep.is_some() {
            return;
        }
        if let Err(error) = self.let_all_go(main, shapes) {
            tracing::warn!(%error, "the index of words could not be written; the next start looks at it");
        }
    }

    fn let_all_go(&mut self, main: &Connection, shapes: &Shapes) -> rusqlite::Result<()> {
        for _ in 0..LAST_STEPS_MAX {
            if self.stale.is_empty() {
                self.db.execute("UPDATE reach SET is_settled = 1", [])?;
                return Ok(());
            }
            let transaction = self.db.unchecked_transaction()?;
            let gone = self.let_go(main, shapes)?;
            transaction.commit()?;
            self.stale.drain(..gone);
        }
        Ok(())
    }

    /// Takes what is new, and lets go what is gone; whether there was any.
    fn take(
        &mut self,
        main: &Connection,
        shapes: &Shapes,
        next_payload: i64,
    ) -> rusqlite::Result<bool> {
        let (papers, is_all) = papers(main, shapes, self.reach)?;
        let is_whole = self.is_whole || is_all;
        let transaction = self.db.unchecked_transaction()?;
        // First what is no word: a statement that can be undone by itself has FTS5 write what it has gathered.
        let disorder = self.note_latest(&papers)?;
        let gone = self.let_go(main, shapes)?;
        self.put_new(&papers)?;
        if let Some(last) = papers.last() {
            let mut update = self.db.prepare_cached(
                "UPDATE reach SET payload = ?1, is_whole = ?2, log = ?3, owner = ?4, entry = ?5",
            )?;
            let next = last.payload + 1;
            update.execute(params![next, is_whole, last.log, last.owner, last.entry])?;
        } else if !self.is_whole {
            self.db.execute("UPDATE reach SET is_whole = 1", [])?;
        }
        transaction.commit()?;
        let has_done = gone > 0 || !papers.is_empty() || is_whole != self.is_whole;
        self.purge.is_wanted |= gone > 0;
        self.stale.drain(..gone);
        self.disorder.extend(disorder);
        self.is_whole = is_whole;
        self.reach = papers.last().map_or(self.reach, |last| last.payload + 1);
        let newest = papers.iter().map(|paper| paper.entry).max();
        self.now_micros = self.now_micros.max(newest.unwrap_or_default());
        if is_all {
            self.looked = next_payload;
        }
        Ok(has_done)
    }

    fn put_new(&self, papers: &[Paper]) -> rusqlite::Result<()> {
        let mut insert = self
            .db
            .prepare_cached("INSERT INTO word (rowid, words) VALUES (?1, ?2)")?;
        for paper in papers.iter().filter(|paper| !paper.document.is_empty()) {
            insert.execute(params![paper.payload, paper.document])?;
        }
        Ok(())
    }

    /// Puts payloads that were changed as they are now, and takes out those that are gone; how many.
    fn let_go(&self, main: &Connection, shapes: &Shapes) -> rusqlite::Result<usize> {
        let count = self.stale.len().min(STEP_PAYLOADS);
        let stale = &self.stale[..count];
        for payload in stale {
            self.db
                .prepare_cached("DELETE FROM changed WHERE payload = ?1")?
                .execute([payload])?;
        }
        if count > 0 {
            self.want_purge()?;
        }
        for payload in stale {
            let now = paper(main, shapes, *payload)?;
            let document = now.map(|now| now.document).unwrap_or_default();
            put(&self.db, *payload, &document)?;
        }
        Ok(count)
    }

    fn want_purge(&self) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("UPDATE reach SET has_removed = 1 WHERE has_removed = 0")?
            .execute([])?;
        Ok(())
    }

    /// Takes out what is not there any more: what a server that was killed had not taken out.
    fn sweep(&mut self, main: &Connection, from: i64) -> rusqlite::Result<()> {
        let mut select = self
            .db
            .prepare_cached("SELECT rowid FROM word WHERE rowid >= ?1 ORDER BY rowid LIMIT ?2")?;
        let known = select.query_map(params![from, STEP_SWEPT], |row| row.get(0))?;
        let known = known.collect::<rusqlite::Result<Vec<i64>>>()?;
        drop(select);
        let mut is_there = main.prepare_cached("SELECT 1 FROM log_payload WHERE id = ?1")?;
        let mut gone = Vec::new();
        for payload in &known {
            if !is_there.exists([payload])? {
                gone.push(*payload);
            }
        }
        if !gone.is_empty() {
            let transaction = self.db.unchecked_transaction()?;
            self.want_purge()?;
            for payload in &gone {
                put(&self.db, *payload, "")?;
            }
            transaction.commit()?;
            self.purge.is_wanted = true;
        }
        let next = known.last().map(|last| last + 1);
        self.sweep = next.filter(|_| known.len() == STEP_SWEPT);
        Ok(())
    }

    fn is_purge_due(&self) -> bool {
        let since = self.now_micros.saturating_sub(self.purge.ended_micros);
        self.purge.is_begun || self.purge.is_wanted && since.saturating_abs() >= PURGE_MICROS
    }

    /// Writes some of the index anew, without what was taken out: until then it is in the file, though nobody finds it.
    pub(super) fn purge(&mut self, pages: i64) -> rusqlite::Result<()> {
        if !self.purge.is_begun {
            self.db
                .execute("UPDATE reach SET has_removed = 0, is_purging = 1", [])?;
            self.purge.is_wanted = false;
            self.purge.is_begun = true;
        }
        let before = self.db.total_changes();
        self.db
            .prepare_cached("INSERT INTO word (word, rank) VALUES ('merge', ?1)")?
            .execute([-pages])?;
        // Less than two: there was nothing to do (SQLite's FTS5, the 'merge' command).
        if self.db.total_changes() - before < 2 {
            let now = self.now_micros;
            self.db
                .execute("UPDATE reach SET is_purging = 0, purged_micros = ?1", [now])?;
            self.purge.is_begun = false;
            self.purge.ended_micros = now;
        }
        Ok(())
    }

    /// Notes the greatest ids of owners; gives back whose came after greater ones.
    fn note_latest(&self, papers: &[Paper]) -> rusqlite::Result<Vec<(i64, i64)>> {
        let mut latest = HashMap::new();
        let mut disorder = Vec::new();
        for paper in papers {
            let of = (paper.log, paper.owner);
            let before = match latest.get(&of) {
                Some(id) => Some(*id),
                None => self.latest(of)?,
            };
            if before.is_some_and(|before| before > paper.entry) {
                self.put_disorder(paper.log, paper.owner)?;
                disorder.push(of);
            }
            latest.insert(of, before.unwrap_or_default().max(paper.entry));
        }
        let mut put = self
            .db
            .prepare_cached("INSERT OR REPLACE INTO latest VALUES (?1, ?2, ?3)")?;
        for ((log, owner), id) in latest {
            put.execute([log, owner, id])?;
        }
        Ok(disorder)
    }

    fn latest(&self, (log, owner): (i64, i64)) -> rusqlite::Result<Option<i64>> {
        let mut select = self
            .db
            .prepare_cached("SELECT id FROM latest WHERE log = ?1 AND owner = ?2")?;
        select.query_row([log, owner], |row| row.get(0)).optional()
    }
}

/// The next payloads from a number on, and whether that is all there is.
fn papers(main: &Connection, shapes: &Shapes, from: i64) -> rusqlite::Result<(Vec<Paper>, bool)> {
    let mut select = main.prepare_cached(&format!("{PAPER} >= ?1 ORDER BY id LIMIT ?2"))?;
    let mut rows = select.query(params![from, STEP_PAYLOADS])?;
    let spoken = spoken(shapes);
    let (mut papers, mut bytes) = (Vec::with_capacity(STEP_PAYLOADS), 0);
    while let Some(row) = rows.next()? {
        if bytes >= STEP_BYTES {
            return Ok((papers, false));
        }
        bytes += row.get_ref(5)?.as_blob()?.len();
        papers.push(read_paper(row, &spoken)?);
    }
    let is_all = papers.len() < STEP_PAYLOADS;
    Ok((papers, is_all))
}
