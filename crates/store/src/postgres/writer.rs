//! The writer: one transaction for everything that waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::PostgresOptions;
use super::ahead::{Ahead, unknown_owners};
use super::apply::Apply;
use super::between::Between;
use super::blobs::DatabaseBlobs;
use super::fault::Fault;
use super::fetch::{self, Wanted};
use super::flush::{self, Turn, flush, write};
use super::lock::State;
use super::noted::Noted;
use super::queue::{Job, Queue, Submitted};
use super::read::is_light;
use super::readers::Readers;
use super::recover::Connection;
use super::session::Session;
use super::stage::Stage;
use super::word_index::{self, WordIndex};
use crate::alarm::Alarm;
use crate::backend::{Done, Query};
use crate::batch::{Batch, Committed};
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::numbered::Shapes;
use crate::owner::Owner;

/// Bytes of batches after which a group is committed, though more waits: it is held in memory twice meanwhile.
const GROUP_BYTES_MAX: usize = 32 << 20;
/// Owners whose numbers are remembered: 100 bytes each.
const OWNERS_KNOWN_MAX: usize = 100_000;
/// Groups between two steps that remove what deleted owners had, while there is no idle moment for one.
const GROUPS_PER_GONE_STEP: u32 = 8;
/// Between two tries while the database cannot be reached and nobody waits for it.
const TRY_AGAIN: Duration = Duration::from_millis(500);

type Outcome = Result<Committed, StoreError>;

pub(super) struct Writer {
    pub(super) options: PostgresOptions,
    pub(super) queue: Arc<Queue>,
    pub(super) connection: Connection,
    pub(super) shapes: Arc<Shapes>,
    pub(super) readers: Readers,
    pub(super) alarm: Arc<Alarm>,
    pub(super) blobs: Arc<DatabaseBlobs>,
    /// What is committed, as far as it is known by heart.
    pub(super) state: State,
    pub(super) noted: Noted,
    /// Numbers of owners that the database has.
    pub(super) owners: HashMap<Owner, i64>,
    /// Since when there is no connection that works.
    pub(super) lost_since: Option<Instant>,
    /// The last commit failed, which was said.
    pub(super) failing: bool,
    pub(super) groups_since_gone_step: u32,
    pub(super) words: WordIndex,
}

/// Batches that are committed together.
#[derive(Default)]
struct Group {
    submitted: Vec<Submitted>,
    bytes: usize,
    /// For between the batches, and for after the commit.
    between: Vec<Between>,
    questions: Vec<Query>,
    collect: Vec<BlobHash>,
}

/// A transaction whose commit was sent.
struct Sent {
    turn: Turn,
    outcomes: Vec<Outcome>,
    freed: Vec<BlobHash>,
}

