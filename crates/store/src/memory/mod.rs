//! The double: the shapes in memory, for tests.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::{Backend, BackupOut, BackupOutcome, BlobFiles, Done, Query};
use crate::backup::BackupAbout;
use crate::batch::{Batch, Committed};
use crate::error::{OpenError, StoreError};
use crate::reply::Reply;
use crate::shape::{Shape, declared};
use crate::store::Store;

mod apply;
mod blobs;
mod dump;
mod open;
mod read;
mod state;

use blobs::MemoryBlobs;
use read::Late;
use state::State;

/// A store in memory that behaves as one on a disk does, power cuts included, and always the same way.
///
/// A commit is durable, and its `done` is called, inside `submit`; after [`hold`](Self::hold) not before
/// [`release`](Self::release). A clone is the same memory.
#[derive(Clone, Default)]
pub struct Memory {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    shapes: BTreeMap<&'static str, Shape>,
    /// Counts openings and crashes; a handle of an older life is dead.
    life: u64,
    /// With every batch that was submitted.
    staged: State,
    /// While commits are held: with those that are on disk.
    durable: Option<State>,
    held: VecDeque<Held>,
    failing: Option<StoreError>,
    /// While questions are answered late: answers as they were found, in the order of asking.
    late: Option<Vec<Late>>,
    /// Asked since there is this memory.
    questions: u64,
    blobs: Arc<MemoryBlobs>,
    /// Outcomes on their way to their callbacks.
    outcomes: VecDeque<Outcome>,
    /// Somebody is calling them, in order.
    calling: bool,
}

struct Held {
    batch: Batch,
    outcome: Outcome,
}

struct Outcome {
    done: Done,
    result: Result<Committed, StoreError>,
}

