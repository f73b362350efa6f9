//! What waits for the writer, and whose state is staged.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::backend::{Done, Query};
use crate::batch::Batch;
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::figures::Figures;
use crate::limits::{UNHURRIED_MAX, UNHURRIED_MILLIS_MAX};
use crate::owner::Owner;

/// Work of the writer, done in order.
pub(super) enum Job {
    Commit(Submitted),
    /// A question that a batch before it may have changed the answer to.
    Read(Query),
    /// Remove this blob, unless something refers to it or leases it.
    Collect(BlobHash),
}

/// A batch, with its number.
pub(super) struct Submitted {
    pub(super) number: u64,
    pub(super) batch: Batch,
    pub(super) done: Done,
}

/// The way to the writer, from whatever thread.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// The number of the last batch that wrote to an owner, while it is not settled.
    staged: HashMap<Owner, u64>,
    submitted: u64,
    settled: u64,
    figures: Figures,
    closing: bool,
    /// Somebody waits for one of the jobs.
    hurried: bool,
    /// Jobs that nobody waits for, and when they are due.
    unhurried: usize,
    due: Option<Instant>,
}

impl Waiting {
    fn is_due(&self) -> bool {
        self.hurried
            || self.unhurried >= UNHURRIED_MAX
            || self.closing
            || self.due.is_some_and(|due| due <= Instant::now())
    }
}

impl Queue {
    /// Queues a batch. A closed queue answers at once.
    pub(super) fn submit(&self, batch: Batch, done: Done) {
        let mut waiting = self.lock();
        if waiting.closing {
            drop(waiting);
            done(Err(StoreError::Closed));
            return;
        }
        waiting.submitted += 1;
        let number = waiting.submitted;
        for owner in batch.owners() {
            match waiting.staged.get_mut(owner) {
                Some(last) => *last = number,
                None => {
                    waiting.staged.insert(owner.clone(), number);
                }
            }
        }
        let hurried = !batch.is_unhurried();
        let submitted = Submitted {
            number,
            batch,
            done,
        };
        self.push(waiting, Job::Commit(submitted), hurried);
    }

    /// Queues a question that looks at staged state; gives any other back.
    pub(super) fn read(&self, query: Query) -> Option<Query> {
        let waiting = self.lock();
        let staged = match query.owner() {
            Some(owner) => waiting.staged.contains_key(owner),
            None => waiting.submitted > waiting.settled,
        };
        // The writer knows the last id by heart.
        if !staged && !matches!(query, Query::LastLogId(_)) {
            return Some(query);
        }
        if waiting.closing {
            drop(waiting);
            query.fail(StoreError::Closed);
        } else {
            self.push(waiting, Job::Read(query), true);
        }
        None
    }

    /// Queues the removal of a blob that has no lease any more.
    pub(super) fn collect(&self, hash: BlobHash) {
        let waiting = self.lock();
        if !waiting.closing {
            self.push(waiting, Job::Collect(hash), true);
        }
    }

    /// Everything that waits. Sleeps until somebody waits for something of it, or it has waited long enough, unless the
    /// writer has other work; `None` when the queue is closed and empty. Nothing is lost where this is not awaited to
    /// its end.
    pub(super) async fn take(&self, other_work: bool) -> Option<VecDeque<Job>> {
        loop {
            let sleep = {
                let mut waiting = self.lock();
                if waiting.is_due() || other_work {
                    return waiting.take();
                }
                waiting
                    .due
                    .map(|due| due.saturating_duration_since(Instant::now()))
            };
            // A notice that comes before this is kept for it.
            let arrived = self.arrived.notified();
            match sleep {
                Some(longest) => {
                    let _woken = tokio::time::timeout(longest, arrived).await;
                }
                None => arrived.await,
            }
        }
    }

    /// Notes that these batches are stored, or are not going to be.
    pub(super) fn settle<'a>(&self, last: u64, batches: impl Iterator<Item = &'a Batch>) {
        let mut waiting = self.lock();
        let settled = last.saturating_sub(waiting.settled);
        waiting.figures.settle(settled);
        waiting.settled = last;
        for owner in batches.flat_map(Batch::owners) {
            if waiting
                .staged
                .get(owner)
                .is_some_and(|number| *number <= last)
            {
                waiting.staged.remove(owner);
            }
        }
    }

    /// What was done, and what waits.
    pub(super) fn figures(&self) -> Figures {
        let waiting = self.lock();
        Figures {
            waiting: waiting.submitted.saturating_sub(waiting.settled),
            ..waiting.figures
        }
    }

    /// Takes nothing more; what waits is still done.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.arrived.notify_one();
    }

    /// Takes nothing more, and drops what waits: the writer is gone.
    pub(super) fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.closing = true;
        let jobs = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        for job in jobs {
            match job {
                Job::Commit(submitted) => (submitted.done)(Err(StoreError::Closed)),
                Job::Read(query) => query.fail(StoreError::Closed),
                Job::Collect(_) => {}
            }
        }
    }

    fn push(&self, mut waiting: MutexGuard<'_, Waiting>, job: Job, hurried: bool) {
        waiting.jobs.push_back(job);
        waiting.hurried |= hurried;
        let is_first = !hurried && waiting.unhurried == 0;
        if is_first {
            waiting.due = Some(Instant::now() + Duration::from_millis(UNHURRIED_MILLIS_MAX));
        }
        waiting.unhurried += usize::from(!hurried);
        let wakes = is_first || waiting.is_due();
        drop(waiting);
        if wakes {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Option<VecDeque<Job>> {
        if self.closing && self.jobs.is_empty() {
            return None;
        }
        self.hurried = false;
        self.unhurried = 0;
        self.due = None;
        Some(std::mem::take(&mut self.jobs))
    }
}
