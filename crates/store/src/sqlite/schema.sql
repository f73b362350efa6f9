-- Layout 1. What stands here is created once; a change is a new layout with a migration.

-- One row: the greatest log id that was known when the log's payloads ended at `payload`.
CREATE TABLE high_water (log_id INTEGER NOT NULL, payload INTEGER NOT NULL) STRICT;
INSERT INTO high_water VALUES (0, 0);

-- The declared shapes. kind: 0 table, 1 log. A migration gives a table a new id.
CREATE TABLE shape (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE TABLE shape_index (
    id INTEGER PRIMARY KEY,
    shape INTEGER NOT NULL,
    name TEXT NOT NULL,
    is_unique INTEGER NOT NULL
) STRICT;

-- A deleted owner has no name but a former one; what it had is removed in steps, and its row last.
CREATE TABLE owner (id INTEGER PRIMARY KEY, name BLOB UNIQUE, former_name BLOB) STRICT;
CREATE INDEX owner_gone ON owner (id) WHERE name IS NULL;

-- index_keys repeats what index_key holds for the row, so that it can be taken out again.
CREATE TABLE table_row (
    shape INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    expires INTEGER,
    index_keys BLOB,
    PRIMARY KEY (shape, owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX table_row_expires ON table_row (expires) WHERE expires IS NOT NULL;

-- Ordered by the owner's name, which is the same in every backend; `owner` tells a deleted one from a new one.
CREATE TABLE index_key (
    idx INTEGER NOT NULL,
    key BLOB NOT NULL,
    owner_name BLOB NOT NULL,
    row_key BLOB NOT NULL,
    owner INTEGER NOT NULL,
    PRIMARY KEY (idx, key, owner_name, row_key, owner)
) STRICT, WITHOUT ROWID;

-- The narrow index of all logs. address: a hash of the payload's, 0 for none.
CREATE TABLE log_entry (
    log INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    id INTEGER NOT NULL,
    payload INTEGER NOT NULL,
    marks INTEGER NOT NULL,
    address INTEGER NOT NULL,
    PRIMARY KEY (log, owner, id)
) STRICT, WITHOUT ROWID;
-- Small, since what is undelivered does not stay so: it costs a commit little.
CREATE INDEX log_entry_undelivered ON log_entry (log, owner, id) WHERE marks >= 2;
-- Appended in the order of commits; each says which entry it belongs to.
CREATE TABLE log_payload (
    id INTEGER PRIMARY KEY,
    log INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    address TEXT,
    unique_key BLOB,
    payload BLOB NOT NULL
) STRICT;
CREATE TABLE log_unique (
    log INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    key BLOB NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (log, owner, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE blob_ref (
    owner INTEGER NOT NULL,
    hash BLOB NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (owner, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_ref_hash ON blob_ref (hash);