impl Memory {
    /// An empty memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens it, with migrations where shapes have changed. As with a machine that starts again, handles from
    /// before are dead, and what was held is lost.
    ///
    /// # Errors
    /// What is documented at [`OpenError`]; the memory is then as it was.
    pub fn open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        let shapes = declared(shapes)?;
        self.crash();
        let mut inner = self.lock();
        inner.staged = open::migrated(&inner.staged, &shapes)?;
        inner.shapes = shapes;
        inner.blobs.collect(|hash| inner.staged.is_referenced(hash));
        Ok(Store::new(Arc::new(Handle {
            memory: self.clone(),
            life: inner.life,
            blobs: Arc::clone(&inner.blobs),
        })))
    }

    /// From now on commits are staged, and seen by reads, but not durable.
    pub fn hold(&self) {
        let mut inner = self.lock();
        if inner.durable.is_none() {
            inner.durable = Some(inner.staged.clone());
        }
    }

    /// How many questions were asked: a test can say how many an act may need.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.lock().questions
    }

    /// From now on questions are answered as things are when they are asked, but later.
    pub fn answer_late(&self) {
        self.lock().late.get_or_insert_default();
    }

    /// How many answers are still to be given.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.lock().late.as_ref().map_or(0, Vec::len)
    }

    /// Gives one of these answers.
    pub fn answer_one(&self, which: usize) {
        let answer = {
            let mut inner = self.lock();
            let late = inner.late.as_mut().filter(|late| which < late.len());
            late.map(|late| late.remove(which))
        };
        if let Some(answer) = answer {
            answer();
        }
    }

    /// Gives all of these answers, and answers at once from now on; whether it was otherwise.
    pub fn answer_at_once(&self) -> bool {
        let late = self.lock().late.take();
        let was = late.is_some();
        late.into_iter().flatten().for_each(|answer| answer());
        was
    }

    /// How many commits are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// Makes the first `count` of the held commits durable, and calls their `done`s. The others stay held, as do
    /// new ones.
    pub fn release_first(&self, count: usize) {
        self.lock().settle(count);
        self.call_outcomes();
    }

    /// Makes all held commits durable, and holds no more.
    pub fn release(&self) {
        let mut inner = self.lock();
        inner.settle(usize::MAX);
        inner.durable = None;
        drop(inner);
        self.call_outcomes();
    }

    /// From now on every commit fails with this error, those that are held too, until it is `None` again.
    pub fn fail(&self, error: Option<StoreError>) {
        let mut inner = self.lock();
        inner.failing = error;
        inner.settle_failed();
        drop(inner);
        self.call_outcomes();
    }

    /// Cuts the power: what is not durable is lost, every handle is dead, and no `done` of a held commit is
    /// called.
    pub fn crash(&self) {
        let mut inner = self.lock();
        inner.life += 1;
        inner.blobs = Arc::new(inner.blobs.next_life());
        let held = std::mem::take(&mut inner.held);
        let outcomes = std::mem::take(&mut inner.outcomes);
        let late = inner.late.as_mut().map(std::mem::take);
        if let Some(durable) = inner.durable.take() {
            inner.staged = durable;
        }
        drop(inner);
        // Their owners may look at the store when they go.
        drop((held, outcomes, late));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the waiting callbacks in order, one at a time, without the lock: they may submit more.
    fn call_outcomes(&self) {
        let mut inner = self.lock();
        if std::mem::replace(&mut inner.calling, true) {
            return;
        }
        while let Some(outcome) = inner.outcomes.pop_front() {
            drop(inner);
            (outcome.done)(outcome.result);
            inner = self.lock();
        }
        inner.calling = false;
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn submit(&mut self, batch: Batch, done: Done) {
        let result = match &self.failing {
            Some(error) => Err(error.clone()),
            None => self.staged.apply(&batch, &self.shapes, &self.blobs),
        };
        let outcome = Outcome { done, result };
        if self.durable.is_some() {
            self.held.push_back(Held { batch, outcome });
        } else {
            self.outcomes.push_back(outcome);
            self.collect_blobs(&batch);
        }
    }

    /// Makes the first held commits durable.
    fn settle(&mut self, count: usize) {
        for _ in 0..count {
            let Some(Held { batch, outcome }) = self.held.pop_front() else {
                break;
            };
            if let Some(durable) = &mut self.durable
                && outcome.result.is_ok()
            {
                // The same batch on the same state, so with the same outcome.
                let again = durable.apply(&batch, &self.shapes, &self.blobs);
                debug_assert_eq!(again, outcome.result);
            }
            self.outcomes.push_back(outcome);
            self.collect_blobs(&batch);
        }
    }

    /// Fails the held commits where commits fail.
    fn settle_failed(&mut self) {
        let (Some(error), Some(durable)) = (&self.failing, &self.durable) else {
            return;
        };
        self.staged = durable.clone();
        for Held { outcome, .. } in self.held.drain(..) {
            self.outcomes.push_back(Outcome {
                done: outcome.done,
                result: Err(error.clone()),
            });
        }
    }

    /// Removes the blobs that a durable batch left without a reference.
    fn collect_blobs(&self, batch: &Batch) {
        if batch.may_free_blobs() || self.blobs.has_released() {
            self.blobs.collect(|hash| {
                self.staged.is_referenced(hash)
                    || self
                        .durable
                        .as_ref()
                        .is_some_and(|durable| durable.is_referenced(hash))
            });
        }
    }
}

/// A handle of one life of the memory.
struct Handle {
    memory: Memory,
    life: u64,
    blobs: Arc<MemoryBlobs>,
}

impl Backend for Handle {
    fn submit(&self, batch: Batch, done: Done) {
        let mut inner = self.memory.lock();
        if inner.life != self.life {
            drop(inner);
            drop(done);
            return;
        }
        inner.submit(batch, done);
        drop(inner);
        self.memory.call_outcomes();
    }

    fn read(&self, query: Query) {
        let mut inner = self.memory.lock();
        inner.questions += 1;
        if inner.life != self.life {
            drop(inner);
            return query.fail(StoreError::Closed);
        }
        let answer = read::answer(&inner.staged, &inner.shapes, query);
        match &mut inner.late {
            Some(late) => late.push(answer),
            None => {
                drop(inner);
                answer();
            }
        }
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }

    fn blobs(&self) -> Arc<dyn BlobFiles> {
        Arc::<MemoryBlobs>::clone(&self.blobs)
    }

    fn backup(&self, mut out: BackupOut, about: BackupAbout, reply: Reply<BackupOutcome>) {
        let inner = self.memory.lock();
        if inner.life == self.life {
            reply.send(Ok(inner.backup(&mut out, about)));
        } else {
            drop(inner);
            reply.send(Err(StoreError::Closed));
        }
    }
}

impl Store {
    /// A new [`Memory`], opened: for tests that need no more of it.
    ///
    /// # Errors
    /// [`OpenError::Declared`], where the shapes contradict each other.
    pub fn memory(shapes: &[Shape]) -> Result<Self, OpenError> {
        Memory::new().open(shapes)
    }
}
