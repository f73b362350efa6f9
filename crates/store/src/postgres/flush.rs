//! Writing what a group has changed: a statement for each kind of change, all sent at once.

use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use super::key::{form, long};
use super::read::{address_number, sql_id};
use super::session::Session;
use super::stage::{Body, EntryAt, IndexPlace, RowAt, Stage, StagedEntry, StagedRow};
use super::word_index::{Rows, WordChanges};
use crate::log::{LogId, Marks};
use crate::numbered::pack;

const BURY: &str = "UPDATE waxwing.owner SET former_name = name, name = NULL WHERE id = ANY($1)";
const BEAR: &str = "INSERT INTO waxwing.owner (id, name, former_name)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])";
const INDEX_GONE: &str = "DELETE FROM waxwing.index_key i
    USING unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[]) AS d(idx, key, owner_name, row_key, owner)
    WHERE i.idx = d.idx AND i.key = d.key AND i.owner_name = d.owner_name AND i.row_key = d.row_key
    AND i.owner = d.owner";
const INDEX_NEW: &str = "INSERT INTO waxwing.index_key (idx, key, owner_name, row_key, owner, long_key, long_row)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[])
    ON CONFLICT DO NOTHING";
const ROWS_GONE: &str = "DELETE FROM waxwing.table_row r
    USING unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS d(shape, owner, key)
    WHERE r.shape = d.shape AND r.owner = d.owner AND r.key = d.key";
const ROWS_PUT: &str = "INSERT INTO waxwing.table_row (shape, owner, key, long_key, value, expires, index_keys)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bytea[])
    ON CONFLICT (shape, owner, key) DO UPDATE
    SET value = excluded.value, expires = excluded.expires, index_keys = excluded.index_keys";
const DELIVERED: &str = "DELETE FROM waxwing.log_undelivered u
    USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS d(log, owner, id)
    WHERE u.log = d.log AND u.owner = d.owner AND u.id = d.id";
const ENTRIES_GONE: &str = "DELETE FROM waxwing.log_entry e
    USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS d(log, owner, id)
    WHERE e.log = d.log AND e.owner = d.owner AND e.id = d.id";
const ENTRIES_NEW: &str = "INSERT INTO waxwing.log_entry
    (log, owner, id, archived, address_number, address, unique_key, long_unique, payload)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[], $5::bigint[], $6::bytea[], $7::bytea[],
        $8::bytea[], $9::bytea[])";
const UNDELIVERED: &str = "INSERT INTO waxwing.log_undelivered (log, owner, id)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])";
const ARCHIVED: &str = "UPDATE waxwing.log_entry e SET archived = d.archived
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[]) AS d(log, owner, id, archived)
    WHERE e.log = d.log AND e.owner = d.owner AND e.id = d.id";
const REPLACED: &str = "UPDATE waxwing.log_entry e SET payload = d.payload
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[]) AS d(log, owner, id, payload)
    WHERE e.log = d.log AND e.owner = d.owner AND e.id = d.id";
const REFERENCES_GONE: &str = "DELETE FROM waxwing.blob_ref r
    USING unnest($1::bigint[], $2::bytea[]) AS d(owner, hash) WHERE r.owner = d.owner AND r.hash = d.hash";
const REFERENCES_PUT: &str = "INSERT INTO waxwing.blob_ref (owner, hash, count)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[])
    ON CONFLICT (owner, hash) DO UPDATE SET count = excluded.count";
const WORDS_GONE: &str = "DELETE FROM waxwing.word w
    USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS d(owner, word, id)
    WHERE w.owner = d.owner AND w.word = d.word AND w.id = d.id";
const WORDS_NEW: &str = "INSERT INTO waxwing.word (owner, word, id)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])";
const WORDS_REACH: &str = "INSERT INTO waxwing.word_reach (owner, log, id)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
    ON CONFLICT (owner, log) DO UPDATE SET id = excluded.id";
/// Fails, and the transaction with it, where somebody else has had the database since: NULL is refused.
const COUNT: &str = "UPDATE waxwing.state SET last_log_id = $2,
    commits = CASE WHEN starts = $3 AND commits = $1::bigint - 1 THEN $1::bigint END";
const COMMIT: &str = "COMMIT";

