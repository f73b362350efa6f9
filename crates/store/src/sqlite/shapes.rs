//! The shapes as they are stored: declared names with numbers.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::error::StoreError;
use crate::shape::{Shape, ShapeKind};

/// A declared shape with its number.
pub(super) struct Numbered {
    pub(super) id: i64,
    pub(super) shape: Shape,
    pub(super) indexes: Vec<NumberedIndex>,
}

#[derive(Clone, PartialEq)]
pub(super) struct NumberedIndex {
    pub(super) id: i64,
    pub(super) name: &'static str,
    pub(super) unique: bool,
}

impl Numbered {
    pub(super) fn index(&self, name: &'static str) -> Result<&NumberedIndex, StoreError> {
        let found = self.indexes.iter().find(|index| index.name == name);
        found.ok_or(StoreError::UnknownIndex {
            shape: self.shape.name,
            index: name,
        })
    }

    pub(super) fn is_unique(&self) -> bool {
        self.indexes.iter().any(|index| index.unique)
    }
}

/// All declared shapes, by name.
#[derive(Default)]
pub(super) struct Shapes(pub(super) BTreeMap<&'static str, Numbered>);

impl Shapes {
    pub(super) fn any(&self, name: &'static str) -> Result<&Numbered, StoreError> {
        self.0
            .get(name)
            .ok_or(StoreError::UnknownShape { shape: name })
    }

    pub(super) fn table(&self, name: &'static str) -> Result<&Numbered, StoreError> {
        self.of_kind(name, ShapeKind::Table)
    }

    /// The number of a log.
    pub(super) fn log(&self, name: &'static str) -> Result<i64, StoreError> {
        self.of_kind(name, ShapeKind::Log).map(|shape| shape.id)
    }

    pub(super) fn of_kind(
        &self,
        name: &'static str,
        kind: ShapeKind,
    ) -> Result<&Numbered, StoreError> {
        let found = self
            .0
            .get(name)
            .filter(|numbered| numbered.shape.kind == kind);
        found.ok_or(StoreError::UnknownShape { shape: name })
    }
}

/// A stored shape, whether or not it is declared.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) kind: i64,
    pub(super) version: u32,
    /// Number, name and whether it is unique.
    pub(super) indexes: Vec<(i64, String, bool)>,
}

pub(super) fn kind_number(kind: ShapeKind) -> i64 {
    match kind {
        ShapeKind::Table => 0,
        ShapeKind::Log => 1,
    }
}

/// The stored shapes, by name.
pub(super) fn stored(db: &Connection) -> rusqlite::Result<BTreeMap<String, Stored>> {
    let mut shapes = db.prepare("SELECT name, id, kind, version FROM shape")?;
    let mut indexes =
        db.prepare("SELECT id, name, is_unique FROM shape_index WHERE shape = ? ORDER BY id")?;
    let mut all = BTreeMap::new();
    let mut rows = shapes.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get(1)?;
        let indexes = indexes.query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let indexes = indexes.collect::<rusqlite::Result<_>>()?;
        let stored = Stored {
            id,
            kind: row.get(2)?,
            version: row.get(3)?,
            indexes,
        };
        all.insert(row.get(0)?, stored);
    }
    Ok(all)
}

/// Index keys as a row keeps them: for each its index's number and its length, both in four bytes, and itself.
pub(super) fn pack(keys: &[(i64, Vec<u8>)]) -> Option<Vec<u8>> {
    if keys.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    for (index, key) in keys {
        // Both are far smaller: indexes are counted from 1, and a key has a limit.
        out.extend_from_slice(&(*index as u32).to_be_bytes());
        out.extend_from_slice(&(key.len() as u32).to_be_bytes());
        out.extend_from_slice(key);
    }
    Some(out)
}

/// What [`pack`] packed; what is damaged ends the list.
pub(super) fn unpack(mut bytes: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let mut keys = Vec::new();
    while let Some((index, rest)) = bytes.split_first_chunk::<4>()
        && let Some((length, rest)) = rest.split_first_chunk::<4>()
        && let Some((key, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)
    {
        keys.push((i64::from(u32::from_be_bytes(*index)), key.to_vec()));
        bytes = rest;
    }
    keys
}
