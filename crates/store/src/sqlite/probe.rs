//! A look through a database before it is opened for writing.

use rusqlite::Connection;

use super::apply::high_water;

/// Databases up to this size are checked page by page before they are opened: more would delay the start. Of larger ones
/// both ends of each tree are looked at, which finds a damaged root.
const CHECKED_BYTES_MAX: u64 = 64 << 20;
/// Every tree of `schema.sql`: where its records are asked for, and what they are ordered by.
const TREES: &[(&str, &[&str])] = &[
    ("high_water", &["rowid"]),
    ("shape", &["rowid"]),
    ("shape INDEXED BY sqlite_autoindex_shape_1", &["name"]),
    ("shape_index", &["rowid"]),
    ("owner", &["rowid"]),
    ("owner INDEXED BY sqlite_autoindex_owner_1", &["name"]),
    ("owner INDEXED BY owner_gone WHERE name IS NULL", &["id"]),
    ("table_row", &["shape", "owner", "key"]),
    (
        "table_row INDEXED BY table_row_expires WHERE expires IS NOT NULL",
        &["expires"],
    ),
    ("index_key", &["idx", "key", "owner_name"]),
    ("log_entry", &["log", "owner", "id"]),
    (
        "log_entry INDEXED BY log_entry_undelivered WHERE marks >= 2",
        &["log", "owner", "id"],
    ),
    ("log_payload", &["rowid"]),
    ("log_unique", &["log", "owner", "key"]),
    ("blob_ref", &["owner", "hash"]),
    ("blob_ref INDEXED BY blob_ref_hash", &["hash"]),
];

/// What SQLite finds wrong with a database of this length in bytes, in its words; `ok` where that is nothing.
pub(super) fn probe(db: &Connection, length: u64) -> rusqlite::Result<String> {
    if length <= CHECKED_BYTES_MAX {
        return db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    }
    for (tree, columns) in TREES {
        for order in ["ASC", "DESC"] {
            let by: Vec<_> = (columns.iter())
                .map(|column| format!("{column} {order}"))
                .collect();
            let sql = format!("SELECT 1 FROM {tree} ORDER BY {} LIMIT 1", by.join(", "));
            db.prepare(&sql)?.exists([])?;
        }
    }
    // What the writer begins with.
    high_water(db)?;
    Ok("ok".to_owned())
}