/// What is prepared for every connection that writes.
pub(super) const STATEMENTS: [&str; 18] = [
    BURY,
    BEAR,
    INDEX_GONE,
    INDEX_NEW,
    ROWS_GONE,
    ROWS_PUT,
    DELIVERED,
    ENTRIES_GONE,
    ENTRIES_NEW,
    UNDELIVERED,
    ARCHIVED,
    REPLACED,
    REFERENCES_GONE,
    REFERENCES_PUT,
    WORDS_GONE,
    WORDS_NEW,
    WORDS_REACH,
    COUNT,
];

/// Which transaction it is.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub(super) commits: i64,
    pub(super) starts: i64,
    pub(super) last_log_id: LogId,
}

/// A statement on its way, with columns of what it is about.
type Column<'a> = Box<dyn ToSql + Sync + Send + 'a>;

struct Statements<'a> {
    session: &'a Session,
    all: Vec<(&'static str, Vec<Column<'a>>)>,
}

impl<'a> Statements<'a> {
    /// Adds a statement, unless it is about nothing.
    fn add<const N: usize>(&mut self, sql: &'static str, rows: usize, columns: [Column<'a>; N]) {
        if rows > 0 {
            self.all.push((sql, columns.into()));
        }
    }

    /// Sends everything, with the commit where it is to be, and waits for all answers. A statement that fails makes the
    /// commit a rollback.
    async fn send(self, commits: bool) -> Result<(), Error> {
        let session = self.session;
        let mut answers: Vec<BoxFuture<'_, Result<(), Error>>> = Vec::new();
        for (sql, columns) in &self.all {
            let send = async move {
                let given: Vec<&(dyn ToSql + Sync)> =
                    columns.iter().map(|column| &**column as _).collect();
                session.execute(sql, &given).await.map(|_| ())
            };
            answers.push(send.boxed());
        }
        if commits {
            answers.push(session.client.batch_execute(COMMIT).boxed());
        }
        // In order: each is sent when it is polled first.
        join_all(answers).await.into_iter().collect()
    }
}

/// Writes everything that is staged, without a commit.
pub(super) async fn write(
    session: &Session,
    stage: &Stage,
    words: WordChanges,
) -> Result<(), Error> {
    changes(session, stage, words).send(false).await
}

/// Writes everything that is staged, and commits.
pub(super) async fn flush(
    session: &Session,
    stage: &Stage,
    words: WordChanges,
    turn: Turn,
) -> Result<(), Error> {
    let mut statements = changes(session, stage, words);
    let last = sql_id(turn.last_log_id);
    statements.add(
        COUNT,
        1,
        [
            Box::new(turn.commits),
            Box::new(last),
            Box::new(turn.starts),
        ],
    );
    statements.send(true).await
}

fn changes<'a>(session: &'a Session, stage: &'a Stage, words: WordChanges) -> Statements<'a> {
    let mut statements = Statements {
        session,
        all: Vec::new(),
    };
    owners(&mut statements, stage);
    index(&mut statements, stage);
    rows(&mut statements, stage);
    entries(&mut statements, stage);
    references(&mut statements, stage);
    let WordChanges { gone, new, reach } = words;
    for (sql, Rows(first, second, third)) in
        [(WORDS_GONE, gone), (WORDS_NEW, new), (WORDS_REACH, reach)]
    {
        let count = first.len();
        let columns: [Column<'a>; 3] = [Box::new(first), Box::new(second), Box::new(third)];
        statements.add(sql, count, columns);
    }
    statements
}

fn owners<'a>(statements: &mut Statements<'a>, stage: &'a Stage) {
    let buried: Vec<i64> = stage
        .dead
        .iter()
        .map(|(number, _)| *number)
        .filter(|number| !stage.is_born(*number))
        .collect();
    statements.add(BURY, buried.len(), [Box::new(buried)]);
    let (mut numbers, mut names, mut former) = (Vec::new(), Vec::new(), Vec::new());
    for (number, owner) in stage.born.iter() {
        let is_dead = stage.dead.get(number).is_some();
        numbers.push(*number);
        names.push((!is_dead).then(|| owner.as_bytes()));
        former.push(is_dead.then(|| owner.as_bytes()));
    }
    statements.add(
        BEAR,
        numbers.len(),
        [Box::new(numbers), Box::new(names), Box::new(former)],
    );
}

