//! How many connections there may be at a time, and which go when there are too many.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::metrics::Limit;
use crate::options::{OptionDefault, OptionSpec};
use crate::server::Server;
use crate::throttle::Network;

/// Most connections at a time.
pub const CONNECTIONS_MAX: OptionSpec = OptionSpec {
    name: "connections_max",
    default: OptionDefault::Number {
        value: 100_000,
        min: 10,
        max: 10_000_000,
    },
    unit: "connections",
    doc: "Most connections at a time, of all kinds; one more is closed at once.",
};

/// Most connections at a time from one network.
pub const CONNECTIONS_PER_NETWORK_MAX: OptionSpec = OptionSpec {
    name: "connections_per_network_max",
    default: OptionDefault::Number {
        value: 1_000,
        min: 1,
        max: 10_000_000,
    },
    unit: "connections",
    doc: "Most connections at a time from one IPv4 address or one IPv6 network of 64 bits; one more is closed at once. This machine itself has no limit.",
};

/// Most connections at a time that have not logged in.
pub const NEGOTIATING_MAX: OptionSpec = OptionSpec {
    name: "negotiating_max",
    default: OptionDefault::Number {
        value: 10_000,
        min: 1,
        max: 10_000_000,
    },
    unit: "streams",
    doc: "Most streams at a time that have bound no session; one more ends the oldest with <resource-constraint/>, since who means to log in needs a second or two.",
};

/// How long nothing more is said of connections refused because there are too many in all.
const SILENCE_MICROS: u64 = 60_000_000;

/// Who is here.
#[derive(Default)]
pub(crate) struct Admission(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    connections: u64,
    by_network: HashMap<Network, u64>,
    /// When it was said that there are too many.
    said_micros: Option<u64>,
    /// Streams without a session by their connection's number, the oldest first.
    negotiating: BTreeMap<u64, Newcomer>,
    /// How many of these are to go.
    leaving: usize,
}

struct Newcomer {
    waker: Waker,
    leaves: bool,
}

/// A place among the connections; it is free again when this is dropped.
pub struct Place {
    server: Server,
    network: Network,
}

/// What becomes of a stream that has not logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    Yes,
    /// There are too many, and this is the oldest.
    No,
}

impl Admission {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how to wake a connection that has bound nothing yet, and who of these has to go when they are more than
    /// `most`.
    pub(crate) fn negotiates(&self, connection: u64, waker: &Waker, most: u64) -> Stay {
        let leaving = {
            let mut counts = self.counts();
            if let Some(known) = counts.negotiating.get_mut(&connection) {
                known.waker.clone_from(waker);
                return if known.leaves { Stay::No } else { Stay::Yes };
            }
            let newcomer = Newcomer {
                waker: waker.clone(),
                leaves: false,
            };
            counts.negotiating.insert(connection, newcomer);
            counts.shed(most)
        };
        if let Some(waker) = leaving {
            waker.wake();
        }
        Stay::Yes
    }

    /// A connection has bound a session, or is gone.
    pub(crate) fn settled(&self, connection: u64) {
        let mut counts = self.counts();
        let gone = counts.negotiating.remove(&connection);
        counts.leaving -= usize::from(gone.is_some_and(|newcomer| newcomer.leaves));
    }

    /// Wakes everybody who has bound nothing.
    pub(crate) fn wake_all(&self) {
        let counts = self.counts();
        for newcomer in counts.negotiating.values() {
            newcomer.waker.wake_by_ref();
        }
    }
}

impl Counts {
    /// Marks the oldest newcomer as one that has to go where there are more than `most`; returns what wakes it.
    fn shed(&mut self, most: u64) -> Option<Waker> {
        let staying = self.negotiating.len() - self.leaving;
        if u64::try_from(staying).unwrap_or(u64::MAX) <= most {
            return None;
        }
        let oldest = self
            .negotiating
            .values_mut()
            .find(|newcomer| !newcomer.leaves)?;
        oldest.leaves = true;
        self.leaving += 1;
        Some(oldest.waker.clone())
    }
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    All,
    /// From there.
    Network,
}

