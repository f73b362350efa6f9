//! What waits for the writer, and whose state is staged.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::backend::{Done, Query};
use crate::batch::Batch;
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::figures::Figures;
use crate::owner::Owner;

/// Work of the writer's thread, done in order.
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

/// The way to the writer.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
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
        self.push(
            waiting,
            Job::Commit(Submitted {
                number,
                batch,
                done,
            }),
        );
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
            self.push(waiting, Job::Read(query));
        }
        None
    }

    /// Queues the removal of a blob that has no lease any more.
    pub(super) fn collect(&self, hash: BlobHash) {
        let waiting = self.lock();
        if !waiting.closing {
            self.push(waiting, Job::Collect(hash));
        }
    }

    /// Everything that waits. Sleeps until there is something, unless the writer has other work; `None` when
    /// the queue is closed and empty.
    pub(super) fn take(&self, other_work: bool) -> Option<VecDeque<Job>> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closing {
                return None;
            }
            if other_work {
                break;
            }
            waiting = self
                .arrived
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Some(std::mem::take(&mut waiting.jobs))
    }

    /// Notes that these batches are on disk, or are not going to be.
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
        self.arrived.notify_all();
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

    fn push(&self, mut waiting: MutexGuard<'_, Waiting>, job: Job) {
        let first = waiting.jobs.is_empty();
        waiting.jobs.push_back(job);
        drop(waiting);
        // There is one taker, and it takes everything: where something waited already, it is awake.
        if first {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
