//! What the server needs of the outside world: time, randomness, tasks and a store.
//!
//! The daemon gives the real ones, `testkit` gives simulated ones; nothing else in this crate
//! may know what time it is.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use waxwing_store::Store;

/// Time, twice, and timers.
pub trait Clock: Send + Sync {
    /// Microseconds since the Unix epoch, as the machine has it: what is stored and shown. Somebody may set it, forward
    /// and back.
    fn now_micros(&self) -> u64;
    /// Microseconds since some moment, of a clock that nobody sets: what waits and limits count by.
    fn steady_micros(&self) -> u64;
    /// Resolves when [`Clock::steady_micros`] has reached `at_micros`.
    fn sleep_until(&self, at_micros: u64) -> BoxFuture<'static, ()>;
}

/// Randomness fit for secrets.
pub trait Random: Send + Sync {
    /// Fills `out` with unpredictable bytes.
    fn fill(&self, out: &mut [u8]);
}

/// Tasks that outlive the call that started them.
pub trait Tasks: Send + Sync {
    /// Runs `task` to its end beside everything else.
    fn spawn(&self, task: BoxFuture<'static, ()>);
    /// Runs `work`, which takes long (key stretching), where it holds up no connection.
    fn blocking(&self, work: Box<dyn FnOnce() + Send>);
}

/// Everything the server reaches outside itself.
#[derive(Clone)]
pub struct Outside {
    /// Where state is kept.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Tasks.
    pub tasks: Arc<dyn Tasks>,
}

impl Outside {
    /// A token of `BYTES` random bytes, in lower-case hexadecimal: ids of streams, sessions, resources.
    pub fn token<const BYTES: usize>(&self) -> String {
        let mut raw = [0; BYTES];
        self.random.fill(&mut raw);
        let digits = raw.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16));
        let mut token = String::with_capacity(2 * BYTES);
        token.extend(digits);
        token
    }
}
