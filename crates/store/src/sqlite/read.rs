//! Questions, on whichever connection.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fault::{Fault, failed};
use super::search::WordReader;
use super::shapes::{Numbered, Shapes};
use crate::backend::{
    Count, CountEntries, Find, FoundRow, Get, IdOf, Owners, PageOf, Place, Query, RawEntry,
    RawPage, RawRow, Scan,
};
use crate::error::StoreError;
use crate::key::ByteRange;
use crate::limits::PAGE_BYTES_MAX;
use crate::log::{Direction, LogId, Marks, Page};
use crate::owner::Owner;
use crate::shape::{Shape, ShapeKind};

/// Most rows of a question that the writer answers itself, between batches; larger ones wait for its commit
/// and go to a reader.
const LIGHT_ROWS_MAX: usize = 100;

/// Whether the writer should answer it itself.
pub(super) fn is_light(query: &Query) -> bool {
    match query {
        // Counting one owner's rows reads an index; it is asked before a row is added, and the next one waits for that.
        Query::Get(..) | Query::IdOf(..) | Query::LastLogId(_) | Query::Count(..) => true,
        Query::Scan(query, _) => query.limit <= LIGHT_ROWS_MAX,
        Query::Page(query, _) => query.page.limit <= LIGHT_ROWS_MAX && !query.page.is_searching(),
        Query::Find(..) | Query::Owners(..) | Query::CountEntries(..) => false,
    }
}

/// Answers from what the connection sees. `last_log_id` is the writer's to know.
pub(super) fn answer(db: &Connection, shapes: &Shapes, last_log_id: LogId, query: Query) {
    let said = StoreError::from;
    match query {
        Query::Get(query, reply) => reply.send(get(db, shapes, &query).map_err(said)),
        Query::Scan(query, reply) => reply.send(scan(db, shapes, &query).map_err(said)),
        Query::Find(query, reply) => reply.send(find(db, shapes, &query).map_err(said)),
        Query::Count(query, reply) => reply.send(count(db, shapes, &query).map_err(said)),
        Query::Owners(query, reply) => reply.send(owners(db, shapes, &query).map_err(said)),
        Query::Page(query, reply) => reply.send(page(db, shapes, &query).map_err(said)),
        Query::CountEntries(query, reply) => {
            reply.send(count_entries(db, shapes, &query).map_err(said));
        }
        Query::IdOf(query, reply) => reply.send(id_of(db, shapes, &query).map_err(said)),
        Query::LastLogId(reply) => reply.send(Ok(last_log_id)),
    }
}

/// Answers from one snapshot of a reader's connection.
pub(super) fn answer_from_snapshot(
    db: &Connection,
    words: &WordReader,
    shapes: &Shapes,
    query: Query,
) {
    // One statement has a snapshot of its own.
    if matches!(query, Query::Get(..) | Query::Scan(..)) {
        return answer(db, shapes, LogId::MIN, query);
    }
    let kept = |sql| db.prepare_cached(sql)?.execute([]);
    if let Err(error) = kept("BEGIN") {
        query.fail(failed(&error));
        return;
    }
    match query {
        Query::Page(query, reply) => {
            reply.send(words.page(db, shapes, &query).map_err(StoreError::from));
        }
        query => answer(db, shapes, LogId::MIN, query),
    }
    let Err(error) = kept("COMMIT") else {
        return;
    };
    // After an error the snapshot may have ended by itself. Who asked has been told of damage, and so has the log.
    let ended = db.is_autocommit() || db.execute_batch("ROLLBACK").is_ok();
    if !(ended && matches!(failed(&error), StoreError::Damaged { .. })) {
        tracing::error!(%error, "a reader could not end its snapshot");
    }
}

/// An owner's number.
pub(super) fn owner_id(db: &Connection, owner: &Owner) -> rusqlite::Result<Option<i64>> {
    let mut select = db.prepare_cached("SELECT id FROM owner WHERE name = ?1")?;
    select
        .query_row([owner.as_bytes()], |row| row.get(0))
        .optional()
}

