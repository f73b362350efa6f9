//! Batches on the stage: what is changed over ranges, of which nobody knows beforehand what is in them.

use std::collections::HashMap;
use std::ops::{Bound, RangeInclusive};

use tokio_postgres::Row;

use super::apply::{Apply, merged};
use super::fault::{Fault, damaged};
use super::fetch::marks;
use super::key::{is_long, lower};
use super::read::{sql_id, sql_limit};
use super::stage::{FoundEntry, RowAt, StagedEntry, StagedRow};
use crate::key::ByteRange;
use crate::log::{LogId, Marks};
use crate::numbered::{Numbered, unpack};
use crate::owner::Owner;

const RANGE: &str = "SELECT coalesce(long_key, key), value, expires, index_keys, long_key IS NOT NULL
    FROM waxwing.table_row WHERE shape = $1 AND owner = $2 AND key >= $3 AND key < $4 ORDER BY key LIMIT $5";
const RANGE_ON: &str = "SELECT coalesce(long_key, key), value, expires, index_keys, long_key IS NOT NULL
    FROM waxwing.table_row WHERE shape = $1 AND owner = $2 AND key >= $3 AND $4::bytea IS NULL ORDER BY key LIMIT $5";
/// Where long keys are among them: those do not stand in order.
const RANGE_SORTED: &str = "SELECT coalesce(long_key, key), value, expires, index_keys, false
    FROM waxwing.table_row WHERE shape = $1 AND owner = $2 AND key >= $3 AND coalesce(long_key, key) >= $6
    AND ($4::bytea IS NULL OR coalesce(long_key, key) < $4) ORDER BY coalesce(long_key, key) LIMIT $5";
const ENTRIES: &str =
    "SELECT e.id, e.archived, u.id IS NOT NULL, coalesce(e.long_unique, e.unique_key)
    FROM waxwing.log_entry e
    LEFT JOIN LATERAL (SELECT id FROM waxwing.log_undelivered
        WHERE log = $1 AND owner = $2 AND id = e.id LIMIT 1) u ON true
    WHERE e.log = $1 AND e.owner = $2 AND e.id BETWEEN $3 AND $4
    AND ($5 OR $6 AND e.archived OR $7 AND u.id IS NOT NULL) ORDER BY e.id LIMIT $8";
const UNDELIVERED: &str = "SELECT u.id, e.archived, true, coalesce(e.long_unique, e.unique_key)
    FROM waxwing.log_undelivered u
    CROSS JOIN LATERAL (SELECT * FROM waxwing.log_entry WHERE log = $1 AND owner = $2 AND id = u.id LIMIT 1) e
    WHERE u.log = $1 AND u.owner = $2 AND u.id BETWEEN $3 AND $4 ORDER BY u.id LIMIT $5";
const EXPIRED: &str =
    "SELECT r.shape, r.owner, coalesce(r.long_key, r.key), r.value, r.expires, r.index_keys, o.name
    FROM waxwing.table_row r JOIN waxwing.owner o ON o.id = r.owner AND o.name IS NOT NULL
    WHERE r.expires <= $1 ORDER BY r.expires LIMIT $2";

/// Which entries of a range are meant.
#[derive(Clone, Copy)]
enum Having {
    Any,
    /// Those that have one of these marks.
    Some(Marks),
}

impl Having {
    fn fits(self, marks: Marks) -> bool {
        match self {
            Self::Any => true,
            Self::Some(wanted) => marks.without(wanted) != marks,
        }
    }
}

/// The row that starts at a column.
fn row_from(row: &Row, first: usize) -> Result<StagedRow, tokio_postgres::Error> {
    let index_keys: Option<&[u8]> = row.try_get(first + 2)?;
    Ok(StagedRow {
        value: row.try_get(first)?,
        expires: row.try_get(first + 1)?,
        index_keys: index_keys.map(unpack).unwrap_or_default(),
    })
}

