//! Who may try to log in, after how many failures, and who may register.
//!
//! Failures are counted by network and by account, and forgotten in time. Beyond the limit a log-in is answered with
//! `<temporary-auth-failure/>` without looking at the password, except from a network from which the account has been
//! logged into before: whoever guesses at a password from elsewhere does not lock its owner out. A refusal counts as
//! no failure, so nobody is kept out longer by trying.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Expiring, StoreError, Table};

use crate::accounts::owner;
use crate::api_tokens::REQUESTS_PER_TOKEN;
use crate::counts::Counts;
use crate::invitations::REDEEMED_BY_NETWORK;
use crate::metrics::Limit;
use crate::options::{OptionDefault, OptionSpec};
use crate::server::Server;

/// Failures from one network.
pub const FAILURES_BY_NETWORK: OptionSpec = OptionSpec {
    name: "login_failures_per_network_max",
    default: OptionDefault::Number {
        value: 20,
        min: 1,
        max: 100_000,
    },
    unit: "failures in 5 minutes",
    doc: "Failed log-ins from one IPv4 address or one IPv6 /64 after which only accounts known there may log in from it.",
};

/// Failures at one account.
pub const FAILURES_BY_ACCOUNT: OptionSpec = OptionSpec {
    name: "login_failures_per_account_max",
    default: OptionDefault::Number {
        value: 20,
        min: 1,
        max: 100_000,
    },
    unit: "failures in 5 minutes",
    doc: "Failed log-ins to one account after which it may be logged into only from where it has been before.",
};

/// Registrations from one network.
pub const REGISTRATIONS_BY_NETWORK: OptionSpec = OptionSpec {
    name: "registrations_per_network_max",
    default: OptionDefault::Number {
        value: 10,
        min: 1,
        max: 100_000,
    },
    unit: "registrations in an hour",
    doc: "Accounts that may be asked for in band from one IPv4 address or one IPv6 /64; one more has to wait.",
};

/// Registrations in all.
pub const REGISTRATIONS: OptionSpec = OptionSpec {
    name: "registrations_max",
    default: OptionDefault::Number {
        value: 100,
        min: 1,
        max: 1_000_000,
    },
    unit: "registrations in an hour",
    doc: "Accounts that may be asked for in band, from wherever; one more has to wait.",
};

/// In this time as many failures are forgotten as are allowed.
const FAILURES_WINDOW_MICROS: u64 = 5 * 60 * 1_000_000;
/// In this time as many registrations are forgotten as are allowed.
const REGISTRATIONS_WINDOW_MICROS: u64 = 3_600 * 1_000_000;
/// In this time as many requests of the API are forgotten as are allowed.
const REQUESTS_WINDOW_MICROS: u64 = 60 * 1_000_000;
/// How long a network is known to an account after the last log-in from there.
const KNOWN_MICROS: u64 = 90 * 24 * 3_600 * 1_000_000;
/// How old that knowledge must be to be written anew.
const RENEW_MICROS: u64 = 24 * 3_600 * 1_000_000;

/// When an account was last logged into from a network, in microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Visit {
    /// The time.
    #[prost(uint64, tag = "1")]
    pub at_micros: u64,
}

/// Networks from which an account was logged into, by a keyed hash.
pub static KNOWN: Expiring<Vec<u8>, Visit> = Table::new("login-origins", 1).expiring();

/// What an address counts as: an IPv6 customer has a whole /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network([u8; 8]);

impl Network {
    pub(crate) fn of(address: IpAddr) -> Network {
        let mut bytes = [0; 8];
        match address.to_canonical() {
            IpAddr::V4(address) => bytes[4..].copy_from_slice(&address.octets()),
            IpAddr::V6(address) => bytes.copy_from_slice(&address.octets()[..8]),
        }
        Network(bytes)
    }
}

/// What is known of failures. In memory only: a restart forgives.
pub(crate) struct Throttle {
    by_network: Mutex<Counts<Network>>,
    by_account: Mutex<Counts<BareJid>>,
    /// Handshakes of components, by their host and from where: one with a wrong secret keeps out no other.
    handshakes: Mutex<Counts<(Network, BareJid)>>,
    registrations_by_network: Mutex<Counts<Network>>,
    registrations: Mutex<Counts<()>>,
    invited_by_network: Mutex<Counts<Network>>,
    /// Wrong tokens of the API: a program that has an old one keeps out nobody who logs in.
    api_by_network: Mutex<Counts<Network>>,
    /// Requests of the API, by token.
    api_requests: Mutex<Counts<String>>,
    key: [u8; 32],
}

