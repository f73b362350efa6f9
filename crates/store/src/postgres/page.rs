//! A page of a log, found in one statement.

use tokio_postgres::Row;

use super::fault::Fault;
use super::fetch::{bytes, marks};
use super::read::{OWNER, address_number, log_id, sql_id, sql_limit};
use super::search::by_text;
use super::session::{Ask, Given};
use crate::backend::{PageOf, RawEntry, RawPage};
use crate::limits::{PAGE_BYTES_MAX, PAGE_STEP_ENTRIES_MAX};
use crate::log::{Direction, Marks, Page};
use crate::numbered::{Numbered, Shapes};
use crate::owner::Owner;
use crate::shape::ShapeKind;

/// Looks at a page's entries in order.
///
/// `looked` goes through the index, as far as a page may look, and says which entries may fit: by their marks, and by the
/// number of their address. `fits` has those that do, and the one at which a page has looked far enough. Of these, the
/// last select gives payloads as long as the page has room; the first without one is where the page ends.
fn sql(page: &Page) -> String {
    let order = match page.direction {
        Direction::Forward => "",
        Direction::Backward => "DESC",
    };
    let undelivered = page.marks.contains(Marks::UNDELIVERED);
    let (source, on) = if undelivered {
        (
            "waxwing.log_undelivered u CROSS JOIN LATERAL (SELECT * FROM waxwing.log_entry
                WHERE log = u.log AND owner = u.owner AND id = u.id LIMIT 1) e",
            "u",
        )
    } else {
        ("waxwing.log_entry e", "e")
    };
    let archived = if page.marks.contains(Marks::ARCHIVED) {
        "e.archived"
    } else {
        "true"
    };
    let (by_number, by_address) = match page.address {
        Some(_) => ("e.address_number = $8", "AND e.address = $9"),
        None => ("$8::bigint = 0", "AND $9::bytea IS NULL"),
    };
    let looked = format!(
        "SELECT id, row_number() OVER w AS place, lag(id) OVER w AS before, may_fit FROM (
            SELECT e.id, {archived} AND {by_number} AS may_fit FROM {source}
            WHERE {on}.log = $1 AND {on}.owner = {OWNER} AND {on}.id BETWEEN $3 AND $4
            ORDER BY {on}.id {order} LIMIT $5::bigint + 1) entries
        WINDOW w AS (ORDER BY id {order})"
    );
    // By the id everywhere: that is the order in which the index is gone through, and nothing has to be sorted.
    let fits = format!(
        "SELECT l.id, l.place, l.before, e.archived, e.payload FROM ({looked}) l
        LEFT JOIN LATERAL (SELECT * FROM waxwing.log_entry
            WHERE log = $1 AND owner = {OWNER} AND id = l.id LIMIT 1) e ON true
        WHERE l.place > $5 OR l.may_fit {by_address} ORDER BY l.id {order} LIMIT $6::bigint + 1"
    );
    format!(
        "SELECT id, before, archived, EXISTS (SELECT FROM waxwing.log_undelivered u
                WHERE u.log = $1 AND u.owner = {OWNER} AND u.id = f.id),
            CASE WHEN place <= $5 AND nth <= $6 AND bytes_before < $7 THEN payload END
        FROM (SELECT *, row_number() OVER w AS nth, coalesce(sum(octet_length(payload))
                OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
            FROM ({fits}) fits WINDOW w AS (ORDER BY id {order})) f
        ORDER BY id {order}"
    )
}

pub(super) async fn page(
    client: &impl Ask,
    shapes: &Shapes,
    query: &PageOf,
) -> Result<RawPage, Fault> {
    let Numbered { id: log, shape, .. } = shapes.of_kind(query.shape, ShapeKind::Log)?;
    if query.page.text.is_none() {
        return within(client, *log, &query.owner, &query.page).await;
    }
    by_text(client, *log, shape, query).await
}

/// A page of what fits but for its text.
pub(super) async fn within(
    client: &impl Ask,
    log: i64,
    owner: &Owner,
    page: &Page,
) -> Result<RawPage, Fault> {
    let Some(ids) = page.ids() else {
        return Ok(RawPage::default());
    };
    let (first, last) = (sql_id(*ids.start()), sql_id(*ids.end()));
    let picks = page.address.is_some() || page.marks.contains(Marks::ARCHIVED);
    // Where all that is looked at fits, no more is looked at than the page has room for.
    let looks = if picks {
        PAGE_STEP_ENTRIES_MAX
    } else {
        PAGE_STEP_ENTRIES_MAX.min(page.limit.saturating_add(1))
    };
    let (looks, limit, bytes_max) = (
        sql_limit(looks),
        sql_limit(page.limit),
        sql_limit(PAGE_BYTES_MAX),
    );
    let address = page.address.as_deref().map(str::as_bytes);
    let number = address_number(page.address.as_deref());
    let owner = owner.as_bytes();
    let given: Given<'_> = &[
        &log, &owner, &first, &last, &looks, &limit, &bytes_max, &number, &address,
    ];
    read(&client.rows(&sql(page), given).await?)
}

/// Entries up to the first row without a payload.
fn read(rows: &[Row]) -> Result<RawPage, Fault> {
    let mut found = RawPage::default();
    for row in rows {
        if row.try_get::<_, Option<&[u8]>>(4)?.is_none() {
            found.next = row.try_get::<_, Option<i64>>(1)?.map(log_id);
            break;
        }
        found.entries.push(RawEntry {
            id: log_id(row.try_get(0)?),
            marks: marks(row.try_get(2)?, row.try_get(3)?),
            payload: bytes(row, 4)?,
        });
    }
    Ok(found)
}
