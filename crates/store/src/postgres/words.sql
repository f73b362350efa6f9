-- Layout 2: the index of words. It follows log_entry (word_index.rs), holds nothing that is not there too, and is in no backup.

-- One row for each word of an entry: `word` is a hash of the log's number and of the word, so that a row is short. What is
-- found is looked up, with its text. The owner comes first: nobody's question reads what others wrote.
CREATE TABLE waxwing.word (
    owner bigint NOT NULL,
    word bigint NOT NULL,
    id bigint NOT NULL
);
-- Not unique: nothing is put there twice, and to look for it would cost as much again.
CREATE INDEX word_owner ON waxwing.word (owner, word, id);

-- How far the index has come: every entry of the owner's log up to this id is in it.
CREATE TABLE waxwing.word_reach (
    owner bigint NOT NULL,
    log bigint NOT NULL,
    id bigint NOT NULL,
    PRIMARY KEY (owner, log)
) WITH (fillfactor = 50);

-- One row: what the index is made of. Where the program makes it otherwise, it is made anew.
CREATE TABLE waxwing.word_kind (kind bigint NOT NULL);
INSERT INTO waxwing.word_kind (kind) VALUES (0);

UPDATE waxwing.state SET layout = 2;
