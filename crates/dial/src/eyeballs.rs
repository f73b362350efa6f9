//! Happy eyeballs: [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305). Addresses of both families take
//! turns, each attempt has a head start, the first connection wins and the others are given up.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::connect::Connect;
use crate::seconds::{ADDRESSES_MAX, ATTEMPT_DELAY_MILLIS};

/// Both families in turns, IPv6 first, each in its own order (RFC 8305 §4), no address twice, at most
/// [`ADDRESSES_MAX`].
pub(crate) fn interleave(v6: Vec<IpAddr>, v4: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut order = Vec::new();
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    loop {
        let turn = [v6.next(), v4.next()];
        if turn == [None, None] || order.len() >= ADDRESSES_MAX {
            order.truncate(ADDRESSES_MAX);
            return order;
        }
        for address in turn.into_iter().flatten() {
            if !order.contains(&address) {
                order.push(address);
            }
        }
    }
}

/// Connects to the first of the addresses that answers.
///
/// # Errors
/// What the last attempt met, when all have failed.
pub(crate) async fn race(
    connect: &dyn Connect,
    addresses: &[SocketAddr],
    attempt_max: Duration,
) -> Result<TcpStream, io::ErrorKind> {
    let mut waiting = addresses.iter().copied();
    let mut running = FuturesUnordered::new();
    let mut last = io::ErrorKind::AddrNotAvailable;
    let attempt = |address| async move {
        match timeout(attempt_max, connect.connect(address)).await {
            Ok(outcome) => outcome.map_err(|error| error.kind()),
            Err(_elapsed) => Err(io::ErrorKind::TimedOut),
        }
    };
    loop {
        let more = waiting.next();
        if let Some(address) = more {
            running.push(attempt(address));
        }
        let head_start = Duration::from_millis(ATTEMPT_DELAY_MILLIS);
        tokio::select! {
            biased;
            outcome = running.next() => match outcome {
                Some(Ok(socket)) => return Ok(socket),
                // The next attempt need not wait any more.
                Some(Err(kind)) => last = kind,
                None => return Err(last),
            },
            () = sleep(head_start), if waiting.len() > 0 => {}
        }
    }
}
