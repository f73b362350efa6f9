//! Questions, on whichever connection. Each is one statement, so that its answer is of one moment.

use tokio_postgres::{Error, Row};

use super::fault::{Fault, damaged};
use super::fetch::bytes;
use super::key::{form, is_long, lower};
use super::page::page;
use super::session::{Ask, Given};
use crate::backend::{
    Count, CountEntries, Find, FoundRow, Get, IdOf, Owners, Place, Query, RawRow, Scan,
};
use crate::error::StoreError;
use crate::key::ByteRange;
use crate::log::{Direction, LogId, Marks};
use crate::numbered::{Numbered, Shapes};
use crate::owner::Owner;
use crate::shape::ShapeKind;

/// The owner whose name is the second value that a statement is given.
pub(super) const OWNER: &str = "(SELECT id FROM waxwing.owner WHERE name = $2)";

/// Most rows of a question that the writer answers itself, between batches; larger ones wait for its commit.
const LIGHT_ROWS_MAX: usize = 100;

/// Whether the writer should answer it itself.
pub(super) fn is_light(query: &Query) -> bool {
    match query {
        Query::Get(..) | Query::IdOf(..) | Query::LastLogId(_) | Query::Count(..) => true,
        Query::Scan(query, _) => query.limit <= LIGHT_ROWS_MAX,
        Query::Page(query, _) => query.page.limit <= LIGHT_ROWS_MAX && !query.page.is_searching(),
        Query::Find(..) | Query::Owners(..) | Query::CountEntries(..) => false,
    }
}

/// An answer that has been found, and is still to be given.
pub(super) type Found = Box<dyn FnOnce(Query) + Send>;

/// Finds the answer to a question; it is given by calling what this returns.
pub(super) async fn answer(
    client: &impl Ask,
    shapes: &Shapes,
    query: &Query,
) -> Result<Found, Fault> {
    /// Gives the answer to the kind of question that it is of.
    macro_rules! found {
        ($kind:ident, $answer:expr) => {{
            let answer = $answer;
            Box::new(move |query| {
                if let Query::$kind(_, reply) = query {
                    reply.send(Ok(answer));
                }
            })
        }};
    }
    Ok(match query {
        Query::Get(query, _) => found!(Get, get(client, shapes, query).await?),
        Query::Scan(query, _) => found!(Scan, scan(client, shapes, query).await?),
        Query::Find(query, _) => found!(Find, find(client, shapes, query).await?),
        Query::Count(query, _) => found!(Count, count(client, shapes, query).await?),
        Query::Owners(query, _) => found!(Owners, owners(client, shapes, query).await?),
        Query::Page(query, _) => found!(Page, page(client, shapes, query).await?),
        Query::CountEntries(query, _) => {
            found!(CountEntries, count_entries(client, shapes, query).await?)
        }
        Query::IdOf(query, _) => found!(IdOf, id_of(client, shapes, query).await?),
        // The writer's to know; it does not come here.
        Query::LastLogId(_) => Box::new(|query| query.fail(StoreError::Closed)),
    })
}

/// A time as SQL compares it: without one, nothing has expired.
pub(super) fn now(now_micros: Option<u64>) -> i64 {
    now_micros.map_or(-1, |now| i64::try_from(now).unwrap_or(i64::MAX))
}

/// An id as SQL has it. Those that do not fit were refused, or are the ends of ranges.
pub(super) fn sql_id(id: LogId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}

/// A number of rows as SQL has it.
pub(super) fn sql_limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// A stored id.
pub(super) fn log_id(id: i64) -> LogId {
    LogId(u64::try_from(id).unwrap_or_default())
}

/// The number by which an index knows an address: FNV-1a, 32 bits. It is stored: never change it.
pub(super) fn address_number(address: Option<&str>) -> i64 {
    let Some(address) = address else { return 0 };
    let hash = address.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    i64::from(hash.max(1))
}

async fn get(
    client: &impl Ask,
    shapes: &Shapes,
    query: &Get,
) -> Result<Option<bytes::Bytes>, Fault> {
    let shape = shapes.table(query.shape)?.id;
    let sql = format!(
        "SELECT value FROM waxwing.table_row WHERE shape = $1 AND owner = {OWNER} AND key = $3
         AND (expires IS NULL OR expires > $4)"
    );
    let (key, now) = (form(&query.key), now(query.now_micros));
    let rows = client
        .rows(
            &sql,
            &[&shape, &query.owner.as_bytes(), &key.as_ref(), &now],
        )
        .await?;
    Ok(rows.first().map(|row| bytes(row, 0)).transpose()?)
}

/// Whether the bounds of a range are keys that do not stand in an index as they are.
fn has_long_bounds(range: &ByteRange) -> bool {
    is_long(&range.start) || range.end.as_ref().is_some_and(|end| is_long(end))
}