fn index<'a>(statements: &mut Statements<'a>, stage: &'a Stage) {
    for (is_there, sql) in [(false, INDEX_GONE), (true, INDEX_NEW)] {
        let places: Vec<&IndexPlace> = stage
            .index
            .iter()
            .filter(|(_, there)| **there == is_there)
            .map(|(place, _)| place)
            .collect();
        let indexes: Vec<i64> = places.iter().map(|place| place.key.0).collect();
        let keys: Vec<Vec<u8>> = forms(places.iter().map(|place| &place.key.1));
        let names: Vec<Vec<u8>> = forms(places.iter().map(|place| &place.owner_name));
        let rows: Vec<Vec<u8>> = forms(places.iter().map(|place| &place.row_key));
        let owners: Vec<i64> = places.iter().map(|place| place.owner).collect();
        let count = places.len();
        let (indexes, keys, names) = (Box::new(indexes), Box::new(keys), Box::new(names));
        let (rows, owners) = (Box::new(rows), Box::new(owners));
        if is_there {
            let long_keys: Vec<_> = places.iter().map(|place| long(&place.key.1)).collect();
            let long_rows: Vec<_> = places.iter().map(|place| long(&place.row_key)).collect();
            let (long_keys, long_rows) = (Box::new(long_keys), Box::new(long_rows));
            let columns: [Column<'a>; 7] =
                [indexes, keys, names, rows, owners, long_keys, long_rows];
            statements.add(sql, count, columns);
        } else {
            let columns: [Column<'a>; 5] = [indexes, keys, names, rows, owners];
            statements.add(sql, count, columns);
        }
    }
}

fn forms<'k>(keys: impl Iterator<Item = &'k Vec<u8>>) -> Vec<Vec<u8>> {
    keys.map(|key| form(key).into_owned()).collect()
}

fn rows<'a>(statements: &mut Statements<'a>, stage: &'a Stage) {
    let gone: Vec<&RowAt> = stage
        .rows
        .iter()
        .filter(|(at, row)| row.is_none() && !stage.is_born(at.1))
        .map(|(at, _)| at)
        .collect();
    let shapes: Vec<i64> = gone.iter().map(|at| at.0).collect();
    let owners: Vec<i64> = gone.iter().map(|at| at.1).collect();
    let keys = forms(gone.iter().map(|at| &at.2));
    statements.add(
        ROWS_GONE,
        gone.len(),
        [Box::new(shapes), Box::new(owners), Box::new(keys)],
    );
    let put: Vec<(&RowAt, &StagedRow)> = stage
        .rows
        .iter()
        .filter_map(|(at, row)| Some((at, row.as_ref()?)))
        .collect();
    let shapes: Vec<i64> = put.iter().map(|(at, _)| at.0).collect();
    let owners: Vec<i64> = put.iter().map(|(at, _)| at.1).collect();
    let keys = forms(put.iter().map(|(at, _)| &at.2));
    let long_keys: Vec<_> = put.iter().map(|(at, _)| long(&at.2)).collect();
    let values: Vec<&[u8]> = put.iter().map(|(_, row)| row.value.as_slice()).collect();
    let expires: Vec<Option<i64>> = put.iter().map(|(_, row)| row.expires).collect();
    let index_keys: Vec<_> = put.iter().map(|(_, row)| pack(&row.index_keys)).collect();
    statements.add(
        ROWS_PUT,
        put.len(),
        [
            Box::new(shapes),
            Box::new(owners),
            Box::new(keys),
            Box::new(long_keys),
            Box::new(values),
            Box::new(expires),
            Box::new(index_keys),
        ],
    );
}

/// Logs, owners and ids of entries, as columns.
#[derive(Default)]
struct Ids {
    logs: Vec<i64>,
    owners: Vec<i64>,
    ids: Vec<i64>,
}

impl Ids {
    fn push(&mut self, at: &EntryAt) {
        self.logs.push(at.0);
        self.owners.push(at.1);
        self.ids.push(at.2);
    }

    fn len(&self) -> usize {
        self.ids.len()
    }

    fn columns<'a>(self) -> [Column<'a>; 3] {
        [
            Box::new(self.logs),
            Box::new(self.owners),
            Box::new(self.ids),
        ]
    }

    fn with<'a>(self, last: Column<'a>) -> [Column<'a>; 4] {
        let [logs, owners, ids] = self.columns();
        [logs, owners, ids, last]
    }
}

/// What becomes of entries.
#[derive(Default)]
struct Entries<'a> {
    gone: Ids,
    delivered: Ids,
    undelivered: Ids,
    archived: (Ids, Vec<bool>),
    replaced: (Ids, Vec<&'a [u8]>),
    new: Vec<(&'a EntryAt, &'a StagedEntry, Option<&'a str>, &'a [u8])>,
}

