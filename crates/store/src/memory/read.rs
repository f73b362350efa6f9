//! Questions to the double.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::apply::shape;
use super::state::{State, StoredEntry, StoredRow};
use crate::backend::{
    Count, CountEntries, Find, FoundRow, Get, IdOf, Owners, PageOf, Query, RawEntry, RawPage,
    RawRow, Scan,
};
use crate::error::StoreError;
use crate::key::ByteRange;
use crate::limits::PAGE_BYTES_MAX;
use crate::log::{Direction, LogId, Page};
use crate::owner::Owner;
use crate::reply::Reply;
use crate::shape::{Shape, ShapeKind};

type Shapes = BTreeMap<&'static str, Shape>;

/// An answer that has been found, and is still to be given.
pub(super) type Late = Box<dyn FnOnce() + Send>;

/// Finds the answer to a question in `state`.
pub(super) fn answer(state: &State, shapes: &Shapes, query: Query) -> Late {
    match query {
        Query::Get(query, reply) => late(reply, get(state, shapes, &query)),
        Query::Scan(query, reply) => late(reply, scan(state, shapes, &query)),
        Query::Find(query, reply) => late(reply, find(state, shapes, query)),
        Query::Count(query, reply) => late(reply, count(state, shapes, &query)),
        Query::Owners(query, reply) => late(reply, owners(state, shapes, query)),
        Query::Page(query, reply) => late(reply, page(state, shapes, &query)),
        Query::CountEntries(query, reply) => late(reply, count_entries(state, shapes, &query)),
        Query::IdOf(query, reply) => late(reply, id_of(state, shapes, &query)),
        Query::LastLogId(reply) => late(reply, Ok(state.last_log_id)),
    }
}

fn late<T: Send + 'static>(reply: Reply<T>, answer: Result<T, StoreError>) -> Late {
    Box::new(move || reply.send(answer))
}

/// The rows of a range, expired or not.
pub(super) fn rows_in<'a>(
    state: &'a State,
    shape: &str,
    owner: &Owner,
    range: &ByteRange,
) -> impl DoubleEndedIterator<Item = (&'a Vec<u8>, &'a StoredRow)> {
    let rows = state.tables.get(shape).and_then(|owners| owners.get(owner));
    let end = range.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
    let bounds = (Bound::Included(range.start.clone()), end);
    rows.filter(|_| !range.is_empty())
        .into_iter()
        .flat_map(move |rows| rows.range(bounds.clone()))
}

fn get(state: &State, shapes: &Shapes, query: &Get) -> Result<Option<Bytes>, StoreError> {
    shape(shapes, query.shape, ShapeKind::Table)?;
    let row = state.row(query.shape, &query.owner, &query.key);
    Ok(row
        .filter(|row| row.is_live(query.now_micros))
        .map(|row| row.value.clone()))
}

fn scan(state: &State, shapes: &Shapes, query: &Scan) -> Result<Vec<RawRow>, StoreError> {
    shape(shapes, query.shape, ShapeKind::Table)?;
    let rows = rows_in(state, query.shape, &query.owner, &query.range)
        .filter(|(_, row)| row.is_live(query.now_micros))
        .map(|(key, row)| RawRow {
            key: key.clone(),
            value: row.value.to_vec(),
        });
    Ok(match query.direction {
        Direction::Forward => rows.take(query.limit).collect(),
        Direction::Backward => rows.rev().take(query.limit).collect(),
    })
}

