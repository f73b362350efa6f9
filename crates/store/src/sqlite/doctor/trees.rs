//! The B-trees of `schema.sql`: where they begin, and what their records look like.

use super::page::Kind;
use super::record::Column::{self, Blob, BlobOrNull, Int, IntOrNull, RowId, Text, TextOrNull};

/// A tree that every database of this layout has.
pub(super) struct Tree {
    /// As SQLite calls it.
    pub(super) name: &'static str,
    /// For people.
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    pub(super) columns: &'static [Column],
    /// How many of the columns its order goes by.
    pub(super) key_columns: usize,
    /// It repeats what a table says, and is made anew by a restore.
    pub(super) is_index: bool,
    /// Takes a record into the scratch database; for a table by number, that is the first parameter.
    pub(super) insert: &'static str,
}

const fn table(
    name: &'static str,
    title: &'static str,
    columns: &'static [Column],
    insert: &'static str,
) -> Tree {
    Tree {
        kind: Kind::Table,
        ..keyed(name, title, columns, 0, insert)
    }
}

const fn keyed(
    name: &'static str,
    title: &'static str,
    columns: &'static [Column],
    key_columns: usize,
    insert: &'static str,
) -> Tree {
    Tree {
        name,
        title,
        kind: Kind::Index,
        columns,
        key_columns,
        is_index: false,
        insert,
    }
}

const fn index(
    name: &'static str,
    title: &'static str,
    columns: &'static [Column],
    insert: &'static str,
) -> Tree {
    Tree {
        is_index: true,
        ..keyed(name, title, columns, columns.len(), insert)
    }
}

/// SQLite's own table of tables, at the first page.
pub(super) const SCHEMA: Tree = table(
    "sqlite_schema",
    "the description of the tables",
    &[Text, Text, Text, IntOrNull, TextOrNull],
    "",
);

/// For people: the table of what is stored.
pub(super) const LIST_TITLE: &str = "the list of tables and logs";

/// In the order in which `schema.sql` makes them: the first begins at page 2, each next one a page later.
pub(super) const TREES: &[Tree] = &[
    table(
        "high_water",
        "the greatest log id",
        &[Int, Int],
        "UPDATE high_water SET log_id = max(log_id, ?2), payload = max(payload, ?3) WHERE ?1 IS NOT NULL",
    ),
    table(
        "shape",
        LIST_TITLE,
        &[RowId, Text, Int, Int],
        "INSERT OR IGNORE INTO shape VALUES (?1, ?3, ?4, ?5)",
    ),
    index(
        "sqlite_autoindex_shape_1",
        "the index of tables and logs by name",
        &[Text, Int],
        "INSERT OR IGNORE INTO x_shape VALUES (?1, ?2)",
    ),
    table(
        "shape_index",
        "the list of indexes",
        &[RowId, Int, Text, Int],
        "INSERT OR IGNORE INTO shape_index VALUES (?1, ?3, ?4, ?5)",
    ),
    table(
        "owner",
        "the owners",
        &[RowId, BlobOrNull, BlobOrNull],
        "INSERT OR IGNORE INTO owner VALUES (?1, ?3, ?4)",
    ),
    index(
        "sqlite_autoindex_owner_1",
        "the index of owners by name",
        &[BlobOrNull, Int],
        "INSERT OR IGNORE INTO x_owner VALUES (?1, ?2)",
    ),
    index(
        "owner_gone",
        "the index of deleted owners",
        &[Int, Int],
        "INSERT OR IGNORE INTO x_gone VALUES (?1, ?2)",
    ),
    keyed(
        "table_row",
        "the rows of all tables",
        &[Int, Int, Blob, Blob, IntOrNull, BlobOrNull],
        3,
        "INSERT OR IGNORE INTO table_row VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    ),
    index(
        "table_row_expires",
        "the index of rows that expire",
        &[Int, Int, Int, Blob],
        "INSERT OR IGNORE INTO x_expires VALUES (?1, ?2, ?3, ?4)",
    ),
    keyed(
        "index_key",
        "the indexes of all tables",
        &[Int, Blob, Blob, Blob, Int],
        5,
        "INSERT OR IGNORE INTO index_key VALUES (?1, ?2, ?3, ?4, ?5)",
    ),
    keyed(
        "log_entry",
        "the entries of all logs",
        &[Int, Int, Int, Int, Int, Int],
        3,
        "INSERT OR IGNORE INTO log_entry VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    ),
    index(
        "log_entry_undelivered",
        "the index of what is undelivered",
        &[Int, Int, Int],
        "INSERT OR IGNORE INTO x_undelivered VALUES (?1, ?2, ?3)",
    ),
    table(
        "log_payload",
        "the content of all logs",
        &[RowId, Int, Int, Int, TextOrNull, BlobOrNull, Blob],
        "INSERT OR IGNORE INTO log_payload VALUES (?1, ?3, ?4, ?5, ?6, ?7, ?8)",
    ),
    keyed(
        "log_unique",
        "the unique keys of all logs",
        &[Int, Int, Blob, Int],
        3,
        "INSERT OR IGNORE INTO log_unique VALUES (?1, ?2, ?3, ?4)",
    ),
    keyed(
        "blob_ref",
        "the references to files",
        &[Int, Blob, Int],
        2,
        "INSERT OR IGNORE INTO blob_ref VALUES (?1, ?2, ?3)",
    ),
    index(
        "blob_ref_hash",
        "the index of references to files",
        &[Blob, Int],
        "INSERT OR IGNORE INTO x_blob VALUES (?1, ?2)",
    ),
];

/// The page at which a tree begins.
pub(super) fn root(place: usize) -> u32 {
    // There are a few of them.
    u32::try_from(place).unwrap_or(u32::MAX - 2) + 2
}
