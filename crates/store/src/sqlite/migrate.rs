//! Bringing what is stored to what is declared, in one transaction.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::apply::insert_index_key;
use super::fault::is_taken;
use super::shapes::{Numbered, NumberedIndex, Shapes, Stored, kind_number, pack, stored};
use crate::error::OpenError;
use crate::numbered::same;
pub(super) use crate::numbered::{check, is_same};
use crate::owner::Owner;
use crate::shape::{Migration, Row, Shape, ShapeKind, Verdict};

/// Rows that are read before they are written.
const ROWS_AT_A_TIME: usize = 1_000;

/// Why a migration did not go through; nothing was changed then.
pub(super) enum Error {
    Refused(OpenError),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::Refused(error)
    }
}

/// Brings everything to what is declared.
pub(super) fn migrate(
    db: &mut Connection,
    declared: &BTreeMap<&'static str, Shape>,
) -> Result<Shapes, Error> {
    let stored = stored(db)?;
    check(&stored, declared)?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut shapes = Shapes::default();
    for shape in declared.values() {
        let numbered = migrate_shape(&transaction, shape, stored.get(shape.name))?;
        shapes.0.insert(shape.name, numbered);
    }
    transaction.commit()?;
    Ok(shapes)
}

fn migrate_shape(
    db: &Transaction<'_>,
    shape: &Shape,
    stored: Option<&Stored>,
) -> Result<Numbered, Error> {
    let Some(stored) = stored else {
        return Ok(create(db, shape)?);
    };
    let steps = shape.steps_from(stored.version)?;
    if steps.is_empty()
        && let Some(numbered) = same(shape, stored)
    {
        return Ok(numbered);
    }
    if shape.kind == ShapeKind::Log {
        migrate_log(db, shape, stored.id, steps)?;
        db.execute(
            "UPDATE shape SET version = ?2 WHERE id = ?1",
            params![stored.id, shape.version],
        )?;
        return Ok(Numbered {
            id: stored.id,
            shape: shape.clone(),
            indexes: Vec::new(),
        });
    }
    tracing::info!(
        shape = shape.name,
        from = stored.version,
        to = shape.version,
        "migrating a table"
    );
    db.execute("DELETE FROM shape WHERE id = ?1", [stored.id])?;
    db.execute("DELETE FROM shape_index WHERE shape = ?1", [stored.id])?;
    for (index, ..) in &stored.indexes {
        db.execute("DELETE FROM index_key WHERE idx = ?1", [index])?;
    }
    let numbered = create(db, shape)?;
    migrate_table(db, &numbered, stored.id, steps)?;
    db.execute("DELETE FROM table_row WHERE shape = ?1", [stored.id])?;
    Ok(numbered)
}

/// Stores a shape under new numbers.
fn create(db: &Transaction<'_>, shape: &Shape) -> rusqlite::Result<Numbered> {
    // Greater than any that has rows, be they those of an older version that are about to go.
    let id: i64 = db.query_row(
        "SELECT 1 + max(coalesce((SELECT max(id) FROM shape), 0),
         coalesce((SELECT max(shape) FROM table_row), 0), coalesce((SELECT max(log) FROM log_entry), 0))",
        [],
        |row| row.get(0),
    )?;
    db.execute(
        "INSERT INTO shape (id, name, kind, version) VALUES (?1, ?2, ?3, ?4)",
        params![id, shape.name, kind_number(shape.kind), shape.version],
    )?;
    let mut indexes = Vec::new();
    for index in &shape.indexes {
        db.execute(
            "INSERT INTO shape_index (shape, name, is_unique) VALUES (?1, ?2, ?3)",
            params![id, index.name, index.unique],
        )?;
        indexes.push(NumberedIndex {
            id: db.last_insert_rowid(),
            name: index.name,
            unique: index.unique,
        });
    }
    Ok(Numbered {
        id,
        shape: shape.clone(),
        indexes,
    })
}

/// A row of a table on its way.
struct OldRow {
    owner: i64,
    expires_micros: Option<u64>,
    row: Row,
}

