//! How long anything may take.

use std::time::Duration;

/// Head start of each connection attempt before the next one begins beside it (RFC 8305 §5).
pub(crate) const ATTEMPT_DELAY_MILLIS: u64 = 250;
/// How long an answer for one family of addresses is waited for once the other's is there. RFC 8305 §3
/// waits 50 ms and takes late answers in; here they would be lost.
pub(crate) const SECOND_FAMILY_MILLIS_MAX: u64 = 2_000;
/// Hosts of a domain that are tried.
pub(crate) const HOSTS_MAX: usize = 8;
/// Addresses of a host that are tried.
pub(crate) const ADDRESSES_MAX: usize = 8;

/// How long each stage of dialling may take, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds {
    /// Looking up one name.
    pub name_secs_max: u64,
    /// One attempt to connect, beside which others may run.
    pub connect_secs_max: u64,
    /// The proxy's answers, until it has connected us.
    pub proxy_secs_max: u64,
    /// A TLS handshake.
    pub tls_secs_max: u64,
    /// Everything between the first stream header and the bound resource, without the TLS handshake.
    pub stream_secs_max: u64,
    /// Waiting for the server's end tag after ours.
    pub close_secs_max: u64,
}

impl Default for Seconds {
    fn default() -> Seconds {
        Seconds {
            name_secs_max: 10,
            connect_secs_max: 15,
            proxy_secs_max: 30,
            tls_secs_max: 20,
            stream_secs_max: 30,
            close_secs_max: 5,
        }
    }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
