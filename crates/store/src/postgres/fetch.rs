//! What a group of batches has to know of the database before it can be applied.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use futures_util::future::{join, try_join, try_join4};
use tokio_postgres::Error;

use super::key::form;
use super::session::Session;
use super::stage::{
    EntryAt, Found, FoundEntry, Holder, NumberedKey, RefAt, RowAt, StagedRow, UniqueAt,
};
use crate::log::Marks;
use crate::numbered::unpack;
use crate::owner::Owner;

pub(super) const OWNERS: &str = "SELECT name, id FROM waxwing.owner WHERE name = ANY($1)";
pub(super) const ROWS: &str = "SELECT w.n, r.value, r.expires, r.index_keys
    FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS w(shape, owner, key, n)
    JOIN waxwing.table_row r ON r.shape = w.shape AND r.owner = w.owner AND r.key = w.key";
pub(super) const HOLDERS: &str = "SELECT w.n, o.name, coalesce(i.long_row, i.row_key), i.owner
    FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS w(idx, key, n)
    JOIN waxwing.index_key i ON i.idx = w.idx AND i.key = w.key
    JOIN waxwing.owner o ON o.id = i.owner AND o.name IS NOT NULL";
pub(super) const ENTRIES: &str =
    "SELECT w.n, e.archived, u.id IS NOT NULL, coalesce(e.long_unique, e.unique_key)
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS w(log, owner, id, n)
    JOIN waxwing.log_entry e ON e.log = w.log AND e.owner = w.owner AND e.id = w.id
    LEFT JOIN waxwing.log_undelivered u ON u.log = w.log AND u.owner = w.owner AND u.id = w.id";
pub(super) const UNIQUES: &str = "SELECT w.n, e.id
    FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS w(log, owner, key, n)
    JOIN waxwing.log_entry e ON e.log = w.log AND e.owner = w.owner AND e.unique_key = w.key";
pub(super) const REFERENCES: &str = "SELECT w.n, r.count
    FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS w(owner, hash, n)
    JOIN waxwing.blob_ref r ON r.owner = w.owner AND r.hash = w.hash";

/// What is prepared for every connection that writes.
pub(super) const STATEMENTS: [&str; 6] = [OWNERS, ROWS, HOLDERS, ENTRIES, UNIQUES, REFERENCES];

/// What to look for.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) rows: HashSet<RowAt>,
    pub(super) holders: HashSet<NumberedKey>,
    pub(super) entries: HashSet<EntryAt>,
    pub(super) uniques: HashSet<UniqueAt>,
    pub(super) references: HashSet<RefAt>,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.holders.is_empty()
            && self.entries.is_empty()
            && self.uniques.is_empty()
            && self.references.is_empty()
    }
}

/// The numbers of owners.
pub(super) async fn owners(
    session: &Session,
    wanted: &BTreeSet<Owner>,
    found: &mut Found,
) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let names: Vec<&[u8]> = wanted.iter().map(Owner::as_bytes).collect();
    let rows = session.query(OWNERS, &[&names]).await?;
    found
        .owners
        .extend(wanted.iter().map(|owner| (owner.clone(), None)));
    for row in rows {
        if let Some(owner) = Owner::from_bytes(row.try_get(0)?) {
            found.owners.insert(owner, Some(row.try_get(1)?));
        }
    }
    Ok(())
}

/// Everything else, in one round trip.
pub(super) async fn all(session: &Session, wanted: Wanted, found: &mut Found) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let ((rows, holders, entries, uniques), references) = try_join(
        try_join4(
            rows(session, wanted.rows),
            holders(session, wanted.holders),
            entries(session, wanted.entries),
            uniques(session, wanted.uniques),
        ),
        references(session, wanted.references),
    )
    .await?;
    found.rows.extend(rows);
    found.holders.extend(holders);
    found.entries.extend(entries);
    found.uniques.extend(uniques);
    found.references.extend(references);
    Ok(())
}

/// Two things at once, the first of which the server hears first.
pub(super) async fn both<A, B>(
    first: impl Future<Output = Result<A, Error>>,
    second: impl Future<Output = Result<B, Error>>,
) -> Result<B, Error> {
    let (first, second) = join(first, second).await;
    first?;
    second
}

/// Answers by the place of their question, which counts from 1.
fn placed<K, V>(
    wanted: Vec<K>,
    answers: Vec<(i64, V)>,
    mut add: impl FnMut(&mut Vec<V>, V),
) -> impl Iterator<Item = (K, Vec<V>)> {
    let mut by_place: Vec<Vec<V>> = wanted.iter().map(|_| Vec::new()).collect();
    for (place, answer) in answers {
        let place = usize::try_from(place - 1).ok();
        if let Some(all) = place.and_then(|place| by_place.get_mut(place)) {
            add(all, answer);
        }
    }
    wanted.into_iter().zip(by_place)
}

