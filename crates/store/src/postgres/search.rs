//! Pages by text.
//!
//! Up to where the index of words has come, entries are found by it; what lies beyond is looked at entry by entry. Either way the
//! words of the text itself decide: so an answer is exact, however far behind the index is and whatever it has too much.

#[cfg(test)]
mod tests;

use tokio_postgres::Row;

use super::fault::Fault;
use super::fetch::{bytes, marks};
use super::page::within;
use super::read::{OWNER, address_number, log_id, sql_id, sql_limit};
use super::session::{Ask, Given};
use super::word_index::word_number;
use crate::backend::{PageOf, RawEntry, RawPage};
use crate::limits::{PAGE_BYTES_MAX, PAGE_STEP_SEEKS_MAX, PAGE_STEP_TEXTS_MAX};
use crate::log::{Direction, LogId, Marks, Page};
use crate::shape::Shape;

/// Entries whose texts are brought here together at least.
const TEXTS_AT_ONCE: usize = 50;
/// Words of a question that the index is asked for; the others are looked for in what it finds.
const ASKED_WORDS_MAX: usize = 16;

/// How far the index has come in a log.
const REACH: &str = "SELECT r.id FROM waxwing.word_reach r
    WHERE r.log = $1 AND r.owner = (SELECT id FROM waxwing.owner WHERE name = $2)";