/// Tells the queue when the writer ends, however it does.
struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        let _abandon = Abandon(Arc::clone(&self.queue));
        loop {
            let is_owing = self.state.owners_gone || self.words.is_due();
            let other_work = is_owing && self.connection.is_open();
            let queue = Arc::clone(&self.queue);
            let jobs = tokio::select! {
                jobs = queue.take(other_work) => jobs,
                () = self.connection.lost(TRY_AGAIN) => {
                    self.return_idle().await;
                    continue;
                }
                () = self.noted.due() => {
                    self.noted.write();
                    continue;
                }
            };
            let Some(jobs) = jobs else { break };
            let idle = jobs.is_empty();
            self.work(jobs).await;
            self.groups_since_gone_step += 1;
            if self.state.owners_gone
                && self.connection.is_open()
                && (idle || self.groups_since_gone_step >= GROUPS_PER_GONE_STEP)
            {
                self.remove_gone().await;
            }
            let is_due = match idle {
                true => self.words.is_due(),
                false => self.words.is_pressing(),
            };
            if is_due && self.connection.is_open() {
                self.index_words().await;
            }
            self.noted.learn(self.state.commits);
        }
        self.noted.write();
        self.connection.close().await;
    }

    async fn work(&mut self, jobs: VecDeque<Job>) {
        let mut group = Group::default();
        for job in jobs {
            match job {
                Job::Commit(submitted) => {
                    group.bytes += submitted.batch.bytes();
                    group.submitted.push(submitted);
                    if group.bytes >= GROUP_BYTES_MAX {
                        self.finish(std::mem::take(&mut group)).await;
                    }
                }
                Job::Read(query) if is_light(&query) => {
                    group.between.push(Between {
                        after: group.submitted.len(),
                        query: Some(query),
                    });
                }
                Job::Read(query) => group.questions.push(query),
                Job::Collect(hash) => group.collect.push(hash),
            }
        }
        self.finish(group).await;
    }

    /// Commits, and tells everyone.
    async fn finish(&mut self, mut group: Group) {
        if !group.submitted.is_empty() {
            let (batches, dones): (Vec<Batch>, Vec<(u64, Done)>) = group
                .submitted
                .into_iter()
                .map(|submitted| (submitted.batch, (submitted.number, submitted.done)))
                .unzip();
            let (outcomes, mut freed) = self.commit(&batches, &mut group.between).await;
            group.collect.append(&mut freed);
            let last = dones.last().map_or(0, |(number, _)| *number);
            self.queue.settle(last, batches.iter());
            for ((_, done), outcome) in dones.into_iter().zip(outcomes) {
                done(outcome);
            }
            // Leases of the batches end here; what they leave without a reference comes back by the queue.
            drop(batches);
        }
        // Those that were not answered between are answered from what is stored.
        let between = group
            .between
            .into_iter()
            .filter_map(|between| between.query);
        for query in between.chain(group.questions) {
            match query {
                Query::LastLogId(reply) => reply.send(Ok(self.state.last_log_id)),
                query => self.readers.ask(query),
            }
        }
        for hash in group.collect {
            self.blobs.collect(hash);
        }
    }

    /// Commits a group, again where the connection was lost before it was known to be stored. What is told as stored
    /// was seen to be.
    async fn commit(
        &mut self,
        batches: &[Batch],
        between: &mut [Between],
    ) -> (Vec<Outcome>, Vec<BlobHash>) {
        if batches.iter().all(Batch::is_empty) {
            // Everything before it is settled.
            let outcomes = batches.iter().map(|batch| {
                batch.checked()?;
                Ok(Committed::default())
            });
            return (outcomes.collect(), Vec::new());
        }
        let mut sent = None;
        let error = loop {
            let longest = self.options.answer_wait();
            let tried =
                tokio::time::timeout(longest, self.try_commit(batches, between, &mut sent)).await;
            let millis = self.options.answer_millis_max;
            let lost = match tried {
                Ok(Ok(done)) => {
                    self.said_well();
                    return done;
                }
                Ok(Err(Fault::Refused(error) | Fault::Failed(error))) => {
                    self.connection.roll_back(self.options.answer_wait()).await;
                    break error;
                }
                Ok(Err(Fault::Lost(error))) => error,
                Err(_) => StoreError::Slow { millis },
            };
            self.connection.cut();
            let until = self.lost_until();
            let turn = sent.as_ref().map(|sent| sent.turn);
            match self.connection.restore(until, &self.state, turn).await {
                Ok(restored) => {
                    let stored = restored.state.commits;
                    self.recall(restored.state);
                    // Whether it was stored is known now. If not, it is safe to do it again.
                    if let Some(sent) = sent.take()
                        && sent.turn.commits == stored
                    {
                        self.said_well();
                        return (sent.outcomes, sent.freed);
                    }
                    if Instant::now() >= until {
                        break lost;
                    }
                }
                Err(error) => {
                    // What was lost first says more than that it stays so, unless somebody else has it.
                    break if matches!(lost, StoreError::Slow { .. }) {
                        lost
                    } else {
                        error
                    };
                }
            }
        };
        self.said_failing(&error);
        let outcomes = batches.iter().map(|_| Err(error.clone()));
        (outcomes.collect(), Vec::new())
    }

    async fn try_commit(
        &mut self,
        batches: &[Batch],
        between: &mut [Between],
        sent: &mut Option<Sent>,
    ) -> Result<(Vec<Outcome>, Vec<BlobHash>), Fault> {
        self.connection.prepare().await?;
        let session = self.connection.session()?;
        let mut stage = Stage::new(self.state.last_log_id, self.state.next_owner);
        let unknown = unknown_owners(batches.iter(), between, &self.owners);
        let begin = session.client.batch_execute("BEGIN");
        if unknown.is_empty() {
            let wanted = self.wanted(batches, between, &stage);
            fetch::both(begin, fetch::all(session, wanted, &mut stage.found)).await?;
        } else {
            fetch::both(begin, fetch::owners(session, &unknown, &mut stage.found)).await?;
            let wanted = self.wanted(batches, between, &stage);
            fetch::all(session, wanted, &mut stage.found).await?;
        }
        let mut outcomes = Vec::with_capacity(batches.len());
        let mut questions = between.iter_mut().peekable();
        for before in 0..=batches.len() {
            while let Some(question) = questions.next_if(|question| question.after == before) {
                if question.looks_at_database() && stage.is_changed() {
                    let words = self.words.changes(session, &stage).await?;
                    write(session, &stage, words).await?;
                    self.words.note(&stage);
                    stage = stage.written();
                    let wanted = self.wanted(&batches[before..], &[], &stage);
                    fetch::all(session, wanted, &mut stage.found).await?;
                }
                self.applying(session, &mut stage).answer(question).await?;
            }
            if let Some(batch) = batches.get(before) {
                outcomes.push(self.apply(session, &mut stage, batch).await?);
            }
        }
        if !(stage.is_changed() || stage.is_written) {
            session.client.batch_execute("COMMIT").await?;
            return Ok((outcomes, Vec::new()));
        }
        let words = self.words.changes(session, &stage).await?;
        let turn = Turn {
            commits: self.state.commits + 1,
            starts: self.state.starts,
            last_log_id: stage.last_log_id,
        };
        *sent = Some(Sent {
            turn,
            outcomes,
            freed: std::mem::take(&mut stage.freed),
        });
        let flushed = flush(session, &stage, words, turn).await;
        // Where it failed and the connection did not, nothing is stored.
        if let Err(error) = flushed {
            let fault = Fault::from(error);
            if matches!(fault, Fault::Failed(_)) {
                *sent = None;
            }
            return Err(fault);
        }
        self.learn(&stage, turn);
        let Some(sent) = sent.take() else {
            return Err(Fault::Failed(StoreError::Closed));
        };
        Ok((sent.outcomes, sent.freed))
    }

    fn applying<'a>(&'a self, session: &'a Session, stage: &'a mut Stage) -> Apply<'a> {
        Apply {
            session,
            shapes: &self.shapes,
            known: &self.owners,
            stage,
        }
    }

    /// What came of a batch; an error is one of the whole group.
    async fn apply(
        &self,
        session: &Session,
        stage: &mut Stage,
        batch: &Batch,
    ) -> Result<Outcome, Fault> {
        match self.applying(session, stage).batch(batch).await {
            Ok(committed) => Ok(Ok(committed)),
            Err(Fault::Refused(error)) => {
                self.alarm.hear(&error);
                Ok(Err(error))
            }
            Err(fault) => Err(fault),
        }
    }

    fn wanted(&self, batches: &[Batch], between: &[Between], stage: &Stage) -> Wanted {
        let mut ahead = Ahead {
            shapes: &self.shapes,
            known: &self.owners,
            found: &stage.found,
            last_log_id: self.state.last_log_id,
            wanted: Wanted::default(),
        };
        for batch in batches {
            ahead.batch(batch);
        }
        for question in between {
            ahead.question(question);
        }
        ahead.wanted
    }

    /// Remembers what a group has changed.
    fn learn(&mut self, stage: &Stage, turn: Turn) {
        self.state.commits = turn.commits;
        self.state.last_log_id = turn.last_log_id;
        self.state.next_owner = stage.next_owner;
        self.words.note(stage);
        self.state.owners_gone |= stage.has_dead || !stage.dead.is_empty();
        if self.owners.len() >= OWNERS_KNOWN_MAX {
            self.owners.clear();
        }
        let found = stage.found.owners.iter();
        for (owner, number) in found.chain(stage.owners.iter()) {
            match number {
                Some(number) => self.owners.insert(owner.clone(), *number),
                None => self.owners.remove(owner),
            };
        }
    }

    /// Learns again what it knows by heart, from what is committed. Questions are asked where it is.
    fn recall(&mut self, state: State) {
        self.readers.renew();
        self.words.look_again(state.last_log_id);
        self.noted.learn(state.commits);
        self.noted.write();
        self.state = state;
        self.owners.clear();
    }

    /// Until when what was asked is kept, now that the connection is lost: for those who ask while it stays so, it is
    /// the same time.
    fn lost_until(&mut self) -> Instant {
        let since = self.lost_since.get_or_insert_with(Instant::now);
        *since + self.options.recover_wait()
    }

    /// Nobody waits: takes the lock again, so that nobody else takes it.
    async fn return_idle(&mut self) {
        self.connection.cut();
        let until = self.lost_until();
        let once = Instant::now();
        match self.connection.restore(once, &self.state, None).await {
            Ok(restored) => {
                self.recall(restored.state);
                self.said_well();
            }
            Err(error) if once >= until => self.said_failing(&error),
            Err(error) => tracing::warn!(%error, "the connection to the database was lost"),
        }
    }

    fn said_well(&mut self) {
        self.lost_since = None;
        if std::mem::take(&mut self.failing) {
            tracing::info!("the database can be written again");
        }
    }

    fn said_failing(&mut self, error: &StoreError) {
        // Damage in one place says nothing of others.
        let is_damage = self.alarm.hear(error);
        if !is_damage && !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, "the database cannot be written; what would have to be stored is refused");
        }
    }

    /// One step of removing what deleted owners had, as a commit of its own: if it fails, nobody else does.
    async fn remove_gone(&mut self) {
        self.groups_since_gone_step = 0;
        let longest = self.options.answer_wait();
        let step = tokio::time::timeout(longest, self.gone_step()).await;
        match step {
            Ok(Ok(freed)) => {
                for hash in freed {
                    self.blobs.collect(hash);
                }
            }
            Ok(Err(Fault::Refused(error) | Fault::Failed(error))) => {
                self.alarm.hear(&error);
                tracing::error!(%error, "what deleted accounts had could not be removed; the next start goes on");
                self.state.owners_gone = false;
                self.connection.roll_back(longest).await;
            }
            // The connection is made again, and goes on with it.
            Ok(Err(Fault::Lost(_))) | Err(_) => self.connection.cut(),
        }
    }
}

/// What every connection of the writer has prepared.
pub(super) fn statements() -> Vec<&'static str> {
    fetch::STATEMENTS
        .iter()
        .chain(&flush::STATEMENTS)
        .chain(&word_index::STATEMENTS)
        .copied()
        .collect()
}
