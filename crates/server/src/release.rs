//! The release queue: persist, then deliver, then acknowledge, without waiting one by one.
//!
//! Each session has one. The stanzas of a stream are staged in order; what a stanza causes
//! (deliveries, results, acknowledgements) sits here until the commit that carries its writes is
//! durable, and leaves in order. A stanza without writes leaves at once when nothing is before it,
//! so typing never overtakes the message before it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use waxwing_store::StoreError;

use crate::effects::After;
use crate::server::Server;
use crate::session::Session;

/// Entries that a queue keeps room for, once it was longer.
const ENTRIES_KEPT: usize = 64;

/// What happens when a stanza's commit has failed.
pub(crate) type OnFailure = Box<dyn FnOnce(&StoreError) -> Vec<After> + Send>;

struct Entry {
    /// `None` while the commit is on its way.
    commit: Option<Result<(), StoreError>>,
    after: Vec<After>,
    on_failure: Option<OnFailure>,
    counts: bool,
}

#[derive(Default)]
struct Inner {
    entries: VecDeque<Entry>,
    /// Number of the entry at the front.
    first: u64,
    draining: bool,
}

/// The ordered queue of one session.
#[derive(Default)]
pub(crate) struct ReleaseQueue(Mutex<Inner>);

/// What is put into the queue for one inbound element.
pub(crate) struct Held {
    pub(crate) after: Vec<After>,
    pub(crate) on_failure: Option<OnFailure>,
    /// Whether it is a stanza, which XEP-0198 counts once it is released.
    pub(crate) counts: bool,
}

impl ReleaseQueue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends an entry and returns its number; `waits` says that a commit will be reported by [`ReleaseQueue::committed`].
    pub(crate) fn push(&self, held: Held, waits: bool) -> u64 {
        let mut inner = self.lock();
        let number = inner.first + inner.entries.len() as u64;
        if inner.entries.capacity() == 0 {
            // Most clients wait for what they have sent.
            inner.entries.reserve_exact(1);
        }
        inner.entries.push_back(Entry {
            commit: if waits { None } else { Some(Ok(())) },
            after: held.after,
            on_failure: held.on_failure,
            counts: held.counts,
        });
        number
    }

    fn committed(&self, number: u64, result: Result<(), StoreError>) {
        let mut inner = self.lock();
        let at = number
            .checked_sub(inner.first)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(entry) = at.and_then(|at| inner.entries.get_mut(at)) {
            entry.commit = Some(result);
        }
    }

    /// Stanzas that are staged and not yet released.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().entries.len()
    }

    /// Whether nothing waits, and nothing of what was released is still to take effect.
    pub(crate) fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.entries.is_empty() && !inner.draining
    }

    fn pop_ready(&self) -> Option<(Entry, Result<(), StoreError>)> {
        let mut inner = self.lock();
        let ready = inner
            .entries
            .front_mut()
            .and_then(|entry| entry.commit.take());
        let popped = match ready {
            Some(result) => {
                inner.first += 1;
                inner.entries.pop_front().map(|entry| (entry, result))
            }
            None => None,
        };
        if popped.is_none() {
            inner.draining = false;
            if inner.entries.capacity() > ENTRIES_KEPT {
                inner.entries.shrink_to(ENTRIES_KEPT);
            }
        }
        popped
    }

    /// Releases what is ready. One thread at a time drains a queue, so that order holds.
    pub(crate) fn drain(&self, server: &Server, session: &Arc<Session>) {
        {
            let mut inner = self.lock();
            if inner.draining {
                return;
            }
            inner.draining = true;
        }
        while let Some((entry, result)) = self.pop_ready() {
            let after = match (result, entry.on_failure) {
                (Ok(()), _) => entry.after,
                (Err(error), Some(on_failure)) => on_failure(&error),
                (Err(_), None) => Vec::new(),
            };
            for effect in after {
                effect.run(server);
            }
            session.released(entry.counts);
        }
    }
}

struct Done {
    session: Arc<Session>,
    number: u64,
    result: Result<(), StoreError>,
}

/// Completed commits on their way from the store's thread to the task that releases.
#[derive(Default)]
pub(crate) struct Releaser {
    done: Mutex<(Vec<Done>, Option<Waker>)>,
}

impl Releaser {
    /// Called by the store, in the order of submission; only notes and wakes.
    pub(crate) fn note(&self, session: Arc<Session>, number: u64, result: Result<(), StoreError>) {
        let waker = {
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            done.0.push(Done {
                session,
                number,
                result,
            });
            done.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Releases everything that became durable; pending for ever after, as a task of its own.
    pub(crate) fn poll(&self, server: &Server, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let batch = {
                let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
                if done.0.is_empty() {
                    done.1 = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                std::mem::take(&mut done.0)
            };
            for Done {
                session,
                number,
                result,
            } in batch
            {
                session.release.committed(number, result);
                session.release.drain(server, &session);
                server.note_released();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is about to be shown is not unseen.
    #[test]
    fn a_queue_is_idle_once_effects_have_run() {
        let queue = ReleaseQueue::default();
        assert!(queue.is_idle());
        let held = Held {
            after: vec![After::Call(Box::new(|_| {}))],
            on_failure: None,
            counts: true,
        };
        queue.push(held, false);
        assert!(!queue.is_idle());
        queue.lock().draining = true;
        assert!(queue.pop_ready().is_some());
        assert!(queue.waiting() == 0 && !queue.is_idle());
        assert!(queue.pop_ready().is_none());
        assert!(queue.is_idle());
    }
}
