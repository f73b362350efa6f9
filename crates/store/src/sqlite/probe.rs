//! A look through a database before it is opened for writing.

use rusqlite::Connection;

use super::apply::high_water;
use super::doctor::Image;

/// Databases up to this size are examined before they are opened, as `waxwing doctor` does it, but for stored files: a
/// quarter of a second at most where a record is a few hundred bytes.
pub(super) const WEIGHED_BYTES_MAX: u64 = 4 << 20;
/// Databases up to this size are checked page by page, each index against its table, before they are opened: a fifth of a
/// second with 100,000 accounts, and more would delay the start. Of larger ones both ends of each tree are looked at, which
/// finds a damaged root.
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

/// What is filed under the number of a table (0) or log (1), with the column that has it.
const FILED: &[(&str, &str, i64)] = &[
    ("table_row", "shape", 0),
    ("log_entry", "log", 1),
    ("log_unique", "log", 1),
];

/// What is wrong with a database, in SQLite's words or ours; `ok` where that is nothing.
pub(super) fn probe(db: &Connection, image: &Image) -> rusqlite::Result<String> {
    if image.bytes() <= CHECKED_BYTES_MAX {
        let said: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if said != "ok" {
            return Ok(said);
        }
    } else {
        ends(db)?;
    }
    // What the writer begins with.
    high_water(db)?;
    let mut detail = "ok".to_owned();
    for (tree, column, kind) in FILED {
        if let Some(number) = unlisted(db, tree, column, *kind)? {
            detail =
                format!("records are filed under number {number}, and no table or log has that");
        }
    }
    Ok(detail)
}

/// A number under which records are filed, and that is not listed. They are ordered by it: from each the next is found
/// at once.
fn unlisted(db: &Connection, tree: &str, column: &str, kind: i64) -> rusqlite::Result<Option<i64>> {
    let mut next = db.prepare(&format!(
        "SELECT min({column}) FROM {tree} WHERE {column} > ?1"
    ))?;
    let mut listed = db.prepare("SELECT 1 FROM shape WHERE id = ?1 AND kind = ?2")?;
    let mut number = i64::MIN;
    while let Some(found) = next.query_row([number], |row| row.get::<_, Option<i64>>(0))? {
        if !listed.exists([found, kind])? {
            return Ok(Some(found));
        }
        number = found;
    }
    Ok(None)
}

/// Looks at both ends of each tree.
fn ends(db: &Connection) -> rusqlite::Result<()> {
    for (tree, columns) in TREES {
        for order in ["ASC", "DESC"] {
            let by: Vec<_> = (columns.iter())
                .map(|column| format!("{column} {order}"))
                .collect();
            let sql = format!("SELECT 1 FROM {tree} ORDER BY {} LIMIT 1", by.join(", "));
            db.prepare(&sql)?.exists([])?;
        }
    }
    Ok(())
}