impl Counts {
    fn enter(&mut self, peer: IpAddr, most: u64, most_here: u64) -> Result<Network, Full> {
        let network = Network::of(peer);
        if self.connections >= most {
            return Err(Full::All);
        }
        let here = self.by_network.get(&network).copied().unwrap_or(0);
        if here >= most_here && !peer.to_canonical().is_loopback() {
            return Err(Full::Network);
        }
        self.connections += 1;
        self.by_network.insert(network, here + 1);
        Ok(network)
    }

    fn leave(&mut self, network: Network) {
        self.connections -= 1;
        if let Some(here) = self.by_network.get_mut(&network) {
            *here -= 1;
            if *here == 0 {
                self.by_network.remove(&network);
            }
        }
    }

    /// Whether it is time to say that there are too many.
    fn is_news(&mut self, now_micros: u64) -> bool {
        let is_news = self
            .said_micros
            .is_none_or(|said| now_micros >= said.saturating_add(SILENCE_MICROS));
        if is_news {
            self.said_micros = Some(now_micros);
        }
        is_news
    }
}

impl Server {
    /// A place for a connection from `peer`, if there is one left.
    pub fn admit(&self, peer: IpAddr) -> Option<Place> {
        let most = self.options().number(&CONNECTIONS_MAX);
        let most_here = self.options().number(&CONNECTIONS_PER_NETWORK_MAX);
        let mut counts = self.admission().counts();
        match counts.enter(peer, most, most_here) {
            Ok(network) => Some(Place {
                server: self.clone(),
                network,
            }),
            Err(Full::Network) => {
                self.metrics().limit(Limit::ConnectionsPerNetwork);
                None
            }
            Err(Full::All) => {
                self.metrics().limit(Limit::Connections);
                if counts.is_news(self.steady_micros()) {
                    tracing::warn!(
                        connections_max = most,
                        "connections are refused: there are as many as there may be"
                    );
                }
                None
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.admission().counts().leave(self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_and_once_only() {
        let admission = Admission::default();
        let waker = Waker::noop();
        for connection in 1..=3 {
            assert_eq!(admission.negotiates(connection, waker, 3), Stay::Yes);
        }
        assert_eq!(
            admission.negotiates(1, waker, 3),
            Stay::Yes,
            "there is room"
        );
        // Two more: the two oldest go, whenever they look.
        assert_eq!(admission.negotiates(4, waker, 3), Stay::Yes);
        assert_eq!(admission.negotiates(5, waker, 3), Stay::Yes);
        let stay = |connection| admission.negotiates(connection, waker, 3);
        assert_eq!(
            [1, 2, 3, 4, 5].map(stay),
            [Stay::No, Stay::No, Stay::Yes, Stay::Yes, Stay::Yes]
        );
        admission.settled(1);
        admission.settled(2);
        admission.settled(4);
        assert_eq!(admission.negotiates(6, waker, 3), Stay::Yes);
        assert_eq!([3, 5, 6].map(stay), [Stay::Yes; 3]);
    }

    #[test]
    fn a_network_has_its_share() {
        let mut counts = Counts::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let one = counts.enter(address("2001:db8::1"), 5, 2).unwrap();
        // The same network of 64 bits, and the same address written as IPv6.
        counts.enter(address("2001:db8::ffff:1"), 5, 2).unwrap();
        assert_eq!(
            counts.enter(address("2001:db8::3"), 5, 2),
            Err(Full::Network)
        );
        counts.enter(address("2001:db8:0:1::1"), 5, 2).unwrap();
        counts.enter(address("192.0.2.1"), 5, 1).unwrap();
        assert_eq!(
            counts.enter(address("::ffff:192.0.2.1"), 5, 1),
            Err(Full::Network)
        );
        counts.enter(address("127.0.0.1"), 5, 0).unwrap();
        assert_eq!(counts.enter(address("198.51.100.1"), 5, 2), Err(Full::All));
        counts.leave(one);
        counts.enter(address("2001:db8::3"), 5, 2).unwrap();
    }

    #[test]
    fn a_flood_is_said_now_and_then() {
        let mut counts = Counts::default();
        let said = [0, 1, SILENCE_MICROS - 1, SILENCE_MICROS, SILENCE_MICROS + 1];
        assert_eq!(
            said.map(|now| counts.is_news(now)),
            [true, false, false, true, false]
        );
    }
}