/// A time as SQL compares it: without one, nothing has expired.
pub(super) fn now(now_micros: Option<u64>) -> i64 {
    now_micros.map_or(-1, |now| i64::try_from(now).unwrap_or(i64::MAX))
}

/// One value as stored.
pub(super) fn value(
    db: &Connection,
    shape: i64,
    owner: i64,
    key: &[u8],
    now_micros: Option<u64>,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut select = db.prepare_cached(
        "SELECT value FROM table_row WHERE shape = ?1 AND owner = ?2 AND key = ?3
         AND (expires IS NULL OR expires > ?4)",
    )?;
    select
        .query_row(params![shape, owner, key, now(now_micros)], |row| {
            row.get(0)
        })
        .optional()
}

/// One statement: see [`answer_from_snapshot`].
fn get(db: &Connection, shapes: &Shapes, query: &Get) -> Result<Option<Bytes>, Fault> {
    let shape = shapes.table(query.shape)?.id;
    let mut select = db.prepare_cached(
        "SELECT value FROM table_row
         WHERE shape = ?1 AND owner = (SELECT id FROM owner WHERE name = ?2) AND key = ?3
         AND (expires IS NULL OR expires > ?4)",
    )?;
    let owner = query.owner.as_bytes();
    let given = params![shape, owner, query.key, now(query.now_micros)];
    let found = select.query_row(given, |row| row.get::<_, Vec<u8>>(0));
    Ok(found.optional()?.map(Bytes::from))
}

/// The part of a condition that ends a range of keys.
fn end(range: &ByteRange) -> &'static str {
    if range.end.is_some() {
        "AND key < ?5"
    } else {
        "AND ?5 IS NULL"
    }
}

