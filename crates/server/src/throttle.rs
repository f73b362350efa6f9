//! Who may try to log in, after how many failures.
//!
//! Failures are counted by network and by account, and forgotten in time. Beyond the limit a log-in is answered with
//! `<temporary-auth-failure/>` without looking at the password, except from a network from which the account has been
//! logged into before: whoever guesses at a password from elsewhere does not lock its owner out. A refusal counts as
//! no failure, so nobody is kept out longer by trying.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Expiring, StoreError, Table};

use crate::accounts::owner;
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

/// In this time as many failures are forgotten as are allowed.
const WINDOW_MICROS: u64 = 5 * 60 * 1_000_000;
/// Networks, and accounts, whose failures are known at a time. More push out those with the fewest.
const COUNTED_MAX: usize = 50_000;
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

/// Failures that are forgotten evenly in time.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// In failures times [`WINDOW_MICROS`], so that forgetting is exact.
    level: u128,
    at_micros: u64,
}

impl Count {
    /// What is left now. `limit` failures are forgotten in a window.
    fn now(self, now_micros: u64, limit: u64) -> u128 {
        let passed = now_micros.saturating_sub(self.at_micros);
        let forgotten = u128::from(passed) * u128::from(limit);
        self.level.saturating_sub(forgotten)
    }
}

/// Failures by whom.
#[derive(Debug)]
struct Counts<K>(HashMap<K, Count>);

impl<K: Eq + Hash> Counts<K> {
    fn add(&mut self, key: K, now_micros: u64, limit: u64) {
        if self.0.len() >= COUNTED_MAX {
            self.0.retain(|_, count| count.now(now_micros, limit) > 0);
        }
        if self.0.len() >= COUNTED_MAX {
            // Many that failed once each: those who fail most are the ones to remember.
            let half = u128::from(limit) * u128::from(WINDOW_MICROS) / 2;
            self.0
                .retain(|_, count| count.now(now_micros, limit) > half);
        }
        if self.0.len() >= COUNTED_MAX {
            return;
        }
        let count = self.0.entry(key).or_default();
        let level = count.now(now_micros, limit) + u128::from(WINDOW_MICROS);
        *count = Count {
            level,
            at_micros: now_micros,
        };
    }

    fn is_full(&self, key: &K, now_micros: u64, limit: u64) -> bool {
        let window = u128::from(WINDOW_MICROS);
        // One more would be beyond the limit.
        let count = self.0.get(key);
        count
            .is_some_and(|count| count.now(now_micros, limit) + window > u128::from(limit) * window)
    }
}

/// What is known of failures. In memory only: a restart forgives.
pub(crate) struct Throttle {
    by_network: Mutex<Counts<Network>>,
    by_account: Mutex<Counts<BareJid>>,
    key: [u8; 32],
}

impl Throttle {
    /// `key` hashes networks for the store.
    pub(crate) fn new(key: [u8; 32]) -> Throttle {
        Throttle {
            by_network: Mutex::new(Counts(HashMap::new())),
            by_account: Mutex::new(Counts(HashMap::new())),
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
    let (throttle, now) = (server.throttle(), server.now_micros());
    let limit = server.options().number(&FAILURES_BY_NETWORK);
    let full = lock(&throttle.by_network).is_full(&network, now, limit);
    let limit = server.options().number(&FAILURES_BY_ACCOUNT);
    if !full && !lock(&throttle.by_account).is_full(account, now, limit) {
        return Ok(true);
    }
    let key = throttle.hash(network, account);
    let known = server.store().get(&KNOWN.at(now), &owner(account), &key);
    Ok(known.await?.is_some())
}

/// A log-in failed.
pub(crate) fn failed(server: &Server, network: Network, account: Option<&BareJid>) {
    let (throttle, now) = (server.throttle(), server.now_micros());
    let limit = server.options().number(&FAILURES_BY_NETWORK);
    lock(&throttle.by_network).add(network, now, limit);
    if let Some(account) = account {
        let limit = server.options().number(&FAILURES_BY_ACCOUNT);
        lock(&throttle.by_account).add(account.clone(), now, limit);
    }
}

/// A log-in succeeded: the account is known there from now on.
pub(crate) async fn succeeded(server: &Server, network: Network, account: &BareJid) {
    let now = server.now_micros();
    let key = server.throttle().hash(network, account);
    let remember = async {
        let known = server.store().get(&KNOWN.at(now), &owner(account), &key);
        if known
            .await?
            .is_some_and(|visit| visit.at_micros + RENEW_MICROS > now)
        {
            return Ok(());
        }
        let mut batch = Batch::new();
        let visit = Visit { at_micros: now };
        batch.put_expiring(&KNOWN, &owner(account), &key, &visit, now + KNOWN_MICROS);
        server.store().commit(batch).await.map(|_| ())
    };
    let outcome: Result<(), StoreError> = remember.await;
    if let Err(error) = outcome {
        tracing::warn!(%error, "where an account was logged into could not be noted");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60 * 1_000_000;

    #[test]
    fn failures_are_forgotten_evenly() {
        let mut counts = Counts(HashMap::new());
        for _ in 0..5 {
            assert!(!counts.is_full(&1, 0, 5));
            counts.add(1, 0, 5);
        }
        assert!(counts.is_full(&1, 0, 5));
        assert!(!counts.is_full(&2, 0, 5));
        // One a minute is forgotten.
        assert!(counts.is_full(&1, MINUTE - 1, 5));
        assert!(!counts.is_full(&1, MINUTE, 5));
        counts.add(1, MINUTE, 5);
        assert!(counts.is_full(&1, MINUTE, 5));
        assert!(!counts.is_full(&1, 6 * MINUTE, 5));
        // A clock that goes back forgets nothing, and forgives nothing.
        assert!(counts.is_full(&1, 0, 5));
    }

    #[test]
    fn who_fails_most_is_remembered_longest() {
        let mut counts = Counts(HashMap::new());
        for _ in 0..5 {
            counts.add(usize::MAX, 0, 5);
        }
        for other in 0..2 * COUNTED_MAX {
            counts.add(other, 1, 5);
        }
        assert!(counts.0.len() <= COUNTED_MAX);
        assert!(counts.is_full(&usize::MAX, 1, 5));
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
