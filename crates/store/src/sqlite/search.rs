//! Pages by address and by text, through the index of words.
//!
//! What the index has not reached yet is looked at entry by entry, and what it finds is looked up: so an answer is exact,
//! however far behind the index is and whatever it has too much.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::read::{fitting, owner_id, page, sql_id};
use super::shapes::{Numbered, Shapes};
use super::word_index::{address_token, word_token};
use crate::backend::{PageOf, RawEntry, RawPage};
use crate::limits::{PAGE_BYTES_MAX, PAGE_STEP_ENTRIES_MAX};
use crate::log::{Direction, LogId, Marks, Page};
use crate::shape::ShapeKind;

/// Words of a question that the index is asked for; the others are looked for in what it finds.
const ASKED_WORDS_MAX: usize = 16;

/// A reader's side of the index.
pub(super) struct WordReader {
    db: Connection,
    usable: Arc<AtomicBool>,
}

impl WordReader {
    pub(super) fn new(db: Connection, usable: Arc<AtomicBool>) -> Self {
        Self { db, usable }
    }

    /// Answers a question for a page; `main` is to be in a transaction that has read nothing yet.
    pub(super) fn page(
        &self,
        main: &Connection,
        shapes: &Shapes,
        query: &PageOf,
    ) -> Result<RawPage, Fault> {
        // What is undelivered has an index of its own, and is little.
        if !query.page.is_searching()
            || query.page.marks.contains(Marks::UNDELIVERED)
            || !self.usable.load(Ordering::Relaxed)
        {
            return page(main, shapes, query);
        }
        match self.found(main, shapes, query) {
            Ok(Some(found)) => Ok(found),
            Ok(None) => page(main, shapes, query),
            Err(fault) => {
                // If it is the database itself that is damaged, the look at each entry says so.
                if self.usable.swap(false, Ordering::Relaxed) {
                    tracing::error!(?fault, "the index of words cannot be read");
                }
                page(main, shapes, query)
            }
        }
    }

    fn found(
        &self,
        main: &Connection,
        shapes: &Shapes,
        query: &PageOf,
    ) -> Result<Option<RawPage>, Fault> {
        self.db.prepare_cached("BEGIN")?.execute([])?;
        let found = search(main, &self.db, shapes, query);
        let ended = self.db.prepare_cached("COMMIT")?.execute([]);
        if ended.is_err() && !self.db.is_autocommit() {
            self.db.execute_batch("ROLLBACK")?;
        }
        found
    }
}

/// What the index has found, as it is in the log.
struct Hit {
    entry: RawEntry,
    /// Whether it is what was asked for.
    is_hit: bool,
    looked_bytes: usize,
}

/// What is asked, of whom.
struct Search<'a> {
    main: &'a Connection,
    words: &'a Connection,
    shapes: &'a Shapes,
    query: &'a PageOf,
    log: &'a Numbered,
    owner: i64,
    /// What is put to the index.
    pattern: String,
    /// Payloads before this number are in the index.
    reach: i64,
}

/// Finds a page through the index; `None` where that does not serve.
pub(super) fn search(
    main: &Connection,
    words: &Connection,
    shapes: &Shapes,
    query: &PageOf,
) -> Result<Option<RawPage>, Fault> {
    let log = shapes.of_kind(query.shape, ShapeKind::Log)?;
    // Of the index before anything of the other: what is in there and not here is here by then, or newer than both.
    let mut select = words.prepare_cached("SELECT payload, is_whole FROM reach")?;
    let (reach, is_whole): (i64, bool) =
        select.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(ids), Some(owner)) = (query.page.ids(), owner_id(main, &query.owner)?) else {
        return Ok(Some(RawPage::default()));
    };
    let Some(pattern) = pattern(log.id, owner, &query.page) else {
        return Ok(Some(RawPage::default()));
    };
    let mut select =
        words.prepare_cached("SELECT 1 FROM disorder WHERE log = ?1 AND owner = ?2")?;
    if !is_whole || select.exists([log.id, owner])? {
        return Ok(None);
    }
    let search = Search {
        main,
        words,
        shapes,
        query,
        log,
        owner,
        pattern,
        reach,
    };
    let Some(edge) = search.edge()? else {
        return Ok(None);
    };
    search.both(*ids.start(), *ids.end(), edge).map(Some)
}

/// What finds an address and words in the index; `None` where nothing can be found.
fn pattern(log: i64, owner: i64, page: &Page) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(address) = &page.address {
        parts.push(format!("\"{}\"", address_token(log, owner, address)));
    }
    if let Some(sought) = &page.text {
        if sought.is_empty() {
            return None;
        }
        for one in sought.iter().take(ASKED_WORDS_MAX) {
            let ending = if one.is_beginning { " *" } else { "" };
            let token = word_token(log, owner, &one.word);
            parts.push(format!("\"{token}\"{ending}"));
        }
    }
    Some(parts.join(" AND "))
}

