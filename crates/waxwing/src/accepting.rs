//! When connections cannot be accepted: said once, and once more when it is over.

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long a listener waits where nothing can be accepted: what keeps it from that ends elsewhere.
const PAUSE: Duration = Duration::from_millis(200);
/// No descriptor is left to this process, or to the system; no memory for sockets (accept(2)).
const SHORT: [i32; 4] = [24, 23, 105, 12];

/// How long nothing may fail until a shortage counts as over: while it lasts, each connection that ends lets one
/// other in.
const OVER_AFTER: Duration = Duration::from_secs(3);

/// Descriptors that are kept for the operator: a command needs one, and a backup some more.
const SPARE: usize = 16;

/// Silence of a client after which the system asks whether it is still there, how long it waits between questions, and how
/// many may stay without an answer: who is gone without a word is found out within four minutes.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(120))
    .with_interval(Duration::from_secs(30))
    .with_retries(4);

/// How long what was sent may wait for the other machine to say that it has it: with something on its way, nobody asks
/// whether the machine is still there (tcp(7)).
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(240);

/// Sets what every connection of a client needs; failing that only costs time.
pub(crate) fn prepare(socket: &TcpStream) {
    // Small elements must not wait for more to send.
    let _nodelay = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let _keepalive = socket.set_tcp_keepalive(&KEEPALIVE);
    let _timeout = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
}

/// Shared by all listeners, so that one shortage is one line in the log.
#[derive(Debug)]
pub(crate) struct Accepting {
    /// Open files that nobody needs: closed, they let the operator in where clients have taken all the rest.
    spare: Mutex<Vec<File>>,
    /// When it failed last, since it was said.
    short: Mutex<Option<Instant>>,
}

impl Default for Accepting {
    fn default() -> Self {
        let accepting = Accepting {
            spare: Mutex::default(),
            short: Mutex::default(),
        };
        accepting.keep_spare();
        accepting
    }
}

impl Accepting {
    /// Whether the operator can be let in after all: what was kept for that is free now.
    pub(crate) fn lend_spare(&self, error: &io::Error) -> bool {
        let spare = std::mem::take(&mut *self.spare.lock().unwrap_or_else(PoisonError::into_inner));
        is_short(error) && !spare.is_empty()
    }

    /// Keeps descriptors for the operator again, as many as there are.
    pub(crate) fn keep_spare(&self) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        while spare.len() < SPARE
            && let Ok(file) = File::open("/dev/null")
        {
            spare.push(file);
        }
    }

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
        if !is_short(&error) {
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

fn is_short(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| SHORT.contains(&code))
}
