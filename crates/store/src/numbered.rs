//! The declared shapes with the numbers by which a database knows them.

use std::collections::BTreeMap;

use crate::error::{OpenError, StoreError};
use crate::shape::{Shape, ShapeKind};

/// A declared shape with its number.
pub(crate) struct Numbered {
    pub(crate) id: i64,
    pub(crate) shape: Shape,
    pub(crate) indexes: Vec<NumberedIndex>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct NumberedIndex {
    pub(crate) id: i64,
    pub(crate) name: &'static str,
    pub(crate) unique: bool,
}

impl Numbered {
    pub(crate) fn index(&self, name: &'static str) -> Result<&NumberedIndex, StoreError> {
        let found = self.indexes.iter().find(|index| index.name == name);
        found.ok_or(StoreError::UnknownIndex {
            shape: self.shape.name,
            index: name,
        })
    }

    pub(crate) fn is_unique(&self) -> bool {
        self.indexes.iter().any(|index| index.unique)
    }
}

/// All declared shapes, by name.
#[derive(Default)]
pub(crate) struct Shapes(pub(crate) BTreeMap<&'static str, Numbered>);

impl Shapes {
    pub(crate) fn any(&self, name: &'static str) -> Result<&Numbered, StoreError> {
        self.0
            .get(name)
            .ok_or(StoreError::UnknownShape { shape: name })
    }

    pub(crate) fn table(&self, name: &'static str) -> Result<&Numbered, StoreError> {
        self.of_kind(name, ShapeKind::Table)
    }

    /// The number of a log.
    pub(crate) fn log(&self, name: &'static str) -> Result<i64, StoreError> {
        self.of_kind(name, ShapeKind::Log).map(|shape| shape.id)
    }

    pub(crate) fn of_kind(
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
pub(crate) struct Stored {
    pub(crate) id: i64,
    pub(crate) kind: i64,
    pub(crate) version: u32,
    /// Number, name and whether it is unique.
    pub(crate) indexes: Vec<(i64, String, bool)>,
}

pub(crate) fn kind_number(kind: ShapeKind) -> i64 {
    match kind {
        ShapeKind::Table => 0,
        ShapeKind::Log => 1,
    }
}

/// Index keys as a row keeps them: for each its index's number and its length, both in four bytes, and itself.
pub(crate) fn pack(keys: &[(i64, Vec<u8>)]) -> Option<Vec<u8>> {
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
pub(crate) fn unpack(mut bytes: &[u8]) -> Vec<(i64, Vec<u8>)> {
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

/// Refuses what no migration can bring to what is declared.
pub(crate) fn check(
    stored: &BTreeMap<String, Stored>,
    declared: &BTreeMap<&'static str, Shape>,
) -> Result<(), OpenError> {
    for (name, stored) in stored {
        let Some(shape) = declared.get(name.as_str()) else {
            return Err(OpenError::UnknownShape(name.clone()));
        };
        if stored.kind != kind_number(shape.kind) {
            return Err(OpenError::OtherKind(shape.name));
        }
        shape.steps_from(stored.version)?;
    }
    Ok(())
}

/// Whether there is nothing to bring to what is declared.
pub(crate) fn is_same(shape: &Shape, stored: &Stored) -> bool {
    stored.version == shape.version && same(shape, stored).is_some()
}

/// The stored numbers, where the declared indexes are those that are stored.
pub(crate) fn same(shape: &Shape, stored: &Stored) -> Option<Numbered> {
    if shape.indexes.len() != stored.indexes.len() {
        return None;
    }
    let indexes = shape.indexes.iter().map(|index| {
        let (id, ..) = stored
            .indexes
            .iter()
            .find(|(_, name, unique)| name == index.name && *unique == index.unique)?;
        Some(NumberedIndex {
            id: *id,
            name: index.name,
            unique: index.unique,
        })
    });
    Some(Numbered {
        id: stored.id,
        shape: shape.clone(),
        indexes: indexes.collect::<Option<_>>()?,
    })
}
