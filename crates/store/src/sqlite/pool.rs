//! Threads that take work from one queue.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// A queue of work, and whether more may come.
pub(crate) struct Pool<W> {
    waiting: Mutex<(VecDeque<W>, bool)>,
    arrived: Condvar,
}

impl<W: Send + 'static> Pool<W> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new((VecDeque::new(), false)),
            arrived: Condvar::new(),
        })
    }

    /// Starts a thread that does work as it comes, until the pool is closed and empty.
    pub(crate) fn start(
        self: &Arc<Self>,
        name: &str,
        mut work: impl FnMut(W) + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let pool = Arc::clone(self);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(next) = pool.take() {
                work(next);
            }
        })
    }

    /// Queues work; gives it back where the pool is closed.
    pub(crate) fn push(&self, work: W) -> Option<W> {
        let mut waiting = self.lock();
        if waiting.1 {
            return Some(work);
        }
        waiting.0.push_back(work);
        drop(waiting);
        self.arrived.notify_one();
        None
    }

    /// Takes nothing more; what waits is still done.
    pub(crate) fn close(&self) {
        self.lock().1 = true;
        self.arrived.notify_all();
    }

    fn take(&self) -> Option<W> {
        let mut waiting = self.lock();
        loop {
            if let Some(work) = waiting.0.pop_front() {
                return Some(work);
            }
            if waiting.1 {
                return None;
            }
            waiting = self
                .arrived
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, (VecDeque<W>, bool)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
