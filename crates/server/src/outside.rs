//! What the server needs of the outside world: time, randomness, tasks, requests to web servers, and a store.
//!
//! The daemon gives the real ones, `testkit` gives simulated ones; nothing else in this crate
//! may know what time it is.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use waxwing_store::Store;

use crate::push::Endpoint;

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

/// A request to a web server elsewhere, by HTTPS: a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebRequest {
    /// Where it goes.
    pub endpoint: Endpoint,
    /// Header fields beside those that every request has, with values of visible ASCII.
    pub headers: Vec<(&'static str, String)>,
    /// What is posted.
    pub body: Bytes,
    /// Whether it may go to loopback and private addresses.
    pub private_addresses: bool,
    /// How long all of it may take, in seconds.
    pub secs_max: u64,
}

/// What a web server said. What it sent beside that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebAnswer {
    /// The status code (RFC 9110 §15), 200 to 599.
    pub status: u16,
    /// After how many seconds it may be tried again (RFC 9110 §10.2.3), where that was said in seconds.
    pub retry_after_secs: Option<u64>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// All its addresses are such as may not be reached.
    #[error("its address is a private one")]
    Private,
    /// There is no such name, nobody listens, or it is not who it should be.
    #[error("it cannot be reached")]
    Unreachable,
    /// The time is over.
    #[error("it does not answer in time")]
    Late,
    /// Too many requests are made at the moment; it was not even tried.
    #[error("too many requests are made at the moment")]
    Busy,
    /// This machine lacks what is needed for it.
    #[error("this machine cannot look up names, or trusts no authority")]
    Unready,
    /// What came is no HTTP, or too much of it.
    #[error("it does not speak HTTP")]
    Malformed,
}

/// Requests to web servers elsewhere.
pub trait Web: Send + Sync {
    /// Posts, and reads what is said of it. No redirect is followed: it is an answer like another.
    fn post(&self, request: WebRequest) -> BoxFuture<'static, Result<WebAnswer, WebError>>;
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
    /// Requests to web servers.
    pub web: Arc<dyn Web>,
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
