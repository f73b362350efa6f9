//! An executor, a clock and timers in one thread, the same for the same seed.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;
use waxwing_server::{Clock, Random, Tasks};
use waxwing_store::Store;

use crate::dice::{Dice, Seed, SharedDice};

/// When simulated time begins, in microseconds since the Unix epoch: the first of January 2026.
pub const START_MICROS: u64 = 1_767_225_600_000_000;

/// Simulated time that a future may wait for; what the server does every hour never ends.
const PATIENCE_MICROS: u64 = 24 * 3_600 * 1_000_000;

/// How often it looks whether a real store has answered before it gives up.
const LOOKS_MAX: u32 = 1_000_000;

/// Runs tasks one at a time, in an order that the seed gives, on a clock that only moves when told.
///
/// A clone is the same executor. It never waits, but for a store that is real: where nothing is ready, the caller moves
/// the clock.
#[derive(Clone)]
pub struct Executor(Arc<Inner>);

struct Inner {
    now_micros: AtomicU64,
    /// How far the clock that can be set is from the other, in microseconds.
    set_by_micros: AtomicI64,
    state: Mutex<State>,
    /// A store with threads of its own, whose answers take no simulated time.
    beside: Mutex<Option<Beside>>,
}

struct State {
    dice: Dice,
    numbers: u64,
    tasks: BTreeMap<u64, Task>,
    ready: Vec<Ready>,
    timers: BTreeMap<(u64, u64), Waker>,
}

struct Task {
    future: Option<BoxFuture<'static, ()>>,
    waker: Arc<TaskWaker>,
}

/// A store, and what lets it work for a moment.
struct Beside {
    store: Store,
    pause: fn(),
}

enum Ready {
    Task(u64),
    Work(Box<dyn FnOnce() + Send>),
}

struct TaskWaker {
    number: u64,
    queued: AtomicBool,
    executor: Weak<Inner>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::SeqCst)
            && let Some(executor) = self.executor.upgrade()
        {
            executor.lock().ready.push(Ready::Task(self.number));
        }
    }
}

impl Executor {
    /// An executor without tasks, at [`START_MICROS`].
    #[must_use]
    pub fn new(seed: Seed) -> Executor {
        Executor(Arc::new(Inner {
            now_micros: AtomicU64::new(START_MICROS),
            set_by_micros: AtomicI64::new(0),
            state: Mutex::new(State {
                dice: Dice::new(seed),
                numbers: 0,
                tasks: BTreeMap::new(),
                ready: Vec::new(),
                timers: BTreeMap::new(),
            }),
            beside: Mutex::default(),
        }))
    }

    /// The simulated time in microseconds since the Unix epoch, whatever [`set_clock`](Self::set_clock) did.
    #[must_use]
    pub fn now_micros(&self) -> u64 {
        self.0.now_micros.load(Ordering::SeqCst)
    }

    /// Sets the clock that the server shows and stores forward, or back, by so many microseconds.
    pub fn set_clock(&self, by_micros: i64) {
        self.0.set_by_micros.fetch_add(by_micros, Ordering::SeqCst);
    }

    /// From now on, nothing is taken for idle before this store has answered all that it was asked; `pause` has this thread
    /// wait for a moment.
    pub fn wait_for(&self, store: Store, pause: fn()) {
        *self.0.beside() = Some(Beside { store, pause });
    }

    /// Waits for no store any more.
    pub fn wait_for_none(&self) {
        *self.0.beside() = None;
    }

    /// Runs one thing that is ready; false if nothing is. True, too, where only a real store has answered meanwhile: that
    /// may have woken somebody who is no task.
    pub fn run_one(&self) -> bool {
        let mut has_waited = false;
        for _ in 0..LOOKS_MAX {
            // Asked first: what is answered in between is ready then.
            let waiting = self.0.waits_for_store();
            if self.run_one_ready() {
                return true;
            }
            let Some(pause) = waiting else {
                return has_waited;
            };
            has_waited = true;
            pause();
        }
        false
    }

    fn run_one_ready(&self) -> bool {
        let ready = {
            let mut state = self.0.lock();
            let count = state.ready.len() as u64;
            let Ok(at) = usize::try_from(state.dice.below(count)) else {
                return false;
            };
            if at >= state.ready.len() {
                return false;
            }
            state.ready.remove(at)
        };
        match ready {
            Ready::Task(number) => self.run_task(number),
            Ready::Work(work) => work(),
        }
        true
    }

