//! When connections cannot be accepted: said once, and once more when it is over.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a listener waits where nothing can be accepted: what keeps it from that ends elsewhere.
const PAUSE: Duration = Duration::from_millis(200);
/// No descriptor is left to this process, or to the system; no memory for sockets (accept(2)).
const SHORT: [i32; 4] = [24, 23, 105, 12];

/// How long nothing may fail until a shortage counts as over: while it lasts, each connection that ends lets one
/// other in.
const OVER_AFTER: Duration = Duration::from_secs(3);

/// Shared by all listeners, so that one shortage is one line in the log.
#[derive(Debug, Default)]
pub(crate) struct Accepting {
    /// When it failed last, since it was said.
    short: Mutex<Option<Instant>>,
}

impl Accepting {
    /// A connection was accepted.
    pub(crate) fn worked(&self) {
        let mut short = self.short.lock().unwrap_or_else(PoisonError::into_inner);
        if short.is_some_and(|last| last.elapsed() >= OVER_AFTER) {
            *short = None;
            tracing::info!("connections are accepted again");
        }
    }

    /// None was; waits before the next attempt where that helps.
    pub(crate) async fn failed(&self, error: io::Error) {
        if !error
            .raw_os_error()
            .is_some_and(|code| SHORT.contains(&code))
        {
            // It was given up before we took it.
            tracing::debug!(%error, "a connection could not be accepted");
            return;
        }
        if self.begins() {
            tracing::warn!(%error, "no connection can be accepted; those that are there go on. Raise LimitNOFILE or `ulimit -n`");
        }
        tokio::time::sleep(PAUSE).await;
    }

    /// Notes a failure; whether it is the first one of a shortage.
    fn begins(&self) -> bool {
        let mut short = self.short.lock().unwrap_or_else(PoisonError::into_inner);
        short.replace(Instant::now()).is_none()
    }
}
