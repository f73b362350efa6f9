//! The index of words, as the writer keeps it: behind the entries, and never in the commit of a delivery.
//!
//! For each owner's log it says up to which id it has come, and that is written with the words. What lies beyond is looked at
//! entry by entry (`search`). What is changed before that id is changed in the index too, by the same transaction: so whatever is
//! lost on the way, and whoever goes on, the index has what it says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::Error;

use super::fault::Fault;
use super::flush::{Turn, flush};
use super::read::{sql_id, sql_limit};
use super::session::Session;
use super::stage::{Body, Stage};
use super::writer::Writer;
use crate::log::LogId;
use crate::numbered::Shapes;
use crate::shape::{Shape, ShapeKind};
use crate::words::words;

/// What is made a word, and by which number the index knows it. With another, indexes are made anew.
const WORDS_VERSION: u32 = 2;
/// Entries that one step takes: some milliseconds, for which the next commit may wait.
const STEP_ENTRIES: usize = 64;
/// Bytes of payloads after which a step takes no more: they are held in memory.
const STEP_BYTES: usize = 512 * 1024;
/// Owners whose logs one step looks at, and entries of each that it counts.
const STEP_OWNERS: usize = 100;
/// Entries that may wait before the index follows, to the last; a page looks at what waits of its owner's.
const WAITING_ENTRIES_MAX: usize = 1_000;
/// Entries from which on steps are made though there is something else to do.
const PRESSING_ENTRIES: usize = 20_000;
/// Groups between two steps that are made though there is something else to do.
const GROUPS_PER_STEP: u32 = 8;
/// Logs in which something waits that are remembered: 100 bytes each. Beyond that, all are looked at again.
const WAITING_LOGS_MAX: usize = 100_000;
/// Words of a deleted owner that are removed with one commit.
const GONE_WORDS_MAX: i64 = 5_000;

const FIT: &str = "UPDATE waxwing.word_kind SET kind = $1 WHERE kind <> $1";
const EMPTY: &str = "TRUNCATE waxwing.word, waxwing.word_reach";
/// How many entries of some owners' logs wait.
const LOOK: &str = "SELECT o.id, l.log, (SELECT count(*) FROM (SELECT FROM waxwing.log_entry e WHERE e.log = l.log AND e.owner = o.id
        AND e.id > coalesce((SELECT r.id FROM waxwing.word_reach r WHERE r.owner = o.id AND r.log = l.log), -1) LIMIT $2) waiting)
    FROM (SELECT id FROM waxwing.owner WHERE id > $1 ORDER BY id LIMIT $2) o CROSS JOIN unnest($3::bigint[]) AS l(log)";
/// What waits in some logs, each in the order of ids; from where it is too much on without payloads.
const TAKE: &str = "SELECT t.owner, t.log, t.id, CASE WHEN t.bytes_before < $4 THEN t.payload END FROM (
        SELECT d.owner, d.log, e.id, e.payload, coalesce(sum(octet_length(e.payload))
            OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
        FROM unnest($1::bigint[], $2::bigint[]) AS d(owner, log)
        CROSS JOIN LATERAL (SELECT e.id, e.payload FROM waxwing.log_entry e WHERE e.log = d.log AND e.owner = d.owner
            AND e.id > coalesce((SELECT r.id FROM waxwing.word_reach r WHERE r.owner = d.owner AND r.log = d.log), -1)
            ORDER BY e.id LIMIT $3) e
        LIMIT $3) t";
/// Entries that the index has, or would have if they were there, as they are before they are changed.
const BEFORE: &str = "SELECT d.owner, d.log, d.id, e.payload
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS d(owner, log, id)
    CROSS JOIN LATERAL (SELECT FROM waxwing.word_reach r WHERE r.owner = d.owner AND r.log = d.log AND r.id >= d.id LIMIT 1) r
    LEFT JOIN LATERAL (SELECT e.payload FROM waxwing.log_entry e
        WHERE e.log = d.log AND e.owner = d.owner AND e.id = d.id LIMIT 1) e ON true";