/// Goes through the index from one entry that may have all words to the next.
///
/// From where it is, each word says which entry is the next that has it. Where that is the same for all, it is found, and the
/// next place is behind it. Where not, none can come before the farthest of them, which is the next place. So no more
/// places are looked at than twice the rarest word has entries, however many the others have. Each look is for one entry, and has
/// a limit that says so: it keeps PostgreSQL from reading all of the owner's instead, which it takes for few.
fn sql(page: &Page) -> String {
    let (farthest, nearest, beyond, range, order) = match page.direction {
        Direction::Forward => ("max", "min", "+ 1", "l.place AND $4", ""),
        Direction::Backward => ("min", "max", "- 1", "$3 AND l.place", "DESC"),
    };
    let from = match page.direction {
        Direction::Forward => "$3",
        Direction::Backward => "$4",
    };
    let archived = if page.marks.contains(Marks::ARCHIVED) {
        "e.archived"
    } else {
        "true"
    };
    let by_address = match page.address {
        Some(_) => "e.address_number = $9 AND e.address = $10",
        None => "$9::bigint = 0 AND $10::bytea IS NULL",
    };
    format!(
        "WITH RECURSIVE leap (place, hit, hits, leaps) AS (
            SELECT {from}::bigint, NULL::bigint, 0::bigint, 0::bigint
            UNION ALL
            SELECT s.place, f.id, l.hits + (f.id IS NOT NULL)::int, l.leaps + 1
            FROM leap l CROSS JOIN LATERAL (
                SELECT CASE WHEN max(n.id) = min(n.id) THEN max(n.id) {beyond} ELSE {farthest}(n.id) END AS place,
                    CASE WHEN max(n.id) = min(n.id) THEN {nearest}(n.id) END AS id
                FROM unnest($5::bigint[]) AS q(word) LEFT JOIN LATERAL (
                    SELECT w.id FROM waxwing.word w WHERE w.owner = {OWNER} AND w.word = q.word AND w.id BETWEEN {range}
                    ORDER BY w.id {order} LIMIT 1) n ON true
                HAVING count(n.id) = count(*)) s
            LEFT JOIN LATERAL (SELECT e.id FROM waxwing.log_entry e
                WHERE e.log = $1 AND e.owner = {OWNER} AND e.id = s.id AND {archived} AND {by_address} LIMIT 1) f ON true
            WHERE l.hits < $6 AND l.leaps < $7)
        SELECT place, hit, archived, EXISTS (SELECT FROM waxwing.log_undelivered u
                WHERE u.log = $1 AND u.owner = {OWNER} AND u.id = f.hit),
            CASE WHEN bytes_before < $8 THEN payload END, hits >= $6 OR leaps >= $7
        FROM (SELECT l.*, e.archived, e.payload, coalesce(sum(octet_length(e.payload))
                OVER (ORDER BY l.leaps ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
            FROM leap l LEFT JOIN LATERAL (SELECT * FROM waxwing.log_entry e
                WHERE e.log = $1 AND e.owner = {OWNER} AND e.id = l.hit LIMIT 1) e ON true
            WHERE l.hit IS NOT NULL OR l.leaps >= $7) f
        ORDER BY leaps"
    )
}

/// Finds entries by their text. At first as many are brought here as have room in the page, then twice as many each time.
pub(super) async fn by_text(
    client: &impl Ask,
    log: i64,
    shape: &Shape,
    query: &PageOf,
) -> Result<RawPage, Fault> {
    let wanted = &query.page;
    let mut found = RawPage::default();
    if !wanted.has_words() {
        return Ok(found);
    }
    let words = asked(log, wanted);
    let reach = match words.is_empty() {
        true => None,
        false => reach(client, log, query).await?,
    };
    let mut some = wanted.clone();
    let (mut left, mut bytes) = (PAGE_STEP_TEXTS_MAX, 0);
    some.limit = wanted.limit.max(TEXTS_AT_ONCE);
    loop {
        some.limit = some.limit.min(left);
        let part = part(&some, reach);
        let (looked, count) = match part.by {
            By::Index => by_words(client, log, &words, query, &part.page).await?,
            By::Entry => waiting(client, log, query, &part.page).await?,
            By::Page => {
                let looked = within(client, log, &query.owner, &part.page).await?;
                let count = looked.entries.len();
                (looked, count)
            }
        };
        left = left.saturating_sub(count);
        bytes += looked
            .entries
            .iter()
            .map(|one| one.payload.len())
            .sum::<usize>();
        // There is more, and not for lack of room: that was looked for far enough.
        let is_far = looked.next.is_some() && count < some.limit;
        found.next = looked.next.or(part.edge);
        if !sift(looked.entries, shape, wanted, &mut found) {
            return Ok(found);
        }
        let Some(next) = found.next else {
            return Ok(found);
        };
        if left == 0 || is_far || bytes >= PAGE_BYTES_MAX {
            return Ok(found);
        }
        some.limit = some.limit.saturating_mul(2);
        some = match wanted.direction {
            Direction::Forward => some.after(next),
            Direction::Backward => some.before(next),
        };
    }
}

/// The words that the index is asked for: it knows none by their beginnings. What is undelivered is little, and has an
/// index of its own.
fn asked(log: i64, page: &Page) -> Vec<i64> {
    if page.marks.contains(Marks::UNDELIVERED) {
        return Vec::new();
    }
    let sought = page.text.iter().flatten();
    let whole = sought.filter(|one| !one.is_beginning);
    let words = whole.map(|one| word_number(log, &one.word));
    words.take(ASKED_WORDS_MAX).collect()
}

async fn reach(client: &impl Ask, log: i64, query: &PageOf) -> Result<Option<LogId>, Fault> {
    let rows = client.rows(REACH, &[&log, &query.owner.as_bytes()]).await?;
    let id = rows.first().map(|row| row.try_get(0)).transpose()?;
    Ok(id.map(log_id))
}

/// What of a page is looked at next, and how.
struct Part {
    page: Page,
    by: By,
    /// Where the other part of it begins, as the id to go on after.
    edge: Option<LogId>,
}

/// How entries are found.
#[derive(Clone, Copy)]
enum By {
    /// By the index.
    Index,
    /// One by one, beyond what the index has.
    Entry,
    /// As a page without a text is: the index does not serve.
    Page,
}

fn part(page: &Page, reach: Option<LogId>) -> Part {
    let all = |by| Part {
        page: page.clone(),
        by,
        edge: None,
    };
    let Some(reach) = reach else {
        return all(By::Page);
    };
    if page.first > reach {
        return all(By::Entry);
    }
    if page.last <= reach {
        return all(By::Index);
    }
    let beyond = LogId(reach.0.saturating_add(1));
    match page.direction {
        Direction::Forward => Part {
            page: page.clone().to(reach),
            by: By::Index,
            edge: Some(reach),
        },
        Direction::Backward => Part {
            page: page.clone().from(beyond),
            by: By::Entry,
            edge: Some(beyond),
        },
    }
}

/// A page of what has some words, as far as the index knows, and how many entries there are in it.
async fn by_words(
    client: &impl Ask,
    log: i64,
    words: &[i64],
    query: &PageOf,
    page: &Page,
) -> Result<(RawPage, usize), Fault> {
    let Some(ids) = page.ids() else {
        return Ok((RawPage::default(), 0));
    };
    let (first, last) = (sql_id(*ids.start()), sql_id(*ids.end()));
    let leaps = PAGE_STEP_SEEKS_MAX / words.len().max(1);
    let (limit, leaps, bytes_max) = (
        sql_limit(page.limit),
        sql_limit(leaps),
        sql_limit(PAGE_BYTES_MAX),
    );
    let address = page.address.as_deref().map(str::as_bytes);
    let number = address_number(page.address.as_deref());
    let owner = query.owner.as_bytes();
    let given: Given<'_> = &[
        &log, &owner, &first, &last, &words, &limit, &leaps, &bytes_max, &number, &address,
    ];
    let found = read(&client.rows(&sql(page), given).await?, page.direction)?;
    let count = found.entries.len();
    Ok((found, count))
}

