//! The real outside: the system's clock and randomness, tokio's timers and tasks.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use waxwing_server::{Clock, Outside, Random, Tasks};
use waxwing_store::Store;

use crate::posting::Posting;

/// Microseconds since the Unix epoch.
pub(crate) fn unix_micros() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Microseconds since the program began, of the clock that nobody sets.
pub(crate) fn steady_micros() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// How long it is until a time of [`steady_micros`]; nothing where it has passed.
pub(crate) fn until(at_micros: u64) -> Duration {
    Duration::from_micros(at_micros.saturating_sub(steady_micros()))
}

struct System;

impl Clock for System {
    fn now_micros(&self) -> u64 {
        unix_micros()
    }

    fn steady_micros(&self) -> u64 {
        steady_micros()
    }

    fn sleep_until(&self, at_micros: u64) -> BoxFuture<'static, ()> {
        tokio::time::sleep(until(at_micros)).boxed()
    }
}

impl Random for System {
    fn fill(&self, out: &mut [u8]) {
        if getrandom::fill(out).is_err() {
            // Nothing secret can be made without it; no request may go on with zeros.
            tracing::error!("the system gives no random numbers");
            std::process::abort();
        }
    }
}

impl Tasks for System {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn blocking(&self, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(work);
    }
}

/// The outside of a server on `store`.
pub(crate) fn outside(store: Store) -> Outside {
    Outside {
        store,
        clock: Arc::new(System),
        random: Arc::new(System),
        tasks: Arc::new(System),
        web: Arc::new(Posting::new()),
    }
}