const GONE: &str = "DELETE FROM waxwing.word WHERE ctid = ANY(ARRAY(SELECT ctid FROM waxwing.word WHERE owner = $1 LIMIT $2))";
const FORGET: &str = "DELETE FROM waxwing.word_reach WHERE owner = $1";

/// What is prepared for every connection that writes.
pub(super) const STATEMENTS: [&str; 5] = [LOOK, TAKE, BEFORE, GONE, FORGET];

/// Owner and log.
type LogOf = (i64, i64);

/// Rows of three numbers, as columns.
#[derive(Default)]
pub(super) struct Rows(
    pub(super) Vec<i64>,
    pub(super) Vec<i64>,
    pub(super) Vec<i64>,
);

impl Rows {
    fn push(&mut self, first: i64, second: i64, third: i64) {
        self.0.push(first);
        self.1.push(second);
        self.2.push(third);
    }
}

/// What becomes of the index with a transaction.
#[derive(Default)]
pub(super) struct WordChanges {
    /// Owners, words and ids.
    pub(super) gone: Rows,
    pub(super) new: Rows,
    /// Owners, logs and ids.
    pub(super) reach: Rows,
}

/// What the writer knows of the index.
pub(super) struct WordIndex {
    /// The logs that have texts, by number.
    spoken: HashMap<i64, Shape>,
    /// Logs in which something waits, and about how much.
    waiting: BTreeMap<LogOf, usize>,
    total: usize,
    /// It goes on until nothing waits.
    is_following: bool,
    /// After which owner it is still to be looked for what waits.
    sweep: Option<i64>,
    /// No entry with a greater id is in the index.
    latest: i64,
    /// It could not be written.
    is_failing: bool,
    groups_since_step: u32,
}

/// The number by which the index knows a word of a log: FNV-1a, 64 bits.
pub(super) fn word_number(log: i64, word: &str) -> i64 {
    let log = log.to_be_bytes();
    hash(log.iter().chain(word.as_bytes()))
}

fn hash<'b>(bytes: impl Iterator<Item = &'b u8>) -> i64 {
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::from_be_bytes(hash.to_be_bytes())
}

/// Empties the index where it was made of something else: of other versions of the logs, or by another program.
pub(super) async fn fit(session: &Session, shapes: &Shapes) -> Result<(), Error> {
    let logs = shapes
        .0
        .values()
        .filter(|one| one.shape.kind == ShapeKind::Log);
    let logs = logs.map(|one| {
        let (name, version) = (one.shape.name, one.shape.version);
        format!("{} {name} {version} {}\n", one.id, one.shape.text.is_some())
    });
    let kind = format!("{WORDS_VERSION}\n{}", logs.collect::<String>());
    if session
        .execute(FIT, &[&hash(kind.as_bytes().iter())])
        .await?
        > 0
    {
        session.client.batch_execute(EMPTY).await?;
    }
    Ok(())
}

impl WordIndex {
    pub(super) fn new(shapes: &Shapes, last: LogId) -> Self {
        let logs = shapes.0.values();
        let spoken = logs.filter(|one| one.shape.text.is_some());
        let mut index = Self {
            spoken: spoken.map(|one| (one.id, one.shape.clone())).collect(),
            waiting: BTreeMap::new(),
            total: 0,
            is_following: false,
            sweep: None,
            latest: 0,
            is_failing: false,
            groups_since_step: 0,
        };
        index.look_again(last);
        index
    }

    /// What waits is not known: it is looked for. `last` is the greatest id that there is.
    pub(super) fn look_again(&mut self, last: LogId) {
        self.waiting.clear();
        self.total = 0;
        self.is_following = true;
        self.sweep = (!self.spoken.is_empty()).then_some(0);
        self.latest = sql_id(last);
        self.is_failing = false;
    }

    /// Whether a step is due when there is nothing else to do.
    pub(super) fn is_due(&self) -> bool {
        let is_much = self.total >= WAITING_ENTRIES_MAX;
        let waits = is_much || self.is_following && !self.waiting.is_empty();
        !self.is_failing && (self.sweep.is_some() || waits)
    }