/// What the index has not reached, each entry in its order; and how many were looked at.
async fn waiting(
    client: &impl Ask,
    log: i64,
    query: &PageOf,
    page: &Page,
) -> Result<(RawPage, usize), Fault> {
    let Some(ids) = page.ids() else {
        return Ok((RawPage::default(), 0));
    };
    let order = match page.direction {
        Direction::Forward => "",
        Direction::Backward => "DESC",
    };
    let sql = format!(
        "SELECT id, archived, EXISTS (SELECT FROM waxwing.log_undelivered u
                WHERE u.log = $1 AND u.owner = {OWNER} AND u.id = f.id),
            bytes_before < $6, CASE WHEN bytes_before < $6 AND fits THEN payload END
        FROM (SELECT e.id, e.archived, e.payload, (e.archived OR NOT $7) AND
                ($9::bytea IS NULL OR e.address_number = $8 AND e.address = $9) AS fits,
                coalesce(sum(octet_length(e.payload)) OVER (ORDER BY e.id {order}
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
            FROM waxwing.log_entry e WHERE e.log = $1 AND e.owner = {OWNER} AND e.id BETWEEN $3 AND $4
            ORDER BY e.id {order} LIMIT $5) f
        ORDER BY id {order}"
    );
    let (first, last) = (sql_id(*ids.start()), sql_id(*ids.end()));
    let (limit, bytes_max) = (sql_limit(page.limit), sql_limit(PAGE_BYTES_MAX));
    let is_archived = page.marks.contains(Marks::ARCHIVED);
    let address = page.address.as_deref().map(str::as_bytes);
    let number = address_number(page.address.as_deref());
    let owner = query.owner.as_bytes();
    let given: Given<'_> = &[
        &log,
        &owner,
        &first,
        &last,
        &limit,
        &bytes_max,
        &is_archived,
        &number,
        &address,
    ];
    let rows = client.rows(&sql, given).await?;
    let mut found = RawPage::default();
    for row in &rows {
        let id = log_id(row.try_get(0)?);
        if !row.try_get::<_, bool>(3)? {
            found.next = Some(beside(page.direction, id));
            break;
        }
        if row.try_get::<_, Option<&[u8]>>(4)?.is_some() {
            found.entries.push(RawEntry {
                id,
                marks: marks(row.try_get(1)?, row.try_get(2)?),
                payload: bytes(row, 4)?,
            });
        }
        if rows.len() == page.limit {
            found.next = Some(id);
        }
    }
    Ok((found, rows.len()))
}

/// Entries up to the first one without a payload, or to where it was looked far enough.
fn read(rows: &[Row], direction: Direction) -> Result<RawPage, Fault> {
    let mut found = RawPage::default();
    for row in rows {
        if let Some(hit) = row.try_get::<_, Option<i64>>(1)? {
            if row.try_get::<_, Option<&[u8]>>(4)?.is_none() {
                found.next = Some(beside(direction, log_id(hit)));
                break;
            }
            found.entries.push(RawEntry {
                id: log_id(hit),
                marks: marks(row.try_get(2)?, row.try_get(3)?),
                payload: bytes(row, 4)?,
            });
        }
        if row.try_get(5)? {
            let place: i64 = row.try_get(0)?;
            found.next = Some(match direction {
                Direction::Forward => log_id(place - 1),
                Direction::Backward => log_id(place + 1),
            });
        }
    }
    Ok(found)
}

/// Puts what has the text that is sought onto a page; whether there was room for all of it.
fn sift(entries: Vec<RawEntry>, shape: &Shape, wanted: &Page, found: &mut RawPage) -> bool {
    let mut last = None;
    for entry in entries {
        let id = entry.id;
        if wanted.fits_text(shape, &entry.payload) {
            if found.entries.len() == wanted.limit {
                // Where it is the first one, all before it were looked at.
                found.next = last.or_else(|| Some(beside(wanted.direction, id)));
                return false;
            }
            found.entries.push(entry);
        }
        last = Some(id);
    }
    true
}

/// The id from which on the next one of all is this.
fn beside(direction: Direction, id: LogId) -> LogId {
    match direction {
        Direction::Forward => LogId(id.0.saturating_sub(1)),
        Direction::Backward => LogId(id.0.saturating_add(1)),
    }
}
