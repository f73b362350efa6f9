//! The index of words and addresses as it is written: behind everything else, in a database of its own.
//!
//! No delivery waits for it. It follows by a durable cursor, in steps between commits (`steps.rs`), and what it has not
//! reached is looked at entry by entry (`search.rs`). It may have more than there is, never less: words of a new text are in it
//! before the commit that brings that text, and those of an old one go after the commit that takes it.

mod steps;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension, params};

use super::apply::high_water;
use super::blobs::sync_directory;
use super::fault::{Fault, failed};
use super::open::{beside, beside_connection, reader_connection};
use super::read::{address_number, sql_id};
use super::search::WordReader;
use super::shapes::{Numbered, Shapes};
use crate::error::{StoreError, io_failed};
use crate::shape::ShapeKind;
use crate::words::words;

/// What is in the index, and how it is written there: another number makes it anew. Change it with what `words.rs` makes of a
/// text, and with what a log says its text is.
const WORDS_VERSION: u32 = 2;

/// Room for what a document has more than its text: an address, and what stands before some words.
const DOCUMENT_BYTES: usize = 128;

/// A payload, as a document of the index.
struct Paper {
    payload: i64,
    log: i64,
    owner: i64,
    entry: i64,
    document: String,
}

/// The writer's side of the index.
pub(super) struct WordIndex {
    db: Connection,
    path: PathBuf,
    /// Payloads with lesser numbers are in it.
    reach: i64,
    is_whole: bool,
    /// There was nothing more to take before this number.
    looked: i64,
    /// Payloads in it that were changed or removed.
    stale: Vec<i64>,
    /// From where on it is to be compared with what there is: what was removed before a server was killed may be in it.
    sweep: Option<i64>,
    purge: Purge,
    /// What time it is, as far as the greatest id says it that is in the log.
    now_micros: i64,
    disorder: HashSet<(i64, i64)>,
    /// Commits since a step was made.
    commits: u32,
    /// Readers may rely on it. Once that is over, it is over until the next start.
    usable: Arc<AtomicBool>,
    is_given_up: bool,
    is_failing: bool,
}

/// How far what is taken out of the index has left its file: it does when parts of it are merged.
#[derive(Clone, Copy, Default)]
struct Purge {
    /// Something was taken out since the last one began.
    is_wanted: bool,
    is_begun: bool,
    /// When the last one ended.
    ended_micros: i64,
}

/// When a new index was purged: longer ago than the next time is.
const NEVER: i64 = -steps::PURGE_MICROS;

/// What the index says of itself.
struct Reach {
    payload: i64,
    is_whole: bool,
    is_settled: bool,
    purge: Purge,
    last: Place,
    logs: String,
}

/// Log, owner and id of an entry.
type Place = (i64, i64, i64);

/// Where the index of a database is.
pub(super) fn words_path(database: &Path) -> PathBuf {
    database.with_file_name("waxwing-words.db")
}

/// Removes the index: the next start makes it anew.
pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(path, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    path.parent().map_or(Ok(()), sync_directory)
}

/// A word of an owner's, as the index has it: the tokenizer leaves it whole, since letters and digits are all that it has.
pub(super) fn word_token(log: i64, owner: i64, word: &str) -> String {
    format!("{log}x{owner}x{word}")
}

/// An address of an owner's conversations, as the index has it.
pub(super) fn address_token(log: i64, owner: i64, address: &str) -> String {
    format!("{log}y{owner}y{}", address_number(Some(address)))
}

fn document(log: i64, owner: i64, address: Option<&str>, text: Option<&str>) -> String {
    let mut document = String::with_capacity(text.map_or(0, str::len) + DOCUMENT_BYTES);
    if let Some(address) = address {
        document.push_str(&address_token(log, owner, address));
    }
    let Some(text) = text else {
        return document;
    };
    let before = format!(" {log}x{owner}x");
    for word in words(text) {
        document.push_str(&before);
        document.push_str(&word);
    }
    document
}

/// Which logs there are, by number and version, and which of them have texts.
fn logs(shapes: &Shapes) -> String {
    let logs = shapes.0.values();
    let logs = logs.filter(|one| one.shape.kind == ShapeKind::Log);
    let lines = logs.map(|one| {
        let (name, version) = (one.shape.name, one.shape.version);
        format!("{} {name} {version} {}\n", one.id, one.shape.text.is_some())
    });
    lines.collect()
}

