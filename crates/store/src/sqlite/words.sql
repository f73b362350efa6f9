-- The index of words and addresses, a database of its own: whatever it says is looked up before it counts, and where it is not
-- what it should be, it is made anew.

-- A row for each payload of a log, by its number. Words begin with the log and the owner that they are of, so that nobody's
-- question walks through what others wrote.
CREATE VIRTUAL TABLE word USING fts5(words, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii');

-- One row: payloads before this number are in it, the last of which was this entry. `logs`: of which logs it was made.
-- is_whole: it has been as far as everything once; until then nobody may rely on it.
-- is_settled: nothing is in it that is gone; not so while a server runs, or after one was killed.
-- has_removed, is_purging, purged_micros: whether parts are to be merged so that what was taken out leaves the file, and when
-- that was done last.
CREATE TABLE reach (
    payload INTEGER NOT NULL,
    is_whole INTEGER NOT NULL,
    is_settled INTEGER NOT NULL,
    has_removed INTEGER NOT NULL,
    is_purging INTEGER NOT NULL,
    purged_micros INTEGER NOT NULL,
    log INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    logs TEXT NOT NULL
) STRICT;

-- Payloads that have words of an old text still.
CREATE TABLE changed (payload INTEGER PRIMARY KEY) STRICT;

-- The greatest id of each owner's that is in it.
CREATE TABLE latest (
    log INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (log, owner)
) STRICT, WITHOUT ROWID;
-- Whose entries were not appended in the order of their ids: payloads are found in another order than entries then, and the
-- index does not serve.
CREATE TABLE disorder (
    log INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    PRIMARY KEY (log, owner)
) STRICT, WITHOUT ROWID;