async fn scan(client: &impl Ask, shapes: &Shapes, query: &Scan) -> Result<Vec<RawRow>, Fault> {
    let shape = shapes.table(query.shape)?.id;
    let range = &query.range;
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let order = match query.direction {
        Direction::Forward => "",
        Direction::Backward => "DESC",
    };
    let end = match range.end {
        Some(_) => "< $6",
        None => "IS NOT NULL AND $6::bytea IS NULL",
    };
    let (owner, now, limit) = (
        query.owner.as_bytes(),
        now(query.now_micros),
        sql_limit(query.limit),
    );
    let select = format!(
        "SELECT coalesce(long_key, key), value, long_key IS NOT NULL FROM waxwing.table_row
         WHERE shape = $1 AND owner = {OWNER} AND key >= $3 AND (expires IS NULL OR expires > $4)"
    );
    if !has_long_bounds(range) {
        let sql = format!("{select} AND key {end} ORDER BY key {order} LIMIT $5");
        let rows = client
            .rows(
                &sql,
                &[&shape, &owner, &range.start, &now, &limit, &range.end],
            )
            .await?;
        // Long keys with the same beginning do not stand in order.
        if !any(&rows, 2)? {
            return Ok(raw_rows(&rows)?);
        }
    }
    let sql = format!(
        "{select} AND coalesce(long_key, key) >= $7 AND coalesce(long_key, key) {end}
         ORDER BY coalesce(long_key, key) {order} LIMIT $5"
    );
    let from = lower(&range.start);
    let given: Given<'_> = &[
        &shape,
        &owner,
        &from,
        &now,
        &limit,
        &range.end,
        &range.start,
    ];
    Ok(raw_rows(&client.rows(&sql, given).await?)?)
}

/// Whether one of these rows says yes.
fn any(rows: &[Row], column: usize) -> Result<bool, Error> {
    for row in rows {
        if row.try_get(column)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn raw_rows(rows: &[Row]) -> Result<Vec<RawRow>, Error> {
    let rows = rows.iter().map(|row| {
        Ok(RawRow {
            key: row.try_get(0)?,
            value: row.try_get(1)?,
        })
    });
    rows.collect()
}

async fn count(client: &impl Ask, shapes: &Shapes, query: &Count) -> Result<u64, Fault> {
    let shape = shapes.table(query.shape)?.id;
    let range = &query.range;
    if range.is_empty() {
        return Ok(0);
    }
    // Whether a long key is within bounds that are not is told by its beginning.
    let key = if has_long_bounds(range) {
        "coalesce(long_key, key)"
    } else {
        "key"
    };
    let end = match range.end {
        Some(_) => "< $6",
        None => "IS NOT NULL AND $6::bytea IS NULL",
    };
    let sql = format!(
        "SELECT count(*) FROM waxwing.table_row WHERE shape = $1 AND owner = {OWNER} AND key >= $3
         AND {key} >= $5 AND {key} {end} AND (expires IS NULL OR expires > $4)"
    );
    let (from, now) = (lower(&range.start), now(query.now_micros));
    let owner = query.owner.as_bytes();
    let rows = client
        .rows(
            &sql,
            &[&shape, &owner, &from, &now, &range.start, &range.end],
        )
        .await?;
    number(&rows)
}

/// The one number of an answer.
fn number(rows: &[Row]) -> Result<u64, Fault> {
    let row = rows.first().ok_or_else(|| Fault::Failed(damaged()))?;
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default())
}

/// An owner's name from a column.
pub(super) fn read_owner(row: &Row, column: usize) -> Result<Owner, Fault> {
    let name: &[u8] = row.try_get(column)?;
    Owner::from_bytes(name).ok_or_else(|| Fault::Failed(damaged()))
}

async fn find(client: &impl Ask, shapes: &Shapes, query: &Find) -> Result<Vec<FoundRow>, Fault> {
    let numbered = shapes.table(query.shape)?;
    let index = numbered.index(query.index)?.id;
    if query.range.is_empty() {
        return Ok(Vec::new());
    }
    let after_is_long = query.after.as_ref().is_some_and(|place| {
        is_long(&place.index_key) || is_long(place.owner.as_bytes()) || is_long(&place.key)
    });
    if !(has_long_bounds(&query.range) || after_is_long) {
        let columns = ["i.key", "i.owner_name", "i.row_key"];
        let rows = find_by(client, numbered, index, query, columns).await?;
        // As for a scan.
        if !any(&rows, 4)? {
            return found_rows(&rows);
        }
    }
    let whole = [
        "coalesce(i.long_key, i.key)",
        "o.name",
        "coalesce(i.long_row, i.row_key)",
    ];
    found_rows(&find_by(client, numbered, index, query, whole).await?)
}

/// Looks through an index, which is ordered by these columns.
async fn find_by(
    client: &impl Ask,
    shape: &Numbered,
    index: i64,
    query: &Find,
    [key, owner, row]: [&str; 3],
) -> Result<Vec<Row>, Error> {
    let start = match query.after {
        Some(_) => format!("({key}, {owner}, {row}) > ($3, $4, $5)"),
        None => format!("{key} >= $3 AND $4::bytea IS NULL AND $5::bytea IS NULL"),
    };
    let end = match query.range.end {
        Some(_) => format!("{key} < $6"),
        None => "$6::bytea IS NULL".to_owned(),
    };
    let sql = format!(
        "SELECT coalesce(i.long_key, i.key), o.name, coalesce(i.long_row, i.row_key), r.value,
         i.long_key IS NOT NULL OR i.long_row IS NOT NULL OR i.owner_name <> o.name
         FROM waxwing.index_key i
         JOIN waxwing.owner o ON o.id = i.owner AND o.name IS NOT NULL
         CROSS JOIN LATERAL (SELECT value, expires FROM waxwing.table_row
            WHERE shape = $1 AND owner = i.owner AND key = i.row_key LIMIT 1) r
         WHERE i.idx = $2 AND {start} AND {end} AND (r.expires IS NULL OR r.expires > $7)
         ORDER BY {key}, {owner}, {row} LIMIT $8"
    );
    let after = query.after.as_ref();
    // A place before the range is no place to go on from.
    let from = after.map_or(&query.range.start, |place| {
        (&place.index_key).max(&query.range.start)
    });
    let (now, limit) = (now(query.now_micros), sql_limit(query.limit));
    let (after_owner, after_key) = (
        after.map(|place| place.owner.as_bytes()),
        after.map(|place| &place.key),
    );
    let given: Given<'_> = &[
        &shape.id,
        &index,
        from,
        &after_owner,
        &after_key,
        &query.range.end,
        &now,
        &limit,
    ];
    client.rows(&sql, given).await
}