impl Throttle {
    /// `key` hashes networks for the store.
    pub(crate) fn new(key: [u8; 32]) -> Throttle {
        Throttle {
            by_network: Mutex::new(Counts::new(FAILURES_WINDOW_MICROS)),
            by_account: Mutex::new(Counts::new(FAILURES_WINDOW_MICROS)),
            handshakes: Mutex::new(Counts::new(FAILURES_WINDOW_MICROS)),
            registrations_by_network: Mutex::new(Counts::new(REGISTRATIONS_WINDOW_MICROS)),
            registrations: Mutex::new(Counts::new(REGISTRATIONS_WINDOW_MICROS)),
            invited_by_network: Mutex::new(Counts::new(REGISTRATIONS_WINDOW_MICROS)),
            api_by_network: Mutex::new(Counts::new(FAILURES_WINDOW_MICROS)),
            api_requests: Mutex::new(Counts::new(REQUESTS_WINDOW_MICROS)),
            key,
        }
    }

    fn hash(&self, network: Network, account: &BareJid) -> Vec<u8> {
        // A key of 32 bytes is one for HMAC, as one of any length is.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return Vec::new();
        };
        mac.update(&network.0);
        mac.update(account.as_str().as_bytes());
        mac.finalize().into_bytes()[..16].to_vec()
    }
}

/// Whether a log-in to this account from there is looked at.
pub(crate) async fn allows(
    server: &Server,
    network: Network,
    account: &BareJid,
) -> Result<bool, StoreError> {
    let (throttle, now) = (server.throttle(), server.steady_micros());
    let limit = server.options().number(&FAILURES_BY_NETWORK);
    let full = lock(&throttle.by_network).is_full(&network, now, limit);
    let limit = server.options().number(&FAILURES_BY_ACCOUNT);
    if !full && !lock(&throttle.by_account).is_full(account, now, limit) {
        return Ok(true);
    }
    let key = throttle.hash(network, account);
    let known = KNOWN.at(server.now_micros());
    let known = server.store().get(&known, &owner(account), &key);
    Ok(known.await?.is_some())
}

/// Whether a handshake for this host from there is looked at.
pub(crate) fn allows_handshake(server: &Server, network: Network, host: &BareJid) -> bool {
    let now = server.steady_micros();
    let limit = server.options().number(&FAILURES_BY_NETWORK);
    let handshakes = lock(&server.throttle().handshakes);
    !handshakes.is_full(&(network, host.clone()), now, limit)
}

/// A handshake for this host failed.
pub(crate) fn handshake_failed(server: &Server, network: Network, host: BareJid) {
    let now = server.steady_micros();
    let limit = server.options().number(&FAILURES_BY_NETWORK);
    lock(&server.throttle().handshakes).add((network, host), now, limit);
}

/// A log-in failed.
pub(crate) fn failed(server: &Server, network: Network, account: Option<&BareJid>) {
    let (throttle, now) = (server.throttle(), server.steady_micros());
    let limit = server.options().number(&FAILURES_BY_NETWORK);
    lock(&throttle.by_network).add(network, now, limit);
    if let Some(account) = account {
        let limit = server.options().number(&FAILURES_BY_ACCOUNT);
        lock(&throttle.by_account).add(account.clone(), now, limit);
    }
}

/// A log-in succeeded: the account is known there from now on. Nobody waits for it.
pub(crate) fn succeeded(server: &Server, network: Network, account: BareJid) {
    let now = server.now_micros();
    let known = server.directory().known(&account);
    let visited = known
        .as_ref()
        .and_then(|known| known.visited_micros(network));
    if visited.is_some_and(|at| is_recent(at, now)) {
        return;
    }
    let (server, tasks) = (server.clone(), server.outside().tasks.clone());
    let note = async move {
        match note(&server, network, &account, now).await {
            // Who is removed is forgotten with it.
            Ok(at) => known.iter().for_each(|known| known.note_visit(network, at)),
            Err(error) => {
                tracing::warn!(%error, "where an account was logged into could not be noted");
            }
        }
    };
    tasks.spawn(note.boxed());
}

