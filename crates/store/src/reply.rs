//! One answer to one question, as a future that any executor can poll.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::StoreError;

struct Slot<T> {
    answer: Option<Result<T, StoreError>>,
    waker: Option<Waker>,
}

type Shared<T> = Arc<Mutex<Slot<T>>>;

fn lock<T>(slot: &Shared<T>) -> MutexGuard<'_, Slot<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answering side. Dropped without an answer, it answers [`StoreError::Closed`].
pub(crate) struct Reply<T> {
    slot: Option<Shared<T>>,
    /// Goes when whoever waits has been woken.
    _awaited: Option<Awaited>,
}

/// How many answers are awaited.
pub(crate) type Unanswered = Arc<AtomicUsize>;

/// One of them, until this is dropped.
pub(crate) struct Awaited(Unanswered);

impl Awaited {
    pub(crate) fn new(all: &Unanswered) -> Self {
        all.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(all))
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The asking side.
pub(crate) struct Answer<T>(Shared<T>);

/// Both sides of one question.
pub(crate) fn reply<T>() -> (Reply<T>, Answer<T>) {
    let shared = Arc::new(Mutex::new(Slot {
        answer: None,
        waker: None,
    }));
    let reply = Reply {
        slot: Some(Arc::clone(&shared)),
        _awaited: None,
    };
    (reply, Answer(shared))
}

impl<T> Reply<T> {
    /// The same, and it is one of those that are awaited.
    pub(crate) fn counted(mut self, all: &Unanswered) -> Self {
        self._awaited = Some(Awaited::new(all));
        self
    }

    pub(crate) fn send(mut self, answer: Result<T, StoreError>) {
        self.put(answer);
    }

    fn put(&mut self, answer: Result<T, StoreError>) {
        let Some(shared) = self.slot.take() else {
            return;
        };
        let mut slot = lock(&shared);
        slot.answer = Some(answer);
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.put(Err(StoreError::Closed));
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, StoreError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = lock(&self.0);
        if let Some(answer) = slot.answer.take() {
            return Poll::Ready(answer);
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
