//! When connections cannot be accepted: said once, and once more when it is over.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a listener waits where nothing can be accepted: what keeps it from that ends elsewhere.
const PAUSE: Duration = Duration::from_millis(200);
/// No descriptor is left to this process, or to the system; no memory for sockets (accept(2)).
const SHORT: [i32; 4] = [24, 23, 105, 12];

/// Shared by all listeners, so that one shortage is one line in the log.
#[derive(Debug, Default)]
pub(crate) struct Accepting {
    short: AtomicBool,
}

impl Accepting {
    /// A connection was accepted.
    pub(crate) fn worked(&self) {
        if self.short.load(Ordering::Relaxed) && self.short.swap(false, Ordering::Relaxed) {
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
        if !self.short.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "no connection can be accepted; those that are there go on. Raise LimitNOFILE or `ulimit -n`");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