/// One statement: see [`answer_from_snapshot`].
fn scan(db: &Connection, shapes: &Shapes, query: &Scan) -> Result<Vec<RawRow>, Fault> {
    let shape = shapes.table(query.shape)?.id;
    let order = match query.direction {
        Direction::Forward => "",
        Direction::Backward => "DESC",
    };
    let mut select = db.prepare_cached(&format!(
        "SELECT key, value FROM table_row
         WHERE shape = ?1 AND owner = (SELECT id FROM owner WHERE name = ?2) AND key >= ?3
         AND (expires IS NULL OR expires > ?4) {} ORDER BY key {order} LIMIT ?6",
        end(&query.range)
    ))?;
    let range = &query.range;
    let given = params![
        shape,
        query.owner.as_bytes(),
        range.start,
        now(query.now_micros),
        range.end,
        query.limit
    ];
    let rows = select.query_map(given, |row| {
        Ok(RawRow {
            key: row.get(0)?,
            value: row.get(1)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn count(db: &Connection, shapes: &Shapes, query: &Count) -> Result<u64, Fault> {
    let shape = shapes.table(query.shape)?.id;
    let Some(owner) = owner_id(db, &query.owner)? else {
        return Ok(0);
    };
    let mut select = db.prepare_cached(&format!(
        "SELECT count(*) FROM table_row WHERE shape = ?1 AND owner = ?2 AND key >= ?3
         AND (expires IS NULL OR expires > ?4) {}",
        end(&query.range)
    ))?;
    let range = &query.range;
    let given = params![shape, owner, range.start, now(query.now_micros), range.end];
    Ok(select.query_row(given, |row| row.get(0))?)
}

fn read_owner(row: &Row<'_>, column: usize) -> rusqlite::Result<Owner> {
    let bytes = row.get_ref(column)?.as_blob()?;
    let wrong =
        || rusqlite::Error::InvalidColumnType(column, "owner".into(), rusqlite::types::Type::Blob);
    Owner::from_bytes(bytes).ok_or_else(wrong)
}

fn find(db: &Connection, shapes: &Shapes, query: &Find) -> Result<Vec<FoundRow>, Fault> {
    let numbered = shapes.table(query.shape)?;
    let index = numbered.index(query.index)?.id;
    // A row value compares as the primary key is ordered, so this is one range of it either way.
    let start = match query.after {
        Some(_) => "(i.key, i.owner_name, i.row_key) > (?3, ?4, ?5)",
        None => "i.key >= ?3 AND ?4 IS NULL AND ?5 IS NULL",
    };
    let end = if query.range.end.is_some() {
        "i.key < ?6"
    } else {
        "?6 IS NULL"
    };
    let mut select = db.prepare_cached(&format!(
        "SELECT i.key, i.owner_name, i.row_key, r.value FROM index_key i
         CROSS JOIN owner o ON o.id = i.owner AND o.name IS NOT NULL
         CROSS JOIN table_row r ON r.shape = ?1 AND r.owner = i.owner AND r.key = i.row_key
         WHERE i.idx = ?2 AND {start} AND {end} AND (r.expires IS NULL OR r.expires > ?7)
         ORDER BY i.key, i.owner_name, i.row_key LIMIT ?8"
    ))?;
    let after = query.after.as_ref();
    // A place before the range is no place to go on from.
    let from = after.map_or(&query.range.start, |place| {
        (&place.index_key).max(&query.range.start)
    });
    let given = params![
        numbered.id,
        index,
        from,
        after.map(|place| place.owner.as_bytes()),
        after.map(|place| &place.key),
        query.range.end,
        now(query.now_micros),
        query.limit
    ];
    let rows = select.query_map(given, |row| {
        let place = Place {
            index_key: row.get(0)?,
            owner: read_owner(row, 1)?,
            key: row.get(2)?,
        };
        Ok(FoundRow {
            place,
            value: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn owners(db: &Connection, shapes: &Shapes, query: &Owners) -> Result<Vec<Owner>, Fault> {
    let Numbered { id, shape, .. } = shapes.any(query.shape)?;
    let (place, number) = match shape.kind {
        ShapeKind::Table => ("table_row", "shape"),
        ShapeKind::Log => ("log_entry", "log"),
    };
    let mut select = db.prepare_cached(&format!(
        "SELECT name FROM owner o WHERE name > ?1
         AND EXISTS (SELECT 1 FROM {place} WHERE {number} = ?2 AND owner = o.id)
         ORDER BY name LIMIT ?3"
    ))?;
    let after = query.after.as_ref().map_or(&[][..], Owner::as_bytes);
    let rows = select.query_map(params![after, id, query.limit], |row| read_owner(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The narrow index, by the way that the marks allow.
fn narrow(marks: Marks) -> (&'static str, &'static str) {
    if marks.contains(Marks::UNDELIVERED) {
        (
            "log_entry INDEXED BY log_entry_undelivered",
            "AND marks >= 2",
        )
    } else {
        ("log_entry", "")
    }
}

/// The number by which the narrow index knows an address: FNV-1a, 32 bits. It is stored: never change it.
pub(super) fn address_number(address: Option<&str>) -> i64 {
    let Some(address) = address else { return 0 };
    let hash = address.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    i64::from(hash.max(1))
}

/// A page by a look at each entry.
pub(super) fn page(db: &Connection, shapes: &Shapes, query: &PageOf) -> Result<RawPage, Fault> {
    let Numbered { id: log, shape, .. } = shapes.of_kind(query.shape, ShapeKind::Log)?;
    let page = &query.page;
    let (Some(ids), Some(owner)) = (page.ids(), owner_id(db, &query.owner)?) else {
        return Ok(RawPage::default());
    };
    let (index, marked) = narrow(page.marks);
    let order = match page.direction {
        Direction::Forward => "",
        Direction::Backward => "DESC",
    };
    let mut select = db.prepare_cached(&format!(
        "SELECT id, marks, address, payload FROM {index}
         WHERE log = ?1 AND owner = ?2 AND id BETWEEN ?3 AND ?4 {marked} ORDER BY id {order}"
    ))?;
    let mut rows = select.query(params![
        log,
        owner,
        sql_id(*ids.start()),
        sql_id(*ids.end())
    ])?;
    let mut payloads =
        db.prepare_cached("SELECT payload, address FROM log_payload WHERE id = ?1")?;
    let address = address_number(page.address.as_deref());
    let mut found = RawPage::default();
    let (mut bytes, mut looked_at, mut looked_bytes, mut last) = (0, 0, 0, None);
    while let Some(row) = rows.next()? {
        let id = LogId(row.get(0)?);
        let marks = Marks::from_bits(row.get(1)?);
        if looked_at == page.step_entries_max() || looked_bytes >= PAGE_BYTES_MAX {
            found.next = last;
            break;
        }
        looked_at += 1;
        let may_fit =
            marks.contains(page.marks) && (address == 0 || row.get::<_, i64>(2)? == address);
        let full = found.entries.len() == page.limit || bytes >= PAGE_BYTES_MAX;
        if may_fit {
            let payload: i64 = row.get(3)?;
            let looked = payloads.query_row([payload], |row| fitting(row, shape, page))?;
            looked_bytes += looked.bytes;
            let payload = looked.payload;
            if full && payload.is_some() {
                found.next = last;
                break;
            }
            if let Some(payload) = payload {
                bytes += payload.len();
                found.entries.push(RawEntry { id, marks, payload });
            }
        }
        last = Some(id);
    }
    Ok(found)
}

/// A payload that was looked at.
pub(super) struct Looked {
    /// If it is what was asked for.
    pub(super) payload: Option<Bytes>,
    /// Bytes that were read and are of no use.
    pub(super) bytes: usize,
}

/// The payload, if its address is the one that was asked for, and its text.
pub(super) fn fitting(row: &Row<'_>, shape: &Shape, page: &Page) -> rusqlite::Result<Looked> {
    if let Some(wanted) = &page.address
        && row.get_ref(1)?.as_str_or_null()? != Some(wanted)
    {
        return Ok(Looked {
            payload: None,
            bytes: 0,
        });
    }
    let payload = row.get_ref(0)?.as_blob()?;
    let fits = page.fits_text(shape, payload);
    Ok(Looked {
        payload: fits.then(|| Bytes::copy_from_slice(payload)),
        bytes: if fits { 0 } else { payload.len() },
    })
}

/// An id as SQL has it. Those that do not fit were refused, or are the ends of ranges.
pub(super) fn sql_id(id: LogId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}

fn count_entries(db: &Connection, shapes: &Shapes, query: &CountEntries) -> Result<u64, Fault> {
    let log = shapes.log(query.shape)?;
    let Some(owner) = owner_id(db, &query.owner)? else {
        return Ok(0);
    };
    let (index, marked) = narrow(query.marks);
    let mut select = db.prepare_cached(&format!(
        "SELECT count(*) FROM {index} WHERE log = ?1 AND owner = ?2 {marked} AND marks & ?3 = ?3"
    ))?;
    Ok(select.query_row(params![log, owner, query.marks.bits()], |row| row.get(0))?)
}

fn id_of(db: &Connection, shapes: &Shapes, query: &IdOf) -> Result<Option<LogId>, Fault> {
    let log = shapes.log(query.shape)?;
    let Some(owner) = owner_id(db, &query.owner)? else {
        return Ok(None);
    };
    Ok(unique_id(db, log, owner, &query.unique)?)
}

/// The entry that has a unique key.
pub(super) fn unique_id(
    db: &Connection,
    log: i64,
    owner: i64,
    key: &[u8],
) -> rusqlite::Result<Option<LogId>> {
    let mut select =
        db.prepare_cached("SELECT id FROM log_unique WHERE log = ?1 AND owner = ?2 AND key = ?3")?;
    select
        .query_row(params![log, owner, key], |row| row.get(0).map(LogId))
        .optional()
}
