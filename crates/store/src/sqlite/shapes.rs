//! The shapes as they are stored.

use std::collections::BTreeMap;

use rusqlite::Connection;

pub(super) use crate::numbered::{
    Numbered, NumberedIndex, Shapes, Stored, kind_number, pack, unpack,
};

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