impl WordIndex {
    /// Opens the index of a database, or begins a new one where there is none, or none of this database. Where it cannot
    /// be written, the store is without.
    pub(super) fn open(
        database: &Path,
        main: &Connection,
        shapes: &Shapes,
    ) -> Result<Self, StoreError> {
        let path = words_path(database);
        let (last_id, next_payload) = high_water(main).map_err(|error| failed(&error))?;
        match Self::known(&path, main, shapes, next_payload) {
            Ok(Some(mut index)) => {
                index.now_micros = sql_id(last_id);
                return Ok(index);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "the index of words cannot be read; it is made anew");
            }
        }
        // What stays would lack something later.
        remove(&path).map_err(|error| io_failed(&error))?;
        Self::create(&path, shapes).or_else(|error| {
            tracing::error!(%error, "there can be no index of words; searches take longer until the next start");
            remove(&path).map_err(|error| io_failed(&error))?;
            let none = Connection::open_in_memory().map_err(|error| failed(&error))?;
            let mut index = Self::new(none, &path);
            index.usable.store(false, Ordering::Relaxed);
            index.is_given_up = true;
            Ok(index)
        })
    }

    fn known(
        path: &Path,
        main: &Connection,
        shapes: &Shapes,
        next_payload: i64,
    ) -> rusqlite::Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let db = connection(path)?;
        let version: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != WORDS_VERSION {
            return Ok(None);
        }
        let stored = reach(&db)?;
        let there = main
            .query_row(
                "SELECT log, owner, entry FROM log_payload WHERE id = ?1",
                [stored.payload - 1],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()?;
        // The database may be an older one that was put back, or another.
        let is_of_another = there.is_some_and(|there: Place| there != stored.last);
        if stored.payload > next_payload || is_of_another || stored.logs != logs(shapes) {
            return Ok(None);
        }
        let mut index = Self::new(db, path);
        index.reach = stored.payload;
        index.is_whole = stored.is_whole;
        index.purge = stored.purge;
        index.sweep = (!stored.is_settled).then_some(0);
        index.stale = changed(&index.db)?;
        index.disorder = disorder(&index.db)?;
        index.durably(|index| {
            index.db.execute("UPDATE reach SET is_settled = 0", [])?;
            Ok(())
        })?;
        Ok(Some(index))
    }

    fn create(path: &Path, shapes: &Shapes) -> rusqlite::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Where it cannot be made, opening it says why.
        drop(options.open(path));
        let mut db = connection(path)?;
        let all = db.transaction()?;
        all.execute_batch(include_str!("words.sql"))?;
        all.execute(
            "INSERT INTO reach VALUES (1, 0, 0, 0, 0, ?2, 0, 0, 0, ?1)",
            params![logs(shapes), NEVER],
        )?;
        all.pragma_update(None, "user_version", WORDS_VERSION)?;
        all.commit()?;
        Ok(Self::new(db, path))
    }

    fn new(db: Connection, path: &Path) -> Self {
        Self {
            db,
            path: path.to_owned(),
            reach: 1,
            is_whole: false,
            looked: 0,
            stale: Vec::new(),
            sweep: None,
            purge: Purge {
                ended_micros: NEVER,
                ..Purge::default()
            },
            now_micros: 0,
            disorder: HashSet::new(),
            commits: 0,
            usable: Arc::new(AtomicBool::new(true)),
            is_given_up: false,
            is_failing: false,
        }
    }

    /// A reader's side of it.
    pub(super) fn reader(&self) -> rusqlite::Result<WordReader> {
        let db = match self.is_given_up {
            true => Connection::open_in_memory()?,
            false => reader_connection(&self.path)?,
        };
        Ok(WordReader::new(db, Arc::clone(&self.usable)))
    }

    /// Payloads of lesser numbers are in it: no new one may have such a number.
    pub(super) fn reach(&self) -> i64 {
        self.reach
    }

    fn put_disorder(&self, log: i64, owner: i64) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("INSERT OR IGNORE INTO disorder VALUES (?1, ?2)")?
            .execute([log, owner])?;
        Ok(())
    }

    /// An entry is appended though its owner has greater ids: from now on the index does not serve this owner. Durable before
    /// the entry is.
    pub(super) fn note_disorder(&mut self, log: i64, owner: i64) -> Result<(), Fault> {
        if self.is_given_up || !self.disorder.insert((log, owner)) {
            return Ok(());
        }
        self.durably(|index| index.put_disorder(log, owner))
            .or_else(|error| self.cannot(&error))
    }

    /// A payload gets another text, or none: until the change is on disk it is found by the words of both. Durable before
    /// that, so that the words of the old one go, whatever happens.
    pub(super) fn note_text(
        &mut self,
        main: &Connection,
        shapes: &Shapes,
        payload: i64,
        text: Option<&str>,
    ) -> Result<(), Fault> {
        if self.is_given_up || payload >= self.reach {
            return Ok(());
        }
        let Some(before) = paper(main, shapes, payload)? else {
            return Ok(());
        };
        self.stale.push(payload);
        let words = document(before.log, before.owner, None, text);
        let document = format!("{} {words}", before.document);
        self.durably(|index| index.put_both(payload, &document))
            .or_else(|error| self.cannot(&error))
    }

    /// Has something on disk, with all that was written before it. What steps write need not be: where it is lost, it is
    /// taken again.
    fn durably(&self, write: impl FnOnce(&Self) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
        self.db.pragma_update(None, "synchronous", "FULL")?;
        let written = write(self);
        self.db.pragma_update(None, "synchronous", "NORMAL")?;
        written
    }

    fn put_both(&self, payload: i64, document: &str) -> rusqlite::Result<()> {
        let transaction = self.db.unchecked_transaction()?;
        self.db
            .prepare_cached("INSERT OR IGNORE INTO changed VALUES (?1)")?
            .execute([payload])?;
        put(&self.db, payload, document)?;
        transaction.commit()
    }

    /// Payloads are removed.
    pub(super) fn note_gone(&mut self, payloads: &[i64]) {
        if !self.is_given_up {
            let known = payloads.iter().filter(|payload| **payload < self.reach);
            self.stale.extend(known);
        }
    }

    /// The index cannot have what it must have. Where there is no room, there is none for what was to be stored either.
    fn cannot(&mut self, error: &rusqlite::Error) -> Result<(), Fault> {
        match failed(error) {
            StoreError::DiskFull => Err(Fault::Failed(StoreError::DiskFull)),
            _ => self.give_up(),
        }
    }

    /// Is without the index until the next start, which makes a new one. Fails where the old one could not be removed: it
    /// would lack something then.
    fn give_up(&mut self) -> Result<(), Fault> {
        self.usable.store(false, Ordering::Relaxed);
        remove(&self.path).map_err(|error| Fault::Failed(io_failed(&error)))?;
        self.is_given_up = true;
        self.stale = Vec::new();
        self.sweep = None;
        tracing::error!("the index of words is damaged; the next start makes a new one");
        Ok(())
    }
}