    /// Runs until nothing is ready.
    pub fn run_ready(&self) {
        while self.run_one() {}
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_timer_micros(&self) -> Option<u64> {
        self.0.lock().timers.keys().next().map(|(at, _)| *at)
    }

    /// Moves the clock on, never back, and wakes who waits for that.
    pub fn advance_to(&self, at_micros: u64) {
        self.0.now_micros.fetch_max(at_micros, Ordering::SeqCst);
        let due: Vec<Waker> = {
            let mut state = self.0.lock();
            let later = state.timers.split_off(&(self.now_micros() + 1, 0));
            std::mem::replace(&mut state.timers, later)
                .into_values()
                .collect()
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// Runs a future, and everything beside it, until it gives a value. `None` if it never will: nothing is ready,
    /// and within a day no timer brings it on.
    pub fn block_on<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let outcome = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&outcome);
        self.spawn(Box::pin(async move {
            let value = future.await;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        }));
        let patience_micros = self.now_micros() + PATIENCE_MICROS;
        loop {
            if let Some(value) = outcome
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
            {
                return Some(value);
            }
            if !self.run_one() {
                let next = self.next_timer_micros();
                self.advance_to(next.filter(|at| *at <= patience_micros)?);
            }
        }
    }

    /// Drops every task and timer, as when the process dies.
    pub fn kill(&self) {
        let dead = {
            let mut state = self.0.lock();
            (
                std::mem::take(&mut state.tasks),
                std::mem::take(&mut state.ready),
                std::mem::take(&mut state.timers),
            )
        };
        // What a future drops may wake or spawn: without the lock.
        drop(dead);
    }

    fn run_task(&self, number: u64) {
        let (mut future, waker) = {
            let mut state = self.0.lock();
            let Some(task) = state.tasks.get_mut(&number) else {
                return;
            };
            task.waker.queued.store(false, Ordering::SeqCst);
            let Some(future) = task.future.take() else {
                return;
            };
            (future, Waker::from(Arc::clone(&task.waker)))
        };
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut state = self.0.lock();
        match (poll, state.tasks.get_mut(&number)) {
            (Poll::Pending, Some(task)) => task.future = Some(future),
            (Poll::Ready(()), Some(_)) => {
                state.tasks.remove(&number);
            }
            (_, None) => {}
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beside(&self) -> MutexGuard<'_, Option<Beside>> {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How to wait, if there is something to be waited for.
    fn waits_for_store(&self) -> Option<fn()> {
        let beside = self.beside();
        let beside = beside.as_ref();
        let waiting = beside.filter(|beside| beside.store.unanswered() > 0);
        waiting.map(|beside| beside.pause)
    }
}

impl Tasks for Executor {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        let mut state = self.0.lock();
        state.numbers += 1;
        let number = state.numbers;
        let waker = Arc::new(TaskWaker {
            number,
            queued: AtomicBool::new(true),
            executor: Arc::downgrade(&self.0),
        });
        state.tasks.insert(
            number,
            Task {
                future: Some(future),
                waker,
            },
        );
        state.ready.push(Ready::Task(number));
    }

    fn blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.0.lock().ready.push(Ready::Work(work));
    }
}

impl Clock for Executor {
    fn now_micros(&self) -> u64 {
        let set_by = self.0.set_by_micros.load(Ordering::SeqCst);
        Executor::now_micros(self).saturating_add_signed(set_by)
    }

    fn steady_micros(&self) -> u64 {
        Executor::now_micros(self)
    }

    fn sleep_until(&self, at_micros: u64) -> BoxFuture<'static, ()> {
        Box::pin(Sleep {
            executor: Arc::downgrade(&self.0),
            at_micros,
            timer: None,
        })
    }
}

impl Random for SharedDice {
    fn fill(&self, out: &mut [u8]) {
        self.fill_bytes(out);
    }
}

struct Sleep {
    executor: Weak<Inner>,
    at_micros: u64,
    timer: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(executor) = self.executor.upgrade() else {
            return Poll::Pending;
        };
        self.forget(&executor);
        if executor.now_micros.load(Ordering::SeqCst) >= self.at_micros {
            return Poll::Ready(());
        }
        let mut state = executor.lock();
        state.numbers += 1;
        let timer = (self.at_micros, state.numbers);
        state.timers.insert(timer, cx.waker().clone());
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Sleep {
    fn forget(&mut self, executor: &Inner) {
        if let Some(timer) = self.timer.take() {
            executor.lock().timers.remove(&timer);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(executor) = self.executor.upgrade() {
            self.forget(&executor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_of(seed: u64) -> Vec<u32> {
        let executor = Executor::new(Seed(seed));
        let order = Arc::new(Mutex::new(Vec::new()));
        for number in 0..6 {
            let (order, clock) = (Arc::clone(&order), executor.clone());
            executor.spawn(Box::pin(async move {
                clock.sleep_until(START_MICROS + 10).await;
                order.lock().unwrap().push(number);
            }));
        }
        executor.run_ready();
        assert_eq!(order.lock().unwrap().len(), 0);
        executor.advance_to(START_MICROS + 10);
        executor.run_ready();
        let order = order.lock().unwrap().clone();
        assert_eq!(order.len(), 6);
        order
    }

    #[test]
    fn the_seed_gives_the_order() {
        assert_eq!(order_of(3), order_of(3));
        assert!((0..20).any(|seed| order_of(seed) != order_of(3)));
    }

    #[test]
    fn time_moves_only_as_far_as_needed() {
        let executor = Executor::new(Seed(1));
        let clock = executor.clone();
        let woken = executor.block_on(async move {
            clock.sleep_until(START_MICROS + 5_000_000).await;
            clock.now_micros()
        });
        assert_eq!(woken, Some(START_MICROS + 5_000_000));
    }

    #[test]
    fn what_can_never_end_is_found() {
        let executor = Executor::new(Seed(1));
        assert_eq!(executor.block_on(std::future::pending::<()>()), None);
    }

    #[test]
    fn a_dropped_timer_wakes_nobody() {
        let executor = Executor::new(Seed(1));
        let mut sleep = executor.sleep_until(START_MICROS + 1);
        let waker = Waker::noop();
        assert!(
            sleep
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
        assert_eq!(executor.next_timer_micros(), Some(START_MICROS + 1));
        drop(sleep);
        assert_eq!(executor.next_timer_micros(), None);
    }
}
