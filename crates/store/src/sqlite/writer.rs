//! The writer: one thread, one commit for everything that waits.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use super::apply::Writes;
use super::checkpoint::Checkpoints;
use super::fault::{Fault, failed};
use super::kept::Kept;
use super::open::writer_connection;
use super::pool::Pool;
use super::queue::{Job, Queue, Submitted};
use super::read::{answer, is_light};
use crate::alarm::Alarm;
use crate::backend::{Done, Query};
use crate::batch::{Batch, Committed};
use crate::blob::BlobHash;
use crate::error::StoreError;

/// Bytes of batches after which a group is committed, though more waits: SQLite holds what it changed in memory.
const GROUP_BYTES_MAX: usize = 64 << 20;
/// Groups between two steps that remove what deleted owners had, while there is no idle moment for one.
const GROUPS_PER_GONE_STEP: u32 = 8;

pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) bytes_max: Option<u64>,
    pub(super) queue: Arc<Queue>,
    pub(super) writes: Writes,
    pub(super) readers: Arc<Pool<Query>>,
    pub(super) checkpoints: Checkpoints,
    pub(super) alarm: Arc<Alarm>,
    pub(super) blobs: Kept,
    /// The connection could not be brought back to what is committed.
    pub(super) broken: bool,
    /// The last commit failed, which was said.
    pub(super) failing: bool,
    pub(super) groups_since_gone_step: u32,
}

/// Batches that are committed together.
#[derive(Default)]
struct Group {
    batches: Vec<Batch>,
    outcomes: Vec<(Done, Result<Committed, StoreError>)>,
    last: u64,
    bytes: usize,
    /// A transaction is open.
    begun: bool,
    failed: Option<StoreError>,
    /// For after the commit.
    questions: Vec<Query>,
    collect: Vec<BlobHash>,
}