impl Search<'_> {
    /// The greatest id of the owner's that is in the index: what comes after it waits. `None` where nothing is in it, or
    /// too much waits.
    fn edge(&self) -> Result<Option<LogId>, Fault> {
        let mut select = self.main.prepare_cached(
            "SELECT id, payload FROM log_entry WHERE log = ?1 AND owner = ?2 ORDER BY id DESC LIMIT ?3",
        )?;
        let mut rows = select.query(params![self.log.id, self.owner, PAGE_STEP_ENTRIES_MAX])?;
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(1)? < self.reach {
                return Ok(Some(LogId(row.get(0)?)));
            }
        }
        Ok(None)
    }

    /// A page from what is in the index, and from what waits.
    fn both(&self, first: LogId, last: LogId, edge: LogId) -> Result<RawPage, Fault> {
        let page = &self.query.page;
        let by_index = |limit| self.hits(first, last.min(edge), limit);
        let by_look = |limit| self.look(first.max(LogId(edge.0 + 1)), last, limit);
        let is_forward = page.direction == Direction::Forward;
        let mut found = if is_forward {
            by_index(page.limit)?
        } else {
            by_look(page.limit)?
        };
        if found.next.is_some() {
            return Ok(found);
        }
        let bytes: usize = found.entries.iter().map(|entry| entry.payload.len()).sum();
        let left = page.limit.saturating_sub(found.entries.len());
        // Where nothing more has room, it is asked whether there is more.
        let rest = if is_forward {
            by_look(left.max(1))?
        } else {
            by_index(left.max(1))?
        };
        if left > 0 && bytes < PAGE_BYTES_MAX {
            found.entries.extend(rest.entries);
            found.next = rest.next;
        } else if !found.entries.is_empty() {
            let more = rest.entries.first().map(|entry| self.up_to(entry.id));
            found.next = more.or(rest.next);
        }
        Ok(found)
    }

    /// The id to go on after, where everything was looked at up to this one.
    fn up_to(&self, id: LogId) -> LogId {
        match self.query.page.direction {
            Direction::Forward => LogId(id.0.saturating_sub(1)),
            Direction::Backward => LogId(id.0 + 1),
        }
    }

    /// What waits, entry by entry.
    fn look(&self, first: LogId, last: LogId, limit: usize) -> Result<RawPage, Fault> {
        let mut narrowed = self.query.page.clone().from(first).to(last);
        narrowed.limit = limit;
        let query = PageOf {
            shape: self.query.shape,
            owner: self.query.owner.clone(),
            page: narrowed,
        };
        page(self.main, self.shapes, &query)
    }

    /// The number of the payload at one end of a range of ids.
    fn end(&self, first: LogId, last: LogId, order: &str) -> rusqlite::Result<Option<i64>> {
        let mut select = self.main.prepare_cached(&format!(
            "SELECT payload FROM log_entry WHERE log = ?1 AND owner = ?2 AND id BETWEEN ?3 AND ?4
             ORDER BY id {order} LIMIT 1"
        ))?;
        let given = params![self.log.id, self.owner, sql_id(first), sql_id(last)];
        select.query_row(given, |row| row.get(0)).optional()
    }

    /// What the index finds between two ids. Payloads of this owner's are numbered in the order of ids.
    fn hits(&self, first: LogId, last: LogId, limit: usize) -> Result<RawPage, Fault> {
        let mut found = RawPage::default();
        let ends = (self.end(first, last, "")?, self.end(first, last, "DESC")?);
        let (Some(from), Some(to)) = ends else {
            return Ok(found);
        };
        let order = match self.query.page.direction {
            Direction::Forward => "",
            Direction::Backward => "DESC",
        };
        let mut select = self.words.prepare_cached(&format!(
            "SELECT rowid FROM word WHERE word MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid {order}"
        ))?;
        let mut rows = select.query(params![self.pattern, from, to])?;
        let (mut bytes, mut looked_at, mut looked_bytes, mut at) = (0, 0, 0, None);
        while let Some(row) = rows.next()? {
            // What is gone from the log is of no account.
            let Some(hit) = self.entry(row.get(0)?)? else {
                continue;
            };
            let Hit { entry, is_hit, .. } = hit;
            let full = found.entries.len() >= limit || bytes >= PAGE_BYTES_MAX;
            if is_hit && full {
                found.next = at.map(|_| self.up_to(entry.id));
                break;
            }
            let is_long = looked_bytes >= PAGE_BYTES_MAX;
            if looked_at == self.query.page.step_entries_max() || is_long {
                found.next = at;
                break;
            }
            looked_at += 1;
            looked_bytes += hit.looked_bytes;
            at = Some(entry.id);
            if is_hit {
                bytes += entry.payload.len();
                found.entries.push(entry);
            }
        }
        Ok(found)
    }

    /// The entry of a payload, and whether it is what was asked for.
    fn entry(&self, payload: i64) -> Result<Option<Hit>, Fault> {
        let mut select = self.main.prepare_cached(
            "SELECT p.payload, p.address, e.id, e.marks FROM log_payload p
             CROSS JOIN log_entry e ON e.log = p.log AND e.owner = p.owner AND e.id = p.entry AND e.payload = p.id
             WHERE p.id = ?1 AND p.log = ?2 AND p.owner = ?3",
        )?;
        let page = &self.query.page;
        let entry = select.query_row(params![payload, self.log.id, self.owner], |row| {
            let marks = Marks::from_bits(row.get(3)?);
            let looked = fitting(row, &self.log.shape, page)?;
            Ok(Hit {
                is_hit: looked.payload.is_some() && marks.contains(page.marks),
                looked_bytes: looked.bytes,
                entry: RawEntry {
                    id: LogId(row.get(2)?),
                    marks,
                    payload: looked.payload.unwrap_or_default(),
                },
            })
        });
        Ok(entry.optional()?)
    }
}
