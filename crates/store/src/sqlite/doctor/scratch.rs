//! The scratch database: everything that could be read, in a file that nobody else sees.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, OpenFlags};

use super::super::fault::failed;
use super::super::open::io;
use super::trees::TREES;
use super::walk::Walk;
use crate::error::{OpenError, StoreError};

/// Beside the tables of a data directory: what its indexes said, and what is lost.
const MORE: &str = "
    CREATE TABLE x_shape (name TEXT, id INTEGER PRIMARY KEY);
    CREATE TABLE x_owner (name BLOB, id INTEGER PRIMARY KEY);
    CREATE TABLE x_gone (id INTEGER, row INTEGER);
    CREATE TABLE x_expires (expires INTEGER, shape INTEGER, owner INTEGER, key BLOB);
    CREATE TABLE x_undelivered (log INTEGER, owner INTEGER, id INTEGER, PRIMARY KEY (log, owner, id)) WITHOUT ROWID;
    CREATE TABLE x_blob (hash BLOB, owner INTEGER);
    -- Keys of unique indexes that a row has.
    CREATE TABLE x_taken (idx TEXT, key BLOB, PRIMARY KEY (idx, key)) WITHOUT ROWID;
    -- Rows that are not exported.
    CREATE TABLE x_doomed (shape INTEGER, owner INTEGER, key BLOB, PRIMARY KEY (shape, owner, key)) WITHOUT ROWID;
    CREATE TABLE x_lost (shape TEXT, why TEXT, owner INTEGER, records INTEGER,
        PRIMARY KEY (shape, why, owner)) WITHOUT ROWID;
";

/// Opens an empty one in this directory. Its file loses its name at once.
pub(super) fn open(directory: &Path) -> Result<Connection, OpenError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!(".waxwing-doctor-{}-{number}", std::process::id());
    let path = directory.join(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(&path).map_err(|error| io(directory, &error))?;
    let open = || {
        let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;
             PRAGMA cache_size = -65536; PRAGMA locking_mode = EXCLUSIVE;",
        )?;
        db.execute_batch(include_str!("../schema.sql"))?;
        db.execute_batch(MORE)?;
        Ok(db)
    };
    let opened = open();
    let removed = fs::remove_file(&path);
    removed.map_err(|error| io(&path, &error))?;
    opened.map_err(|error: rusqlite::Error| OpenError::Environment {
        path: directory.to_owned(),
        error: failed(&error),
    })
}

/// One in memory, for a database that is small.
pub(super) fn in_memory() -> rusqlite::Result<Connection> {
    let db = Connection::open_in_memory()?;
    db.execute_batch("PRAGMA journal_mode = OFF; PRAGMA temp_store = MEMORY;")?;
    db.execute_batch(include_str!("../schema.sql"))?;
    db.execute_batch(MORE)?;
    Ok(db)
}

/// Fills it with every record that can be reached.
pub(super) fn fill(db: &Connection, walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let schema = fresh_schema().map_err(|error| failed(&error))?;
    let mut inserts = Vec::new();
    for tree in TREES {
        inserts.push(db.prepare(tree.insert).map_err(|error| failed(&error))?);
    }
    db.execute_batch("BEGIN").map_err(|error| failed(&error))?;
    walk.run(&schema, &mut |place, row, values| {
        let insert = &mut inserts[place];
        let mut bind = || {
            let mut number = 1;
            if let Some(row) = row {
                insert.raw_bind_parameter(number, row)?;
                number += 1;
            }
            for value in values {
                // What the statement does not use comes last, or is the row's own number.
                if number <= insert.parameter_count() {
                    insert.raw_bind_parameter(number, value)?;
                }
                number += 1;
            }
            insert.raw_execute()
        };
        // A table that is STRICT refuses what no database of ours holds.
        match bind() {
            Err(error) if super::super::fault::is_taken(&error) => Ok(()),
            result => result.map(|_| ()).map_err(|error| failed(&error)),
        }
    })?;
    db.execute_batch("COMMIT").map_err(|error| failed(&error))
}

/// What SQLite's table of tables holds in a new database.
fn fresh_schema() -> rusqlite::Result<Vec<Vec<super::record::Value>>> {
    use super::record::Value;
    let db = Connection::open_in_memory()?;
    db.execute_batch(include_str!("../schema.sql"))?;
    let mut select =
        db.prepare("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid")?;
    let rows = select.query_map([], |row| {
        Ok(vec![
            Value::Text(row.get(0)?),
            Value::Text(row.get(1)?),
            Value::Text(row.get(2)?),
            Value::Int(row.get(3)?),
            row.get::<_, Option<String>>(4)?
                .map_or(Value::Null, Value::Text),
        ])
    })?;
    rows.collect()
}