    /// Whether a step is due after one more group, whatever else there is to do.
    pub(super) fn is_pressing(&mut self) -> bool {
        self.groups_since_step += 1;
        !self.is_failing
            && self.groups_since_step >= GROUPS_PER_STEP
            && self.total >= PRESSING_ENTRIES
    }

    /// Notes what is appended, be it stored then or not.
    pub(super) fn note(&mut self, stage: &Stage) {
        for ((log, owner, _), entry) in stage.entries.iter() {
            let is_new = matches!(
                entry.as_ref().map(|entry| &entry.body),
                Some(Body::New { .. })
            );
            if is_new && self.spoken.contains_key(log) {
                *self.waiting.entry((*owner, *log)).or_default() += 1;
                self.total += 1;
            }
        }
        if self.waiting.len() > WAITING_LOGS_MAX {
            self.waiting.clear();
            self.total = 0;
            self.sweep = Some(0);
        }
    }

    /// What a group changes of what is in the index. It asks the database only where an entry is removed, replaced or put
    /// before the last one that is in the index.
    pub(super) async fn changes(
        &self,
        session: &Session,
        stage: &Stage,
    ) -> Result<WordChanges, Error> {
        let mut changes = WordChanges::default();
        let mut asked = Rows::default();
        for ((log, owner, id), entry) in stage.entries.iter() {
            let stays = matches!(entry.as_ref().map(|entry| &entry.body), Some(Body::Stored));
            if *id <= self.latest && !stays && self.spoken.contains_key(log) {
                asked.push(*owner, *log, *id);
            }
        }
        if asked.0.is_empty() {
            return Ok(changes);
        }
        for row in session
            .query(BEFORE, &[&asked.0, &asked.1, &asked.2])
            .await?
        {
            let (owner, log, id): LogAt = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            for word in self.words(log, row.try_get(3)?) {
                changes.gone.push(owner, word, id);
            }
            let after = stage
                .entries
                .get(&(log, owner, id))
                .and_then(Option::as_ref);
            let payload = after.and_then(|entry| match &entry.body {
                Body::New { payload, .. } | Body::Replaced(payload) => Some(payload.as_slice()),
                Body::Stored => None,
            });
            for word in self.words(log, payload) {
                changes.new.push(owner, word, id);
            }
        }
        Ok(changes)
    }

    /// The words of a payload, as the index has them.
    fn words(&self, log: i64, payload: Option<&[u8]>) -> BTreeSet<i64> {
        let shape = self.spoken.get(&log);
        let text = shape
            .zip(payload)
            .and_then(|(shape, payload)| shape.text_of(payload));
        let words = text.map(|text| words(&text)).unwrap_or_default();
        words.iter().map(|word| word_number(log, word)).collect()
    }