/// At most one answer to each question.
fn single<K, V>(wanted: Vec<K>, answers: Vec<(i64, V)>) -> Vec<(K, Option<V>)> {
    placed(wanted, answers, Vec::push)
        .map(|(key, mut all)| (key, all.pop()))
        .collect()
}

async fn rows(
    session: &Session,
    wanted: HashSet<RowAt>,
) -> Result<Vec<(RowAt, Option<StagedRow>)>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<RowAt> = wanted.into_iter().collect();
    let shapes: Vec<i64> = wanted.iter().map(|at| at.0).collect();
    let owners: Vec<i64> = wanted.iter().map(|at| at.1).collect();
    let keys: Vec<_> = wanted.iter().map(|at| form(&at.2)).collect();
    let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
    let mut answers = Vec::new();
    for row in session.query(ROWS, &[&shapes, &owners, &keys]).await? {
        let index_keys: Option<&[u8]> = row.try_get(3)?;
        let found = StagedRow {
            value: row.try_get(1)?,
            expires: row.try_get(2)?,
            index_keys: index_keys.map(unpack).unwrap_or_default(),
        };
        answers.push((row.try_get(0)?, found));
    }
    Ok(single(wanted, answers))
}

async fn holders(
    session: &Session,
    wanted: HashSet<NumberedKey>,
) -> Result<Vec<(NumberedKey, Vec<Holder>)>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<NumberedKey> = wanted.into_iter().collect();
    let indexes: Vec<i64> = wanted.iter().map(|key| key.0).collect();
    let keys: Vec<_> = wanted.iter().map(|key| form(&key.1)).collect();
    let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
    let mut answers = Vec::new();
    for row in session.query(HOLDERS, &[&indexes, &keys]).await? {
        let holder = Holder {
            owner_name: row.try_get(1)?,
            row_key: row.try_get(2)?,
            owner: row.try_get(3)?,
        };
        answers.push((row.try_get(0)?, holder));
    }
    Ok(placed(wanted, answers, Vec::push).collect())
}

async fn entries(
    session: &Session,
    wanted: HashSet<EntryAt>,
) -> Result<Vec<(EntryAt, Option<FoundEntry>)>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<EntryAt> = wanted.into_iter().collect();
    let logs: Vec<i64> = wanted.iter().map(|at| at.0).collect();
    let owners: Vec<i64> = wanted.iter().map(|at| at.1).collect();
    let ids: Vec<i64> = wanted.iter().map(|at| at.2).collect();
    let mut answers = Vec::new();
    for row in session.query(ENTRIES, &[&logs, &owners, &ids]).await? {
        let found = FoundEntry {
            marks: marks(row.try_get(1)?, row.try_get(2)?),
            unique: row.try_get(3)?,
        };
        answers.push((row.try_get(0)?, found));
    }
    Ok(single(wanted, answers))
}

async fn uniques(
    session: &Session,
    wanted: HashSet<UniqueAt>,
) -> Result<Vec<(UniqueAt, Option<i64>)>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<UniqueAt> = wanted.into_iter().collect();
    let logs: Vec<i64> = wanted.iter().map(|at| at.0).collect();
    let owners: Vec<i64> = wanted.iter().map(|at| at.1).collect();
    let keys: Vec<_> = wanted.iter().map(|at| form(&at.2)).collect();
    let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
    let mut answers = Vec::new();
    for row in session.query(UNIQUES, &[&logs, &owners, &keys]).await? {
        answers.push((row.try_get(0)?, row.try_get(1)?));
    }
    Ok(single(wanted, answers))
}

async fn references(session: &Session, wanted: HashSet<RefAt>) -> Result<Vec<(RefAt, i64)>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<RefAt> = wanted.into_iter().collect();
    let owners: Vec<i64> = wanted.iter().map(|at| at.0).collect();
    let hashes: Vec<&[u8]> = wanted.iter().map(|at| at.1.as_slice()).collect();
    let mut answers = Vec::new();
    for row in session.query(REFERENCES, &[&owners, &hashes]).await? {
        answers.push((row.try_get(0)?, row.try_get(1)?));
    }
    let found = single(wanted, answers).into_iter();
    Ok(found.map(|(at, count)| (at, count.unwrap_or(0))).collect())
}

/// The marks of an entry from how they are stored.
pub(super) fn marks(archived: bool, undelivered: bool) -> Marks {
    let mark = |set, mark| if set { mark } else { Marks::NONE };
    mark(archived, Marks::ARCHIVED) | mark(undelivered, Marks::UNDELIVERED)
}

/// Bytes of a column.
pub(super) fn bytes(row: &tokio_postgres::Row, column: usize) -> Result<Bytes, Error> {
    Ok(Bytes::from(row.try_get::<_, Vec<u8>>(column)?))
}