/// Brings each row to the new number. Rows of deleted owners stay behind, and go with the old number.
fn migrate_table(
    db: &Transaction<'_>,
    shape: &Numbered,
    from: i64,
    steps: &[Migration],
) -> Result<(), Error> {
    let mut select = db.prepare(
        "SELECT owner, key, value, expires FROM table_row
         WHERE shape = ?1 AND (owner, key) > (?2, ?3) ORDER BY owner, key LIMIT ?4",
    )?;
    let (mut owner, mut key) = (0_i64, Vec::new());
    loop {
        let rows = select.query_map(params![from, owner, key, ROWS_AT_A_TIME], |row| {
            let old = Row {
                key: row.get(1)?,
                value: row.get(2)?,
            };
            Ok(OldRow {
                owner: row.get(0)?,
                expires_micros: row.get(3)?,
                row: old,
            })
        })?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        owner = last.owner;
        key.clone_from(&last.row.key);
        for mut old in rows {
            if let Some(name) = owner_name(db, old.owner)?
                && shape.shape.step(&mut old.row, steps)? == Verdict::Keep
            {
                insert(db, shape, &name, &old)?;
            }
        }
    }
}

/// The owner of this number; `None` where it was deleted.
fn owner_name(db: &Transaction<'_>, id: i64) -> rusqlite::Result<Option<Owner>> {
    let mut select = db.prepare_cached("SELECT name FROM owner WHERE id = ?1")?;
    let name = select
        .query_row([id], |row| row.get::<_, Option<Vec<u8>>>(0))
        .optional()?
        .flatten();
    Ok(name.and_then(|name| Owner::from_bytes(&name)))
}

fn insert(
    db: &Transaction<'_>,
    shape: &Numbered,
    owner: &Owner,
    old: &OldRow,
) -> Result<(), Error> {
    let name = shape.shape.name;
    let taken = |index| Error::Refused(OpenError::MigrationTaken { shape: name, index });
    let mut keys = Vec::new();
    for (index, key) in shape.shape.migrated_index_keys(&old.row)? {
        let missing = OpenError::Declared {
            shape: name,
            reason: "an index is not declared",
        };
        let index = shape.index(index).map_err(|_| missing)?;
        let mut held =
            db.prepare_cached("SELECT 1 FROM index_key WHERE idx = ?1 AND key = ?2 LIMIT 1")?;
        if index.unique && held.exists(params![index.id, key])? {
            return Err(taken(index.name));
        }
        insert_index_key(db, index.id, &key, owner, old.owner, &old.row.key)?;
        keys.push((index.id, key));
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO table_row (shape, owner, key, value, expires, index_keys) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let given = params![
        shape.id,
        old.owner,
        old.row.key,
        old.row.value,
        old.expires_micros,
        pack(&keys)
    ];
    match insert.execute(given) {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => Err(taken("key")),
        Err(error) => Err(error.into()),
    }
}

/// Changes the payloads of a log where they are.
fn migrate_log(
    db: &Transaction<'_>,
    shape: &Shape,
    log: i64,
    steps: &[Migration],
) -> Result<(), Error> {
    tracing::info!(shape = shape.name, to = shape.version, "migrating a log");
    let mut select = db.prepare(
        "SELECT e.owner, e.id, e.payload, p.payload FROM log_entry e JOIN log_payload p ON p.id = e.payload
         WHERE e.log = ?1 AND (e.owner, e.id) > (?2, ?3) ORDER BY e.owner, e.id LIMIT ?4",
    )?;
    let (mut owner, mut id) = (0_i64, -1_i64);
    loop {
        let rows = select.query_map(params![log, owner, id, ROWS_AT_A_TIME], |row| {
            let old = Row {
                key: Vec::new(),
                value: row.get(3)?,
            };
            Ok(((row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?, old))
        })?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let Some((last, ..)) = rows.last() else {
            return Ok(());
        };
        (owner, id) = *last;
        for ((owner, id), payload, mut row) in rows {
            match shape.step(&mut row, steps)? {
                Verdict::Keep => {
                    let mut update =
                        db.prepare_cached("UPDATE log_payload SET payload = ?2 WHERE id = ?1")?;
                    update.execute(params![payload, row.value])?;
                }
                Verdict::Drop => remove_entry(db, log, owner, id, payload)?,
            }
        }
    }
}

fn remove_entry(
    db: &Transaction<'_>,
    log: i64,
    owner: i64,
    id: i64,
    payload: i64,
) -> rusqlite::Result<()> {
    // The ids that are left may all be less than this one.
    db.execute("UPDATE high_water SET log_id = max(log_id, ?1)", [id])?;
    db.execute(
        "DELETE FROM log_unique WHERE log = ?1 AND owner = ?2 AND id = ?3",
        params![log, owner, id],
    )?;
    db.execute(
        "DELETE FROM log_entry WHERE log = ?1 AND owner = ?2 AND id = ?3",
        params![log, owner, id],
    )?;
    db.execute("DELETE FROM log_payload WHERE id = ?1", [payload])?;
    Ok(())
}