/// Tells the queue when the thread ends, however it does.
struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _abandon = Abandon(Arc::clone(&self.queue));
        while let Some(jobs) = self.queue.take(self.has_other_work()) {
            self.restart_log();
            let idle = jobs.is_empty();
            self.work(jobs);
            self.groups_since_gone_step += 1;
            if self.writes.owners_gone
                && (idle || self.groups_since_gone_step >= GROUPS_PER_GONE_STEP)
            {
                self.remove_gone();
            }
            self.follow(idle);
        }
        if !self.broken {
            let Writes {
                words, db, shapes, ..
            } = &mut self.writes;
            words.settle(db, shapes);
        }
    }

    /// Whether there is something to do when nobody waits.
    fn has_other_work(&self) -> bool {
        let writes = &self.writes;
        writes.owners_gone || !self.broken && writes.words.is_due(writes.next_payload)
    }

    /// Has the index of words follow, where nobody waits, or where it is far behind. It reads what is committed, and the
    /// writer is between two transactions.
    fn follow(&mut self, idle: bool) {
        let next = self.writes.next_payload;
        let words = &mut self.writes.words;
        let is_due = match idle {
            true => words.is_due(next),
            false => words.is_pressing(next),
        };
        if is_due && !self.broken {
            words.step(&self.writes.db, &self.writes.shapes, next);
        }
    }

    fn work(&mut self, jobs: VecDeque<Job>) {
        let mut group = Group::default();
        for job in jobs {
            match job {
                Job::Commit(submitted) => {
                    self.apply(&mut group, submitted);
                    if group.bytes >= GROUP_BYTES_MAX {
                        self.finish(std::mem::take(&mut group));
                    }
                }
                Job::Read(query) if is_light(&query) => {
                    self.write_last_put(&mut group);
                    answer(
                        &self.writes.db,
                        &self.writes.shapes,
                        self.writes.last_log_id,
                        query,
                    );
                }
                Job::Read(query) => group.questions.push(query),
                Job::Collect(hash) => group.collect.push(hash),
            }
        }
        self.finish(group);
    }

    /// Applies one batch to the group's transaction.
    fn apply(&mut self, group: &mut Group, submitted: Submitted) {
        let Submitted {
            number,
            batch,
            done,
        } = submitted;
        let result = match &group.failed {
            Some(error) => Err(error.clone()),
            None => self
                .begin(group)
                .and_then(|()| self.writes.apply(&batch))
                .map_err(|fault| match fault {
                    Fault::Refused(error) => error,
                    Fault::Failed(error) => {
                        self.fail(group, &error);
                        error
                    }
                }),
        };
        group.last = number;
        group.bytes += batch.bytes();
        group.batches.push(batch);
        group.outcomes.push((done, result));
    }

    fn begin(&mut self, group: &mut Group) -> Result<(), Fault> {
        if !group.begun {
            if self.broken {
                self.recover()?;
            }
            self.writes
                .db
                .prepare_cached("BEGIN IMMEDIATE")?
                .execute([])?;
            group.begun = true;
        }
        Ok(())
    }

    /// Commits, and tells everyone.
    fn finish(&mut self, mut group: Group) {
        if group.begun && group.failed.is_none() {
            let committed = self.commit();
            if let Err(error) = committed {
                self.fail(&mut group, &failed(&error));
            } else if std::mem::take(&mut self.failing) {
                tracing::info!("the database can be written again");
            }
        }
        if !group.outcomes.is_empty() {
            self.queue.settle(group.last, group.batches.iter());
        }
        for (done, result) in group.outcomes {
            done(result);
        }
        for query in group.questions {
            if let Some(query) = self.readers.push(query) {
                query.fail(StoreError::Closed);
            }
        }
        // Leases of the batches end here; what they leave without a reference comes back by the queue.
        drop(group.batches);
        group.collect.append(&mut self.writes.freed);
        for hash in group.collect {
            self.collect(&hash);
        }
    }

    /// Whoever reads sees what was put.
    fn write_last_put(&mut self, group: &mut Group) {
        if group.begun
            && group.failed.is_none()
            && let Err(error) = self.writes.write_last_put()
        {
            self.fail(group, &failed(&error));
        }
    }

    fn commit(&mut self) -> rusqlite::Result<()> {
        self.writes.write_last_put()?;
        self.writes.remove_payloads()?;
        self.writes.write_high_water()?;
        self.writes.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Fails the group: nothing of it was stored.
    fn fail(&mut self, group: &mut Group, error: &StoreError) {
        // Damage in one place says nothing of others.
        let is_damage = self.alarm.hear(error);
        let is_news = !is_damage && !std::mem::replace(&mut self.failing, true);
        if is_news {
            tracing::error!(%error, "the database cannot be written; what would have to be stored is refused");
        }
        for (_, result) in &mut group.outcomes {
            if result.is_ok() {
                *result = Err(error.clone());
            }
        }
        group.failed = Some(error.clone());
        if let Err(error) = self.recover()
            && is_news
        {
            tracing::error!(
                ?error,
                "the database could not be brought back to its last commit"
            );
        }
    }

    /// Brings the connection back to what is committed; with a new one if it must.
    fn recover(&mut self) -> Result<(), Fault> {
        self.broken = true;
        let mut back = self.roll_back();
        if back.is_err() {
            self.writes.db = writer_connection(&self.path, self.bytes_max)?;
            self.checkpoints.watch(&mut self.writes.db)?;
            back = self.roll_back();
        }
        back?;
        self.broken = false;
        Ok(())
    }

    fn roll_back(&mut self) -> rusqlite::Result<()> {
        if !self.writes.db.is_autocommit() {
            self.writes.db.execute_batch("ROLLBACK")?;
        }
        self.writes.recall()
    }

    /// One step of removing what deleted owners had, as a commit of its own: if it fails, nobody else does.
    fn remove_gone(&mut self) {
        self.groups_since_gone_step = 0;
        let step = self
            .writes
            .db
            .execute_batch("BEGIN IMMEDIATE")
            .and_then(|()| {
                self.writes.remove_gone()?;
                self.commit()
            });
        match step {
            Ok(()) => self.finish(Group::default()),
            Err(error) => {
                self.alarm.hear(&failed(&error));
                tracing::error!(%error, "what deleted accounts had could not be removed; the next start goes on");
                if let Err(error) = self.recover() {
                    tracing::error!(
                        ?error,
                        "the database could not be brought back to its last commit"
                    );
                }
                self.writes.owners_gone = false;
            }
        }
    }

    /// Removes a blob's file, unless something refers to it. The writer alone changes references, and it is
    /// between two transactions.
    fn collect(&self, hash: &BlobHash) {
        match self.writes.is_referenced(hash) {
            Ok(true) => {}
            Ok(false) => self.blobs.remove(hash),
            Err(error) => {
                self.alarm.hear(&failed(&error));
                tracing::error!(%error, "a blob's references could not be read; it stays");
            }
        }
    }

    /// Starts the write-ahead log from its beginning where it has grown long: the copying was done beside us,
    /// so this takes little.
    fn restart_log(&mut self) {
        if self.checkpoints.is_restart_due() {
            self.checkpoints.restart(&self.writes.db);
        }
    }
}
