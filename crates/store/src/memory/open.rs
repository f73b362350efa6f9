//! Opening the double: what a database does when shapes have changed.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::state::{State, StoredEntry, StoredRow, StoredShape};
use crate::error::OpenError;
use crate::owner::Owner;
use crate::shape::{Migration, Row, Shape, ShapeKind, Verdict};

/// The state as the declared shapes want it.
pub(super) fn migrated(
    before: &State,
    shapes: &BTreeMap<&'static str, Shape>,
) -> Result<State, OpenError> {
    if let Some(unknown) = before
        .stored
        .keys()
        .find(|name| !shapes.contains_key(*name))
    {
        return Err(OpenError::UnknownShape((*unknown).to_owned()));
    }
    let mut state = before.clone();
    for shape in shapes.values() {
        let steps = match before.stored.get(shape.name) {
            None => &[],
            Some(stored) => steps(shape, stored)?,
        };
        let declared = StoredShape {
            version: shape.version,
            kind: shape.kind,
            indexes: shape
                .indexes
                .iter()
                .map(|index| (index.name, index.unique))
                .collect(),
        };
        let stored = state.stored.insert(shape.name, declared.clone());
        if !steps.is_empty() && shape.kind == ShapeKind::Log {
            migrate_log(&mut state, shape, steps)?;
        }
        if shape.kind == ShapeKind::Table && stored.is_some_and(|stored| stored != declared) {
            migrate_table(&mut state, shape, steps)?;
        }
    }
    Ok(state)
}

fn steps(shape: &Shape, stored: &StoredShape) -> Result<&'static [Migration], OpenError> {
    if stored.kind != shape.kind {
        return Err(OpenError::OtherKind(shape.name));
    }
    shape.steps_from(stored.version)
}

fn migrate_table(state: &mut State, shape: &Shape, steps: &[Migration]) -> Result<(), OpenError> {
    let owners = state.tables.remove(shape.name).unwrap_or_default();
    state.indexes.retain(|(table, _), _| *table != shape.name);
    for (owner, rows) in owners {
        for (key, stored) in rows {
            let mut row = Row {
                key,
                value: stored.value.to_vec(),
            };
            if shape.step(&mut row, steps)? == Verdict::Keep {
                insert(state, shape, &owner, row, stored.expires_micros)?;
            }
        }
    }
    Ok(())
}

fn insert(
    state: &mut State,
    shape: &Shape,
    owner: &Owner,
    row: Row,
    expires_micros: Option<u64>,
) -> Result<(), OpenError> {
    let taken = |index| OpenError::MigrationTaken {
        shape: shape.name,
        index,
    };
    if state.row(shape.name, owner, &row.key).is_some() {
        return Err(taken("key"));
    }
    let index_keys = shape.migrated_index_keys(&row)?;
    for index in shape.indexes.iter().filter(|index| index.unique) {
        let held = |key: &[u8]| {
            let first = state.places_from(shape.name, index.name, key).next();
            first.is_some_and(|place| place.index_key == key)
        };
        if index_keys
            .iter()
            .any(|(name, key)| *name == index.name && held(key))
        {
            return Err(taken(index.name));
        }
    }
    let stored = StoredRow {
        value: row.value.into(),
        expires_micros,
        index_keys,
    };
    state.set_row(shape.name, owner, row.key, Some(stored));
    Ok(())
}

fn migrate_log(state: &mut State, shape: &Shape, steps: &[Migration]) -> Result<(), OpenError> {
    for (owner, log) in state.logs.remove(shape.name).unwrap_or_default() {
        for (id, entry) in log.entries {
            let mut row = Row {
                key: Vec::new(),
                value: entry.payload.to_vec(),
            };
            if shape.step(&mut row, steps)? == Verdict::Keep {
                let entry = StoredEntry {
                    payload: Bytes::from(row.value),
                    ..entry
                };
                state.set_entry(shape.name, &owner, id, Some(entry));
            }
        }
    }
    Ok(())
}
