-- Layout 1. What stands here is created once, in the schema `waxwing`; a change is a new layout with a migration, which a new
-- database goes through as well (words.sql is layout 2).
-- A key of more than 700 bytes stands in an index as its first 700 bytes and the SHA-256 of all of it (see key.rs), and
-- whole in a column `long_…` beside it: PostgreSQL indexes no more than 2,700 bytes.

-- One row. Every transaction adds 1 to `commits`, so that one whose outcome nobody heard can be looked up; every
-- start adds 1 to `starts`, so that whoever lost the database for a while knows whether somebody else had it.
CREATE TABLE waxwing.state (
    product text NOT NULL,
    layout bigint NOT NULL,
    database uuid NOT NULL DEFAULT gen_random_uuid(),
    starts bigint NOT NULL DEFAULT 0,
    commits bigint NOT NULL DEFAULT 0,
    last_log_id bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO waxwing.state (product, layout) VALUES ('waxwing', 1);

-- The declared shapes. kind: 0 table, 1 log. A migration gives a table a new id.
CREATE TABLE waxwing.shape (
    id bigint PRIMARY KEY,
    name text NOT NULL UNIQUE,
    kind bigint NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE waxwing.shape_index (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shape bigint NOT NULL,
    name text NOT NULL,
    is_unique boolean NOT NULL
);

-- A deleted owner has no name but a former one; what it had is removed in steps, and its row last.
CREATE TABLE waxwing.owner (id bigint PRIMARY KEY, name bytea UNIQUE, former_name bytea);
CREATE INDEX owner_gone ON waxwing.owner (id) WHERE name IS NULL;

-- index_keys repeats what index_key holds for the row, so that it can be taken out again.
CREATE TABLE waxwing.table_row (
    shape bigint NOT NULL,
    owner bigint NOT NULL,
    key bytea NOT NULL,
    long_key bytea,
    value bytea NOT NULL,
    expires bigint,
    index_keys bytea,
    PRIMARY KEY (shape, owner, key)
);
CREATE INDEX table_row_expires ON waxwing.table_row (expires) WHERE expires IS NOT NULL;

-- Ordered by the owner's name, which is the same in every backend; `owner` tells a deleted one from a new one.
CREATE TABLE waxwing.index_key (
    idx bigint NOT NULL,
    key bytea NOT NULL,
    owner_name bytea NOT NULL,
    row_key bytea NOT NULL,
    owner bigint NOT NULL,
    long_key bytea,
    long_row bytea,
    PRIMARY KEY (idx, key, owner_name, row_key, owner)
);

-- Entries as they are appended. address_number: a hash of the address, 0 for none; the index has it, so that a page by
-- address looks at no payload that does not fit.
CREATE TABLE waxwing.log_entry (
    log bigint NOT NULL,
    owner bigint NOT NULL,
    id bigint NOT NULL,
    archived boolean NOT NULL,
    address_number bigint NOT NULL,
    address bytea,
    unique_key bytea,
    long_unique bytea,
    payload bytea NOT NULL,
    PRIMARY KEY (log, owner, id) INCLUDE (address_number, archived)
);
-- Only what has a unique key stands in it, so that others do not pay for it.
CREATE UNIQUE INDEX log_entry_unique ON waxwing.log_entry (log, owner, unique_key) WHERE unique_key IS NOT NULL;
-- The mark *undelivered* comes and goes with each message. It is a row of its own, since an update writes a row anew,
-- with its payload and a place in every index.
CREATE TABLE waxwing.log_undelivered (
    log bigint NOT NULL,
    owner bigint NOT NULL,
    id bigint NOT NULL,
    PRIMARY KEY (log, owner, id)
);

CREATE TABLE waxwing.blob_ref (
    owner bigint NOT NULL,
    hash bytea NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (owner, hash)
);
CREATE INDEX blob_ref_hash ON waxwing.blob_ref (hash);
-- A blob without a hash is being written; what a start finds of these is removed.
CREATE TABLE waxwing.blob (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea UNIQUE,
    bytes bigint NOT NULL
);
CREATE TABLE waxwing.blob_part (
    blob bigint NOT NULL,
    part bigint NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (blob, part)
);
-- Files are mostly compressed already.
ALTER TABLE waxwing.blob_part ALTER COLUMN content SET STORAGE EXTERNAL;