fn found_rows(rows: &[Row]) -> Result<Vec<FoundRow>, Fault> {
    let rows = rows.iter().map(|row| {
        let place = Place {
            index_key: row.try_get(0)?,
            owner: read_owner(row, 1)?,
            key: row.try_get(2)?,
        };
        Ok(FoundRow {
            place,
            value: row.try_get(3)?,
        })
    });
    rows.collect()
}

async fn owners(client: &impl Ask, shapes: &Shapes, query: &Owners) -> Result<Vec<Owner>, Fault> {
    let Numbered { id, shape, .. } = shapes.any(query.shape)?;
    let (place, number) = match shape.kind {
        ShapeKind::Table => ("table_row", "shape"),
        ShapeKind::Log => ("log_entry", "log"),
    };
    // For each owner in turn: asked whether it exists, the planner would rather gather the owners of all rows first.
    let sql = format!(
        "SELECT o.name FROM waxwing.owner o
         CROSS JOIN LATERAL (SELECT FROM waxwing.{place} WHERE {number} = $1 AND owner = o.id LIMIT 1) has
         WHERE o.name > $2 ORDER BY o.name LIMIT $3"
    );
    let after = query.after.as_ref().map_or(&[][..], Owner::as_bytes);
    let rows = client
        .rows(&sql, &[id, &after, &sql_limit(query.limit)])
        .await?;
    rows.iter().map(|row| read_owner(row, 0)).collect()
}

async fn count_entries(
    client: &impl Ask,
    shapes: &Shapes,
    query: &CountEntries,
) -> Result<u64, Fault> {
    let log = shapes.log(query.shape)?;
    let archived = if query.marks.contains(Marks::ARCHIVED) {
        "AND e.archived"
    } else {
        ""
    };
    let sql = match (
        query.marks.contains(Marks::UNDELIVERED),
        query.marks.contains(Marks::ARCHIVED),
    ) {
        (true, false) => format!(
            "SELECT count(*) FROM waxwing.log_undelivered WHERE log = $1 AND owner = {OWNER}"
        ),
        (true, true) => format!(
            "SELECT count(*) FROM waxwing.log_undelivered u
             CROSS JOIN LATERAL (SELECT archived FROM waxwing.log_entry
                WHERE log = u.log AND owner = u.owner AND id = u.id LIMIT 1) e
             WHERE u.log = $1 AND u.owner = {OWNER} {archived}"
        ),
        (false, _) => format!(
            "SELECT count(*) FROM waxwing.log_entry e WHERE e.log = $1 AND e.owner = {OWNER} {archived}"
        ),
    };
    let rows = client.rows(&sql, &[&log, &query.owner.as_bytes()]).await?;
    number(&rows)
}

async fn id_of(client: &impl Ask, shapes: &Shapes, query: &IdOf) -> Result<Option<LogId>, Fault> {
    let log = shapes.log(query.shape)?;
    let sql = format!(
        "SELECT id FROM waxwing.log_entry WHERE log = $1 AND owner = {OWNER} AND unique_key = $3"
    );
    let key = form(&query.unique);
    let given: Given<'_> = &[&log, &query.owner.as_bytes(), &key.as_ref()];
    let rows = client.rows(&sql, given).await?;
    let id = rows.first().map(|row| row.try_get(0)).transpose()?;
    Ok(id.map(log_id))
}