impl Apply<'_> {
    pub(super) async fn delete_range(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        range: &ByteRange,
        limit: usize,
    ) -> Result<u64, Fault> {
        let shapes = self.shapes;
        let shape = shapes.table(shape)?;
        let Some(number) = self.known_owner(owner).await? else {
            return Ok(0);
        };
        if range.is_empty() {
            return Ok(0);
        }
        let staged = self.staged_in(shape, number, range);
        let found = if self.stage.is_born(number) {
            Vec::new()
        } else {
            self.rows_in(shape, number, range, limit + staged.len())
                .await?
        };
        let keys = merged(
            found.iter().map(|(key, _)| (key.clone(), ())),
            staged.into_iter(),
            limit,
        );
        for (key, row) in found {
            let found = &mut self.stage.found.rows;
            found.insert((shape.id, number, key), Some(row));
        }
        let count = keys.len() as u64;
        for (key, ()) in keys {
            self.set_row(shape, owner, (shape.id, number, key), None)
                .await?;
        }
        Ok(count)
    }

    /// What is staged in a range: whether it is there.
    fn staged_in(
        &self,
        shape: &Numbered,
        owner: i64,
        range: &ByteRange,
    ) -> Vec<(Vec<u8>, Option<()>)> {
        let start = Bound::Included((shape.id, owner, range.start.clone()));
        let end = match &range.end {
            Some(end) => Bound::Excluded((shape.id, owner, end.clone())),
            None => Bound::Excluded((shape.id, owner + 1, Vec::new())),
        };
        let staged = self.stage.rows.range((start, end));
        staged
            .map(|(at, row)| (at.2.clone(), row.as_ref().map(|_| ())))
            .collect()
    }

    /// The first rows that the database has in a range.
    async fn rows_in(
        &self,
        shape: &Numbered,
        owner: i64,
        range: &ByteRange,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, StagedRow)>, Fault> {
        let (start, end) = (&range.start, &range.end);
        let limit = sql_limit(limit);
        let mut sorted = is_long(start) || end.as_ref().is_some_and(|end| is_long(end));
        let mut rows = Vec::new();
        if !sorted {
            let sql = if end.is_some() { RANGE } else { RANGE_ON };
            rows = self
                .session
                .query(sql, &[&shape.id, &owner, start, end, &limit])
                .await?;
            for row in &rows {
                sorted |= row.try_get::<_, bool>(4)?;
            }
        }
        if sorted {
            let from = lower(start);
            rows = self
                .session
                .query(
                    RANGE_SORTED,
                    &[&shape.id, &owner, &from, end, &limit, start],
                )
                .await?;
        }
        let rows = rows.iter();
        Ok(rows
            .map(|row| Ok((row.try_get(0)?, row_from(row, 1)?)))
            .collect::<Result<_, tokio_postgres::Error>>()?)
    }

    pub(super) async fn purge_expired(&mut self, now: i64, limit: usize) -> Result<u64, Fault> {
        let shapes = self.shapes;
        let more = sql_limit(limit + self.stage.rows.len());
        let mut due: Vec<(i64, RowAt, Owner)> = Vec::new();
        for row in self.session.query(EXPIRED, &[&now, &more]).await? {
            let at = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let owner = Owner::from_bytes(row.try_get(6)?);
            let owner = owner.ok_or_else(|| Fault::Failed(damaged()))?;
            if self.stage.rows.get(&at).is_some() || self.stage.dead.get(&at.1).is_some() {
                continue;
            }
            due.push((row.try_get(4)?, at.clone(), owner));
            self.stage.found.rows.insert(at, Some(row_from(&row, 3)?));
        }
        due.extend(self.staged_expired(now));
        due.sort();
        due.truncate(limit);
        let count = due.len() as u64;
        for (_, at, owner) in due {
            let shape = shapes.0.values().find(|shape| shape.id == at.0);
            // Every stored shape is declared, or the store would not be open.
            let shape = shape.ok_or_else(|| Fault::Failed(damaged()))?;
            self.set_row(shape, &owner, at, None).await?;
        }
        Ok(count)
    }

    /// The staged rows of owners that are there, which have expired.
    fn staged_expired(&self, now: i64) -> Vec<(i64, RowAt, Owner)> {
        let rows = self.stage.rows.iter().filter_map(|(at, row)| {
            let expires = row.as_ref()?.expires.filter(|expires| *expires <= now)?;
            self.stage
                .dead
                .get(&at.1)
                .is_none()
                .then_some((expires, at))
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let found = self.stage.found.owners.iter();
        let found = found.filter_map(|(owner, number)| Some(((*number)?, owner)));
        let known = self.known.iter().map(|(owner, number)| (*number, owner));
        let born = self
            .stage
            .born
            .iter()
            .map(|(number, owner)| (*number, owner));
        let names: HashMap<i64, &Owner> = found.chain(known).chain(born).collect();
        rows.into_iter()
            .filter_map(|(expires, at)| {
                let owner = names.get(&at.1)?;
                Some((expires, at.clone(), Owner::clone(owner)))
            })
            .collect()
    }

    pub(super) async fn clear_marks_in(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        ids: &RangeInclusive<LogId>,
        marks: Marks,
        limit: usize,
    ) -> Result<u64, Fault> {
        let log = self.shapes.log(shape)?;
        let Some(owner) = self.known_owner(owner).await? else {
            return Ok(0);
        };
        let ids = self
            .entries_in(log, owner, ids, Having::Some(marks), limit)
            .await?;
        for id in &ids {
            self.clear((log, owner, *id), marks).await?;
        }
        Ok(ids.len() as u64)
    }

    pub(super) async fn delete_entries(
        &mut self,
        shape: &'static str,
        owner: &Owner,
        ids: &RangeInclusive<LogId>,
        limit: usize,
    ) -> Result<u64, Fault> {
        let log = self.shapes.log(shape)?;
        let Some(owner) = self.known_owner(owner).await? else {
            return Ok(0);
        };
        let ids = self.entries_in(log, owner, ids, Having::Any, limit).await?;
        for id in &ids {
            self.remove_entry((log, owner, *id)).await?;
        }
        Ok(ids.len() as u64)
    }

    /// The first ids of a range whose entries fit.
    async fn entries_in(
        &mut self,
        log: i64,
        owner: i64,
        ids: &RangeInclusive<LogId>,
        having: Having,
        limit: usize,
    ) -> Result<Vec<i64>, Fault> {
        let (first, last) = (sql_id(*ids.start()), sql_id(*ids.end()));
        if first > last {
            return Ok(Vec::new());
        }
        let staged: Vec<(i64, Option<()>)> = self
            .stage
            .entries
            .range((log, owner, first)..=(log, owner, last))
            .map(|(at, entry)| (at.2, fitting(entry.as_ref(), having)))
            .collect();
        let mut found = Vec::new();
        if !self.stage.is_born(owner) {
            let more = sql_limit(limit + staged.len());
            let rows = if let Having::Some(Marks::UNDELIVERED) = having {
                self.session
                    .query(UNDELIVERED, &[&log, &owner, &first, &last, &more])
                    .await?
            } else {
                let (any, archived, undelivered) = match having {
                    Having::Any => (true, false, false),
                    Having::Some(marks) => (
                        false,
                        marks.contains(Marks::ARCHIVED),
                        marks.contains(Marks::UNDELIVERED),
                    ),
                };
                self.session
                    .query(
                        ENTRIES,
                        &[
                            &log,
                            &owner,
                            &first,
                            &last,
                            &any,
                            &archived,
                            &undelivered,
                            &more,
                        ],
                    )
                    .await?
            };
            for row in rows {
                let id: i64 = row.try_get(0)?;
                let entry = FoundEntry {
                    marks: marks(row.try_get(1)?, row.try_get(2)?),
                    unique: row.try_get(3)?,
                };
                self.stage
                    .found
                    .entries
                    .insert((log, owner, id), Some(entry));
                found.push((id, ()));
            }
        }
        let all = merged(found.into_iter(), staged.into_iter(), limit);
        Ok(all.into_iter().map(|(id, ())| id).collect())
    }
}

fn fitting(entry: Option<&StagedEntry>, having: Having) -> Option<()> {
    let entry = entry?;
    having.fits(entry.marks).then_some(())
}