fn find(state: &State, shapes: &Shapes, query: Find) -> Result<Vec<FoundRow>, StoreError> {
    let declared = shape(shapes, query.shape, ShapeKind::Table)?;
    if !declared
        .indexes
        .iter()
        .any(|index| index.name == query.index)
    {
        return Err(StoreError::UnknownIndex {
            shape: query.shape,
            index: query.index,
        });
    }
    let places = state.places_from(query.shape, query.index, &query.range.start);
    let found = places
        .skip_while(|place| query.after.as_ref().is_some_and(|after| *place <= after))
        .take_while(|place| {
            query
                .range
                .end
                .as_ref()
                .is_none_or(|end| place.index_key < *end)
        })
        .filter_map(|place| {
            let row = state.row(query.shape, &place.owner, &place.key)?;
            let live = row.is_live(query.now_micros);
            live.then(|| FoundRow {
                place: place.clone(),
                value: row.value.to_vec(),
            })
        });
    Ok(found.take(query.limit).collect())
}

fn count(state: &State, shapes: &Shapes, query: &Count) -> Result<u64, StoreError> {
    shape(shapes, query.shape, ShapeKind::Table)?;
    let rows = rows_in(state, query.shape, &query.owner, &query.range);
    Ok(rows
        .filter(|(_, row)| row.is_live(query.now_micros))
        .count() as u64)
}

fn owners(state: &State, shapes: &Shapes, query: Owners) -> Result<Vec<Owner>, StoreError> {
    let declared = shapes
        .get(query.shape)
        .ok_or(StoreError::UnknownShape { shape: query.shape })?;
    let after = (
        query.after.map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded,
    );
    let tables = state.tables.get(declared.name).into_iter();
    let tables = tables
        .flat_map(|owners| owners.range(after.clone()))
        .map(|(owner, _)| owner);
    let logs = state.logs.get(declared.name).into_iter();
    let logs = logs
        .flat_map(|owners| owners.range(after.clone()))
        .map(|(owner, _)| owner);
    Ok(tables.chain(logs).take(query.limit).cloned().collect())
}

fn page(state: &State, shapes: &Shapes, query: &PageOf) -> Result<RawPage, StoreError> {
    let shape = shape(shapes, query.shape, ShapeKind::Log)?;
    let page = &query.page;
    let (Some(ids), Some(log)) = (page.ids(), state.log(query.shape, &query.owner)) else {
        return Ok(RawPage::default());
    };
    let entries = log
        .entries
        .range(ids)
        .filter(|(_, entry)| entry.marks.contains(page.marks));
    Ok(match page.direction {
        Direction::Forward => collect(shape, entries, page),
        Direction::Backward => collect(shape, entries.rev(), page),
    })
}

fn collect<'a>(
    shape: &Shape,
    entries: impl Iterator<Item = (&'a LogId, &'a StoredEntry)>,
    page: &Page,
) -> RawPage {
    let mut found = RawPage::default();
    let mut bytes = 0;
    let mut last = None;
    for (looked_at, (id, entry)) in entries.enumerate() {
        let fits = (page.address.is_none() || page.address == entry.address)
            && page.fits_text(shape, &entry.payload);
        let full = found.entries.len() == page.limit || bytes >= PAGE_BYTES_MAX;
        if looked_at == page.step_entries_max() || (fits && full) {
            found.next = last;
            break;
        }
        last = Some(*id);
        if fits {
            bytes += entry.payload.len();
            found.entries.push(RawEntry {
                id: *id,
                marks: entry.marks,
                payload: entry.payload.clone(),
            });
        }
    }
    found
}

fn count_entries(state: &State, shapes: &Shapes, query: &CountEntries) -> Result<u64, StoreError> {
    shape(shapes, query.shape, ShapeKind::Log)?;
    let log = state.log(query.shape, &query.owner);
    let entries = log.into_iter().flat_map(|log| log.entries.values());
    Ok(entries
        .filter(|entry| entry.marks.contains(query.marks))
        .count() as u64)
}

fn id_of(state: &State, shapes: &Shapes, query: &IdOf) -> Result<Option<LogId>, StoreError> {
    shape(shapes, query.shape, ShapeKind::Log)?;
    let log = state.log(query.shape, &query.owner);
    Ok(log.and_then(|log| log.uniques.get(&query.unique)).copied())
}