fn connection(path: &Path) -> rusqlite::Result<Connection> {
    let db = beside_connection(path)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "wal_autocheckpoint", 1_000)?;
    // What was taken out of it is to be nowhere in it.
    db.pragma_update(None, "secure_delete", true)?;
    Ok(db)
}

fn reach(db: &Connection) -> rusqlite::Result<Reach> {
    let select = "SELECT payload, is_whole, is_settled, has_removed, is_purging, purged_micros, log, owner, entry, logs FROM reach";
    db.query_row(select, [], |row| {
        Ok(Reach {
            payload: row.get(0)?,
            is_whole: row.get(1)?,
            is_settled: row.get(2)?,
            purge: Purge {
                is_wanted: row.get(3)?,
                is_begun: row.get(4)?,
                ended_micros: row.get(5)?,
            },
            last: (row.get(6)?, row.get(7)?, row.get(8)?),
            logs: row.get(9)?,
        })
    })
}

fn changed(db: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut select = db.prepare("SELECT payload FROM changed")?;
    let rows = select.query_map([], |row| row.get(0))?;
    rows.collect()
}

fn disorder(db: &Connection) -> rusqlite::Result<HashSet<(i64, i64)>> {
    let mut select = db.prepare("SELECT log, owner FROM disorder")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Puts a document in the place of what there was of a payload.
fn put(db: &Connection, payload: i64, document: &str) -> rusqlite::Result<()> {
    if document.is_empty() {
        db.prepare_cached("DELETE FROM word WHERE rowid = ?1")?
            .execute([payload])?;
    } else {
        db.prepare_cached("INSERT OR REPLACE INTO word (rowid, words) VALUES (?1, ?2)")?
            .execute(params![payload, document])?;
    }
    Ok(())
}

/// A payload by its number, if it is there.
fn paper(main: &Connection, shapes: &Shapes, payload: i64) -> rusqlite::Result<Option<Paper>> {
    let mut select = main.prepare_cached(&format!("{PAPER} = ?1"))?;
    let spoken = spoken(shapes);
    select
        .query_row([payload], |row| read_paper(row, &spoken))
        .optional()
}

const PAPER: &str = "SELECT id, log, owner, entry, address, payload FROM log_payload WHERE id";

/// The logs that have texts.
fn spoken(shapes: &Shapes) -> Vec<&Numbered> {
    let all = shapes.0.values();
    all.filter(|one| one.shape.text.is_some()).collect()
}

fn read_paper(row: &rusqlite::Row<'_>, spoken: &[&Numbered]) -> rusqlite::Result<Paper> {
    let (log, owner): (i64, i64) = (row.get(1)?, row.get(2)?);
    let address: Option<String> = row.get(4)?;
    let payload = row.get_ref(5)?.as_blob()?;
    let spoken = spoken.iter().find(|one| one.id == log);
    let text = spoken.and_then(|one| one.shape.text_of(payload));
    Ok(Paper {
        payload: row.get(0)?,
        log,
        owner,
        entry: row.get(3)?,
        document: document(log, owner, address.as_deref(), text.as_deref()),
    })
}