    /// Looks in which logs of the next owners something waits.
    async fn look(&mut self, session: &Session, after: i64) -> Result<(), Error> {
        let logs: Vec<i64> = self.spoken.keys().copied().collect();
        let rows = session
            .query(LOOK, &[&after, &sql_limit(STEP_OWNERS), &logs])
            .await?;
        self.sweep = None;
        for row in rows {
            let (owner, count): (i64, i64) = (row.try_get(0)?, row.try_get(2)?);
            self.sweep = self.sweep.max(Some(owner));
            if let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) {
                *self.waiting.entry((owner, row.try_get(1)?)).or_default() += count;
                self.total += count;
            }
        }
        self.is_following = self.sweep.is_some() || !self.waiting.is_empty();
        Ok(())
    }

    /// Takes what waits, from the logs that come first.
    async fn take(&self, session: &Session) -> Result<Taken, Error> {
        let logs: Vec<LogOf> = self.waiting.keys().take(STEP_OWNERS).copied().collect();
        let owners: Vec<i64> = logs.iter().map(|log| log.0).collect();
        let numbers: Vec<i64> = logs.iter().map(|log| log.1).collect();
        let (limit, bytes) = (sql_limit(STEP_ENTRIES), sql_limit(STEP_BYTES));
        let rows = session
            .query(TAKE, &[&owners, &numbers, &limit, &bytes])
            .await?;
        let mut taken = Taken {
            logs,
            is_all: rows.len() < STEP_ENTRIES,
            ..Taken::default()
        };
        let mut new = Vec::new();
        for row in &rows {
            let (owner, log, id): LogAt = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let payload: Option<&[u8]> = row.try_get(3)?;
            if payload.is_none() {
                taken.is_all = false;
                break;
            }
            new.extend(
                self.words(log, payload)
                    .into_iter()
                    .map(|word| (owner, word, id)),
            );
            let last = taken.last.entry((owner, log)).or_insert((id, 0));
            *last = (id, last.1 + 1);
        }
        // As they stand in the index.
        new.sort_unstable();
        for (owner, word, id) in new {
            taken.changes.new.push(owner, word, id);
        }
        for ((owner, log), (id, _)) in &taken.last {
            taken.changes.reach.push(*owner, *log, *id);
        }
        Ok(taken)
    }

    /// What was taken is stored.
    fn learn(&mut self, taken: &Taken) {
        let last = taken.last.values().map(|(id, _)| *id).max();
        self.latest = self.latest.max(last.unwrap_or_default());
        for log in &taken.logs {
            let count = taken.last.get(log).map_or(0, |(_, count)| *count);
            let Some(waiting) = self.waiting.get_mut(log) else {
                continue;
            };
            // How many there are is not known for sure; where not all were taken, there may be more.
            let left = if taken.is_all {
                0
            } else {
                waiting.saturating_sub(count).max(1)
            };
            self.total = self.total.saturating_sub(*waiting) + left;
            *waiting = left;
            if left == 0 {
                self.waiting.remove(log);
            }
        }
        self.is_following = !self.waiting.is_empty();
    }
}

/// Owner, log and id.
type LogAt = (i64, i64, i64);

/// What a step takes.
#[derive(Default)]
struct Taken {
    /// The logs that were looked at.
    logs: Vec<LogOf>,
    /// Nothing is left in them.
    is_all: bool,
    /// The last id of each log, and how many entries were taken.
    last: BTreeMap<LogOf, (i64, usize)>,
    changes: WordChanges,
}

/// Removes some of a deleted owner's words, and at last how far they had come; whether nothing is left.
pub(super) async fn remove_some(session: &Session, owner: i64) -> Result<bool, Error> {
    if session.execute(GONE, &[&owner, &GONE_WORDS_MAX]).await? > 0 {
        return Ok(false);
    }
    session.execute(FORGET, &[&owner]).await?;
    Ok(true)
}

impl Writer {
    /// One step of the index, as a commit of its own: if it fails, nobody else does.
    pub(super) async fn index_words(&mut self) {
        self.words.groups_since_step = 0;
        let longest = self.options.answer_wait();
        match tokio::time::timeout(longest, self.word_step()).await {
            Ok(Ok(())) => {}
            Ok(Err(Fault::Refused(error) | Fault::Failed(error))) => {
                self.alarm.hear(&error);
                tracing::error!(%error, "the index of words could not be written: searches take longer; the next start goes on");
                self.words.is_failing = true;
                self.connection.roll_back(longest).await;
            }
            // The connection is made again, and goes on with it.
            Ok(Err(Fault::Lost(_))) | Err(_) => self.connection.cut(),
        }
    }

    async fn word_step(&mut self) -> Result<(), Fault> {
        self.connection.prepare().await?;
        let session = self.connection.session()?;
        if let Some(after) = self.words.sweep {
            return Ok(self.words.look(session, after).await?);
        }
        // Nobody else writes, and that nobody did is looked at with the commit.
        let mut taken = self.words.take(session).await?;
        if !taken.last.is_empty() {
            session.client.batch_execute("BEGIN").await?;
            let stage = Stage::new(self.state.last_log_id, self.state.next_owner);
            let turn = Turn {
                commits: self.state.commits + 1,
                starts: self.state.starts,
                last_log_id: self.state.last_log_id,
            };
            let changes = std::mem::take(&mut taken.changes);
            flush(session, &stage, changes, turn).await?;
            self.state.commits = turn.commits;
        }
        self.words.learn(&taken);
        Ok(())
    }
}