fn is_recent(at_micros: u64, now: u64) -> bool {
    at_micros.abs_diff(now) < RENEW_MICROS
}

/// Has it in the store that the account was logged into from there; when that was written.
async fn note(
    server: &Server,
    network: Network,
    account: &BareJid,
    now: u64,
) -> Result<u64, StoreError> {
    let key = server.throttle().hash(network, account);
    let stored = server.store().get(&KNOWN.at(now), &owner(account), &key);
    if let Some(Visit { at_micros }) = stored.await?
        && is_recent(at_micros, now)
    {
        return Ok(at_micros);
    }
    let mut batch = Batch::new();
    let visit = Visit { at_micros: now };
    batch.put_expiring(&KNOWN, &owner(account), &key, &visit, now + KNOWN_MICROS);
    server.store().commit(batch).await?;
    Ok(now)
}

/// Whether an account may be asked for from there now; if so, it counts.
pub(crate) fn registers(server: &Server, network: Network) -> bool {
    let (throttle, now) = (server.throttle(), server.steady_micros());
    let options = server.options();
    let by_network = options.number(&REGISTRATIONS_BY_NETWORK);
    let in_all = options.number(&REGISTRATIONS);
    let mut networks = lock(&throttle.registrations_by_network);
    let mut all = lock(&throttle.registrations);
    if networks.is_full(&network, now, by_network) || all.is_full(&(), now, in_all) {
        server.metrics().limit(Limit::Registrations);
        return false;
    }
    networks.add(network, now, by_network);
    all.add((), now, in_all);
    true
}

/// Whether an invitation may be used from there now; if so, it counts.
pub(crate) fn redeems(server: &Server, network: Network) -> bool {
    let (throttle, now) = (server.throttle(), server.steady_micros());
    let limit = server.options().number(&REDEEMED_BY_NETWORK);
    let mut networks = lock(&throttle.invited_by_network);
    if networks.is_full(&network, now, limit) {
        server.metrics().limit(Limit::Registrations);
        return false;
    }
    networks.add(network, now, limit);
    true
}

/// Whether tokens of invitations are looked at that are shown from there: not where too much was guessed already.
pub(crate) fn looks_at_tokens(server: &Server, network: Network) -> bool {
    let limit = server.options().number(&FAILURES_BY_NETWORK);
    let counts = lock(&server.throttle().by_network);
    !counts.is_full(&network, server.steady_micros(), limit)
}

/// How long tokens of the API are not looked at that are shown from there, in seconds, if they are not.
pub(crate) fn api_wait_secs(server: &Server, network: Network) -> Option<u64> {
    let limit = server.options().number(&FAILURES_BY_NETWORK);
    let counts = lock(&server.throttle().api_by_network);
    let is_full = counts.is_full(&network, server.steady_micros(), limit);
    is_full.then(|| secs_for_one(FAILURES_WINDOW_MICROS, limit))
}

/// A wrong token of the API was shown from there.
pub(crate) fn api_failed(server: &Server, network: Network) {
    let limit = server.options().number(&FAILURES_BY_NETWORK);
    let now = server.steady_micros();
    lock(&server.throttle().api_by_network).add(network, now, limit);
}

/// Counts a request with this token; how long it has to wait, in seconds, if it is one too many.
pub(crate) fn api_request_wait_secs(server: &Server, id: &str) -> Option<u64> {
    let limit = server.options().number(&REQUESTS_PER_TOKEN);
    let (id, now) = (id.to_owned(), server.steady_micros());
    let mut counts = lock(&server.throttle().api_requests);
    if counts.is_full(&id, now, limit) {
        return Some(secs_for_one(REQUESTS_WINDOW_MICROS, limit));
    }
    counts.add(id, now, limit);
    None
}

/// How long it takes until one of so many is forgotten.
fn secs_for_one(window_micros: u64, limit: u64) -> u64 {
    window_micros.div_ceil(limit.max(1)).div_ceil(1_000_000)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_kept_out_waits_for_one_to_be_forgotten() {
        assert_eq!(secs_for_one(FAILURES_WINDOW_MICROS, 20), 15);
        assert_eq!(secs_for_one(REQUESTS_WINDOW_MICROS, 600), 1);
        assert_eq!(secs_for_one(REQUESTS_WINDOW_MICROS, 1), 60);
    }

    #[test]
    fn a_network_is_an_address_or_half_of_one() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:2::"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
    }
}
