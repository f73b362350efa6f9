//! Reading everything for a backup, from one snapshot on a connection of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, Row, params};

use super::apply::high_water;
use super::fault::failed;
use super::kept::Kept;
use super::open::reader_connection;
use super::shapes::{self, Stored, kind_number};
use crate::backend::{BackupOut, BackupOutcome, Contents};
use crate::backup::{BackupAbout, BackupError, Dump, EntryRecord, Header, HeaderShape, RowRecord};
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::owner::Owner;
use crate::shape::ShapeKind;

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(failed(&error))
    }
}

/// What is needed to make one.
pub(super) struct Source<'a> {
    pub(super) database: &'a Path,
    pub(super) blobs: &'a Kept,
    /// Set when the store closes: the backup ends early.
    pub(super) closing: &'a AtomicBool,
}

/// Writes everything that one snapshot has.
pub(super) fn run(source: &Source<'_>, mut out: BackupOut, about: BackupAbout) -> BackupOutcome {
    let db = reader_connection(source.database)?;
    // From before the snapshot, so that each blob that it knows stays.
    source.blobs.keep_all();
    let contents = source.blobs.contents();
    let outcome = from_snapshot(&db, &*contents, source.closing, &mut *out, about);
    source.blobs.keep_no_longer();
    outcome
}

/// Writes everything that a connection sees from now on.
pub(super) fn from_snapshot(
    db: &Connection,
    files: &dyn Contents,
    closing: &AtomicBool,
    out: &mut dyn Write,
    about: BackupAbout,
) -> BackupOutcome {
    db.execute_batch("BEGIN")?;
    let stored = shapes::stored(db)?;
    let header = header(db, &stored, about)?;
    let mut dump = Dump::begin(out, &header)?;
    let written =
        owners(closing, db, &stored, &mut dump).and_then(|()| blobs(closing, db, files, &mut dump));
    match written {
        Ok(()) => dump.end(&header),
        Err(error) => {
            // Where it could not be written, this cannot either: the reader finds it cut short.
            let _told = dump.give_up(&error);
            Err(error)
        }
    }
}

const LOG: fn() -> i64 = || kind_number(ShapeKind::Log);

fn header(
    db: &Connection,
    stored: &BTreeMap<String, Stored>,
    about: BackupAbout,
) -> Result<Header, BackupError> {
    let mut shapes = Vec::new();
    for (name, shape) in stored {
        let is_log = shape.kind == LOG();
        // What deleted owners had is on its way out, and is nobody's.
        let sql = if is_log {
            "SELECT count(*) FROM log_entry e JOIN owner o ON o.id = e.owner AND o.name IS NOT NULL WHERE e.log = ?1"
        } else {
            "SELECT count(*) FROM table_row r JOIN owner o ON o.id = r.owner AND o.name IS NOT NULL WHERE r.shape = ?1"
        };
        shapes.push(HeaderShape {
            name: name.clone(),
            is_log,
            version: shape.version,
            records: db.query_row(sql, [shape.id], |row| row.get(0))?,
        });
    }
    let (references, blobs) = db.query_row(
        "SELECT count(*), count(DISTINCT hash) FROM blob_ref b JOIN owner o ON o.id = b.owner AND o.name IS NOT NULL",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(Header {
        product: about.product,
        at_micros: about.at_micros,
        last_log_id: high_water(db)?.0.0,
        shapes,
        references,
        blobs,
    })
}

fn owners(
    closing: &AtomicBool,
    db: &Connection,
    stored: &BTreeMap<String, Stored>,
    dump: &mut Dump<'_>,
) -> Result<(), BackupError> {
    let mut select =
        db.prepare("SELECT id, name FROM owner WHERE name IS NOT NULL ORDER BY name")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let name: Vec<u8> = row.get(1)?;
        let owner = Owner::from_bytes(&name).ok_or(StoreError::Damaged {
            shape: "the owners",
        })?;
        for (place, shape) in stored.values().enumerate() {
            // There are as many shapes as declarations in the program.
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            let (sql, write): (_, WriteRecord) = if shape.kind == LOG() {
                (ENTRIES, entry)
            } else {
                (ROWS, table_row)
            };
            let mut select = db.prepare_cached(sql)?;
            let mut rows = select.query(params![shape.id, number])?;
            while let Some(row) = rows.next()? {
                go_on(closing)?;
                write(dump, &owner, place, row)?;
            }
        }
        let mut select =
            db.prepare_cached("SELECT hash, count FROM blob_ref WHERE owner = ?1 ORDER BY hash")?;
        let mut rows = select.query([number])?;
        while let Some(row) = rows.next()? {
            dump.reference(&owner, &BlobHash(row.get(0)?), row.get(1)?)?;
        }
    }
    Ok(())
}

type WriteRecord = fn(&mut Dump<'_>, &Owner, u32, &Row<'_>) -> Result<(), BackupError>;

const ROWS: &str =
    "SELECT key, value, expires FROM table_row WHERE shape = ?1 AND owner = ?2 ORDER BY key";
const ENTRIES: &str = "SELECT e.id, e.marks, p.address, p.unique_key, p.payload
    FROM log_entry e JOIN log_payload p ON p.id = e.payload WHERE e.log = ?1 AND e.owner = ?2 ORDER BY e.id";

fn table_row(
    dump: &mut Dump<'_>,
    owner: &Owner,
    shape: u32,
    row: &Row<'_>,
) -> Result<(), BackupError> {
    let record = RowRecord {
        shape,
        key: row.get(0)?,
        value: row.get(1)?,
        expires_micros: row.get(2)?,
    };
    dump.row(owner, &record)
}

fn entry(dump: &mut Dump<'_>, owner: &Owner, shape: u32, row: &Row<'_>) -> Result<(), BackupError> {
    let record = EntryRecord {
        shape,
        id: row.get(0)?,
        marks: row.get(1)?,
        address: row.get(2)?,
        unique: row.get(3)?,
        payload: row.get(4)?,
    };
    dump.entry(owner, &record)
}

fn blobs(
    closing: &AtomicBool,
    db: &Connection,
    files: &dyn Contents,
    dump: &mut Dump<'_>,
) -> Result<(), BackupError> {
    let mut select = db.prepare(
        "SELECT DISTINCT hash FROM blob_ref b JOIN owner o ON o.id = b.owner AND o.name IS NOT NULL ORDER BY hash",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        go_on(closing)?;
        let hash = BlobHash(row.get(0)?);
        let length = files.length(&hash)?.ok_or(BackupError::Blob(hash))?;
        dump.blob(&hash, length, |offset, bytes_max| {
            files.part(&hash, offset, bytes_max)
        })?;
    }
    Ok(())
}

fn go_on(closing: &AtomicBool) -> Result<(), BackupError> {
    if closing.load(Ordering::Relaxed) {
        return Err(StoreError::Closed.into());
    }
    Ok(())
}