impl<'a> Entries<'a> {
    /// What makes one entry of what the database has.
    fn entry(&mut self, at: &'a EntryAt, before: Option<Marks>, after: Option<&'a StagedEntry>) {
        let has = |marks: Option<Marks>, mark| marks.is_some_and(|marks| marks.contains(mark));
        let after_marks = after.map(|entry| entry.marks);
        let is_undelivered = has(after_marks, Marks::UNDELIVERED);
        if has(before, Marks::UNDELIVERED) && !is_undelivered {
            self.delivered.push(at);
        }
        if is_undelivered && !has(before, Marks::UNDELIVERED) {
            self.undelivered.push(at);
        }
        let is_archived = has(after_marks, Marks::ARCHIVED);
        match after.map(|entry| (entry, &entry.body)) {
            None => {
                if before.is_some() {
                    self.gone.push(at);
                }
            }
            Some((entry, Body::New { address, payload })) => {
                if before.is_some() {
                    self.gone.push(at);
                }
                self.new.push((at, entry, address.as_deref(), payload));
            }
            Some((_, body)) => {
                if is_archived != has(before, Marks::ARCHIVED) {
                    self.archived.0.push(at);
                    self.archived.1.push(is_archived);
                }
                if let Body::Replaced(payload) = body {
                    self.replaced.0.push(at);
                    self.replaced.1.push(payload);
                }
            }
        }
    }
}

fn entries<'a>(statements: &mut Statements<'a>, stage: &'a Stage) {
    let mut entries = Entries::default();
    for (at, after) in stage.entries.iter() {
        let before = stage.found.entries.get(at).and_then(Option::as_ref);
        entries.entry(at, before.map(|entry| entry.marks), after.as_ref());
    }
    let Entries {
        gone,
        delivered,
        undelivered,
        archived,
        replaced,
        new,
    } = entries;
    statements.add(DELIVERED, delivered.len(), delivered.columns());
    statements.add(ENTRIES_GONE, gone.len(), gone.columns());
    new_entries(statements, &new);
    statements.add(UNDELIVERED, undelivered.len(), undelivered.columns());
    let (ids, marks) = archived;
    statements.add(ARCHIVED, ids.len(), ids.with(Box::new(marks)));
    let (ids, payloads) = replaced;
    statements.add(REPLACED, ids.len(), ids.with(Box::new(payloads)));
}

fn new_entries<'a>(
    statements: &mut Statements<'a>,
    new: &[(&'a EntryAt, &'a StagedEntry, Option<&'a str>, &'a [u8])],
) {
    let mut ids = Ids::default();
    let (mut archived, mut numbers) = (Vec::new(), Vec::new());
    let (mut addresses, mut payloads) = (Vec::new(), Vec::new());
    let (mut uniques, mut long_uniques) = (Vec::new(), Vec::new());
    for (at, entry, address, payload) in new {
        ids.push(at);
        archived.push(entry.marks.contains(Marks::ARCHIVED));
        numbers.push(address_number(*address));
        addresses.push(address.map(str::as_bytes));
        uniques.push(entry.unique.as_deref().map(|key| form(key).into_owned()));
        long_uniques.push(entry.unique.as_deref().and_then(long));
        payloads.push(*payload);
    }
    let count = ids.len();
    let [logs, owners, ids] = ids.columns();
    let columns: [Column<'a>; 9] = [
        logs,
        owners,
        ids,
        Box::new(archived),
        Box::new(numbers),
        Box::new(addresses),
        Box::new(uniques),
        Box::new(long_uniques),
        Box::new(payloads),
    ];
    statements.add(ENTRIES_NEW, count, columns);
}

fn references<'a>(statements: &mut Statements<'a>, stage: &'a Stage) {
    let (gone, put): (Vec<_>, Vec<_>) =
        stage.references.iter().partition(|(_, count)| **count == 0);
    let owners: Vec<i64> = gone.iter().map(|(at, _)| at.0).collect();
    let hashes: Vec<&[u8]> = gone.iter().map(|(at, _)| at.1.as_slice()).collect();
    statements.add(
        REFERENCES_GONE,
        gone.len(),
        [Box::new(owners), Box::new(hashes)],
    );
    let owners: Vec<i64> = put.iter().map(|(at, _)| at.0).collect();
    let hashes: Vec<&[u8]> = put.iter().map(|(at, _)| at.1.as_slice()).collect();
    let counts: Vec<i64> = put.iter().map(|(_, count)| **count).collect();
    statements.add(
        REFERENCES_PUT,
        put.len(),
        [Box::new(owners), Box::new(hashes), Box::new(counts)],
    );
}
