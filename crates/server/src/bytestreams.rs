//! Byte streams between two clients that cannot, or would not, reach each other: a relay joins their connections (XEP-0065).
//!
//! Two connections name the same hash, and one of the clients asks over XMPP that they be joined. Here it is settled who
//! waits for whom; the connections themselves are the daemon's, which is told by a number which two belong together.

mod hash;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;
use prometheus_client::metrics::gauge::Gauge;
use waxwing_stanza::BareJid;

use crate::metrics::Limit;
use crate::options::{OptionDefault, OptionSpec};
use crate::server::Server;
use crate::throttle::Network;

pub use hash::{HASH_DIGITS, StreamHash};

/// Most byte streams at a time.
pub const STREAMS_MAX: OptionSpec = OptionSpec {
    name: "bytestreams_max",
    default: OptionDefault::Number {
        value: 500,
        min: 1,
        max: 100_000,
    },
    unit: "streams",
    doc: "Most byte streams between clients that are relayed, or wait to be, at a time (XEP-0065); the connections of one more are refused.",
};

/// Most byte streams at a time that one account has asked for.
pub const PER_ACCOUNT_MAX: OptionSpec = OptionSpec {
    name: "bytestreams_per_account_max",
    default: OptionDefault::Number {
        value: 10,
        min: 1,
        max: 1_000,
    },
    unit: "streams",
    doc: "Most byte streams that one account has relayed at a time; one more is refused with <resource-constraint/>.",
};

/// Most byte streams of one network that wait to be joined.
pub const WAITING_PER_NETWORK_MAX: OptionSpec = OptionSpec {
    name: "bytestreams_waiting_per_network_max",
    default: OptionDefault::Number {
        value: 50,
        min: 1,
        max: 100_000,
    },
    unit: "streams",
    doc: "Most byte streams from one IPv4 address or one IPv6 /64 that wait for their other side, or for the order to join them; one more is refused.",
};

/// How long two connections may wait for each other and to be joined.
pub const WAIT_SECS: OptionSpec = OptionSpec {
    name: "bytestream_wait_secs_max",
    default: OptionDefault::Number {
        value: 60,
        min: 5,
        max: 600,
    },
    unit: "seconds",
    doc: "Longest time that a connection to the relay of byte streams waits for the other one, and for the order to join them.",
};

/// How long a byte stream may carry nothing.
pub const IDLE_SECS: OptionSpec = OptionSpec {
    name: "bytestream_idle_secs_max",
    default: OptionDefault::Number {
        value: 300,
        min: 10,
        max: 86_400,
    },
    unit: "seconds",
    doc: "Longest time that a relayed byte stream may carry nothing either way; then it is cut.",
};

/// All of them.
pub(crate) const OPTIONS: &[OptionSpec] = &[
    STREAMS_MAX,
    PER_ACCOUNT_MAX,
    WAITING_PER_NETWORK_MAX,
    WAIT_SECS,
    IDLE_SECS,
];

/// Why a connection has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Two others name that stream already.
    #[error("two connections have this stream already")]
    Taken,
    /// There are too many streams.
    #[error("too many streams are relayed")]
    Full,
    /// Too many from there wait.
    #[error("too many streams from this network wait to be joined")]
    TooMany,
}

/// Why two connections are not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActivateError {
    /// Nobody has named that stream, or it is joined already.
    Unknown,
    /// One of the two is not there yet.
    Half,
    /// The account has too many.
    TooMany,
}

/// A place of a connection; it ends with this.
pub struct Leg {
    relay: Arc<Mutex<Streams>>,
    gauge: Gauge,
    hash: StreamHash,
    number: u64,
    /// Whether the other one was there before: this is the one to be handed over.
    is_second: bool,
    /// For the first: that the two are to be joined. For the second, which hears nothing: the end of all.
    signal: oneshot::Receiver<()>,
    /// For the first: ends when the stream is to end.
    held: Option<oneshot::Receiver<()>>,
}

impl Leg {
    /// What the two of a stream have in common, and no others.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether the other connection was there first, and is the one that relays.
    pub fn is_second(&self) -> bool {
        self.is_second
    }

    /// The first waits until the two are to be joined, which is true; the second one, until the first is gone.
    pub async fn signalled(&mut self) -> bool {
        (&mut self.signal).await.is_ok()
    }

    /// For the first, once the two are joined: until the stream is to end because of whose it is.
    pub async fn ended(&mut self) {
        if let Some(held) = &mut self.held {
            let _gone = held.await;
        }
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        let mut all = streams(&self.relay);
        let known = all.by_hash.get_mut(&self.hash);
        let Some(own) = known.filter(|stream| stream.number == self.number) else {
            return;
        };
        match self.is_second {
            // Another one may come for the first.
            true => own.over = None,
            // The one that relays is there to the end.
            false => all.end(&self.hash, &self.gauge),
        }
    }
}

struct Waiting {
    number: u64,
    /// Once both are there: the second one is told by its end that all is over.
    over: Option<oneshot::Sender<()>>,
    /// Taken by the order to join them.
    activate: Option<oneshot::Sender<()>>,
    /// Dropped with this: the first one is told that the stream is to end.
    _held: oneshot::Sender<()>,
    /// Where the first one comes from.
    network: Network,
    /// Whose order it was to join them.
    account: Option<String>,
}

#[derive(Default)]
struct Streams {
    by_hash: HashMap<StreamHash, Waiting>,
}

impl Streams {
    /// Has both of a stream end.
    fn end(&mut self, hash: &StreamHash, gauge: &Gauge) {
        if self.by_hash.remove(hash).is_some() {
            gauge.dec();
        }
    }

    /// Makes room for one more by the one that waits longest: nobody is kept out by connections that nobody orders to be joined.
    fn make_room(&mut self, gauge: &Gauge) -> bool {
        let waiting = self.by_hash.iter();
        let waiting = waiting.filter(|(_, stream)| stream.account.is_none());
        let oldest = waiting.min_by_key(|(_, stream)| stream.number);
        let Some(hash) = oldest.map(|(hash, _)| *hash) else {
            return false;
        };
        self.end(&hash, gauge);
        true
    }
}

/// How many there may be.
#[derive(Clone, Copy)]
struct Most {
    streams: u64,
    waiting_of_network: u64,
}

fn streams(streams: &Mutex<Streams>) -> MutexGuard<'_, Streams> {
    streams.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The relay, as far as it is none of the daemon's.
#[derive(Default)]
pub struct Bytestreams {
    /// Where connections come in; 0 where they do not.
    port: AtomicU16,
    numbers: AtomicU64,
    streams: Arc<Mutex<Streams>>,
}

impl Bytestreams {
    /// Clients reach the relay at this port.
    pub fn listens_at(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    /// Where clients reach the relay, if there is any.
    pub(crate) fn port(&self) -> Option<u16> {
        Some(self.port.load(Ordering::Relaxed)).filter(|port| *port != 0)
    }

    fn join(
        &self,
        hash: StreamHash,
        network: Network,
        most: Most,
        gauge: &Gauge,
    ) -> Result<Leg, JoinError> {
        let mut all = streams(&self.streams);
        let leg = |number, is_second, signal, held| Leg {
            relay: self.streams.clone(),
            gauge: gauge.clone(),
            hash,
            number,
            is_second,
            signal,
            held,
        };
        if let Some(waiting) = all.by_hash.get_mut(&hash) {
            if waiting.over.is_some() {
                return Err(JoinError::Taken);
            }
            let (over, is_over) = oneshot::channel();
            waiting.over = Some(over);
            return Ok(leg(waiting.number, true, is_over, None));
        }
        let theirs = all.by_hash.values();
        let theirs = theirs.filter(|stream| stream.account.is_none() && stream.network == network);
        if theirs.count() as u64 >= most.waiting_of_network {
            return Err(JoinError::TooMany);
        }
        if all.by_hash.len() as u64 >= most.streams && !all.make_room(gauge) {
            return Err(JoinError::Full);
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (activate, activated) = oneshot::channel();
        let (held, is_held) = oneshot::channel();
        let waiting = Waiting {
            number,
            over: None,
            activate: Some(activate),
            _held: held,
            network,
            account: None,
        };
        all.by_hash.insert(hash, waiting);
        gauge.inc();
        Ok(leg(number, false, activated, Some(is_held)))
    }

    /// Has the two connections of a stream joined, for an account that may have so many.
    pub(crate) fn activate(
        &self,
        hash: &StreamHash,
        account: &str,
        most: u64,
    ) -> Result<(), ActivateError> {
        let mut all = streams(&self.streams);
        let theirs = all.by_hash.values();
        let theirs = theirs.filter(|stream| stream.account.as_deref() == Some(account));
        let is_full = theirs.count() as u64 >= most;
        let waiting = all.by_hash.get_mut(hash).ok_or(ActivateError::Unknown)?;
        if waiting.over.is_none() {
            return Err(ActivateError::Half);
        }
        if is_full {
            return Err(ActivateError::TooMany);
        }
        let activate = waiting.activate.take().ok_or(ActivateError::Unknown)?;
        waiting.account = Some(account.to_owned());
        activate.send(()).map_err(|()| ActivateError::Unknown)
    }

    /// Ends all streams that an account has had joined.
    fn end_of(&self, account: &str, gauge: &Gauge) {
        let mut all = streams(&self.streams);
        let theirs = all.by_hash.iter();
        let theirs = theirs.filter(|(_, stream)| stream.account.as_deref() == Some(account));
        let theirs: Vec<StreamHash> = theirs.map(|(hash, _)| *hash).collect();
        for hash in theirs {
            all.end(&hash, gauge);
        }
    }
}

impl Server {
    /// A place for a connection to the relay that names its stream.
    ///
    /// # Errors
    /// [`JoinError`]: there are two already, or too many streams.
    pub fn join_bytestream(&self, hash: StreamHash, from: IpAddr) -> Result<Leg, JoinError> {
        let options = self.options();
        let most = Most {
            streams: options.number(&STREAMS_MAX),
            waiting_of_network: options.number(&WAITING_PER_NETWORK_MAX),
        };
        let gauge = self.metrics().bytestreams();
        let joined = self
            .bytestreams()
            .join(hash, Network::of(from), most, gauge);
        if matches!(joined, Err(JoinError::Full | JoinError::TooMany)) {
            self.metrics().limit(Limit::Bytestreams);
        }
        joined
    }

    /// Ends what is relayed for an account, which may not do so any more.
    pub(crate) fn end_bytestreams(&self, account: &BareJid) {
        let gauge = self.metrics().bytestreams();
        self.bytestreams().end_of(account.as_str(), gauge);
    }

    /// So many bytes were relayed.
    pub fn bytestream_relayed(&self, bytes: u64) {
        self.metrics().bytestream_relayed(bytes);
    }

    /// How long a connection to the relay waits.
    pub fn bytestream_wait(&self) -> Duration {
        Duration::from_secs(self.options().number(&WAIT_SECS))
    }

    /// How long a byte stream may carry nothing.
    pub fn bytestream_idle(&self) -> Duration {
        Duration::from_secs(self.options().number(&IDLE_SECS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(digit: u8) -> StreamHash {
        StreamHash::named(&[digit; HASH_DIGITS]).unwrap()
    }

    /// A connection from one of several networks; two streams are the most, and two of one network.
    fn join(relay: &Bytestreams, digit: u8, from: u8, gauge: &Gauge) -> Result<Leg, JoinError> {
        let most = Most {
            streams: 2,
            waiting_of_network: 2,
        };
        let network = Network::of(IpAddr::from([192, 0, 2, from]));
        relay.join(hash(digit), network, most, gauge)
    }

    #[test]
    fn two_are_joined_and_no_third() {
        let (relay, gauge) = (Bytestreams::default(), Gauge::default());
        let mut first = join(&relay, b'a', 1, &gauge).unwrap();
        assert_eq!(
            relay.activate(&hash(b'b'), "a", 9),
            Err(ActivateError::Unknown)
        );
        assert_eq!(
            relay.activate(&hash(b'a'), "a", 9),
            Err(ActivateError::Half)
        );
        let second = join(&relay, b'a', 1, &gauge).unwrap();
        assert_eq!(first.number(), second.number());
        assert!(second.is_second() && !first.is_second());
        assert_eq!(join(&relay, b'a', 1, &gauge).err(), Some(JoinError::Taken));
        assert_eq!(relay.activate(&hash(b'a'), "a", 9), Ok(()));
        assert_eq!(
            relay.activate(&hash(b'a'), "a", 9),
            Err(ActivateError::Unknown)
        );
        assert!(futures_util::FutureExt::now_or_never(first.signalled()).unwrap());
        // It is over when the first is gone, and the second hears of that.
        let mut second = second;
        assert!(futures_util::FutureExt::now_or_never(second.signalled()).is_none());
        assert_eq!(gauge.get(), 1);
        drop(first);
        assert_eq!(
            futures_util::FutureExt::now_or_never(second.signalled()),
            Some(false)
        );
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn there_are_limits() {
        let (relay, gauge) = (Bytestreams::default(), Gauge::default());
        let legs: Vec<Leg> = [b'a', b'a', b'b', b'b']
            .map(|digit| join(&relay, digit, 1, &gauge).unwrap())
            .into();
        assert_eq!(
            join(&relay, b'c', 1, &gauge).err(),
            Some(JoinError::TooMany)
        );
        assert_eq!(relay.activate(&hash(b'a'), "a", 1), Ok(()));
        assert_eq!(
            relay.activate(&hash(b'b'), "a", 1),
            Err(ActivateError::TooMany)
        );
        assert_eq!(relay.activate(&hash(b'b'), "b", 1), Ok(()));
        assert_eq!(join(&relay, b'c', 1, &gauge).err(), Some(JoinError::Full));
        drop(legs);
        assert!(join(&relay, b'c', 1, &gauge).is_ok());
    }

    #[test]
    fn who_only_waits_makes_room() {
        let (relay, gauge) = (Bytestreams::default(), Gauge::default());
        let mut first = join(&relay, b'a', 1, &gauge).unwrap();
        let _second = join(&relay, b'b', 1, &gauge).unwrap();
        let _third = join(&relay, b'c', 2, &gauge).unwrap();
        assert_eq!(
            futures_util::FutureExt::now_or_never(first.signalled()),
            Some(false)
        );
        // Its end takes nothing away from another one of its name.
        let _fourth = join(&relay, b'a', 2, &gauge).unwrap();
        drop(first);
        assert_eq!(gauge.get(), 2);
        assert!(join(&relay, b'a', 2, &gauge).unwrap().is_second());
    }

    #[test]
    fn another_one_may_come_for_the_second() {
        let (relay, gauge) = (Bytestreams::default(), Gauge::default());
        let _first = join(&relay, b'a', 1, &gauge).unwrap();
        drop(join(&relay, b'a', 1, &gauge).unwrap());
        assert_eq!(
            relay.activate(&hash(b'a'), "a", 9),
            Err(ActivateError::Half)
        );
        let _second = join(&relay, b'a', 1, &gauge).unwrap();
        assert_eq!(relay.activate(&hash(b'a'), "a", 9), Ok(()));
    }

    #[test]
    fn streams_end_with_what_their_account_may() {
        let (relay, gauge) = (Bytestreams::default(), Gauge::default());
        let mut first = join(&relay, b'a', 1, &gauge).unwrap();
        let mut second = join(&relay, b'a', 1, &gauge).unwrap();
        assert_eq!(relay.activate(&hash(b'a'), "a", 9), Ok(()));
        relay.end_of("b", &gauge);
        assert!(futures_util::FutureExt::now_or_never(first.ended()).is_none());
        relay.end_of("a", &gauge);
        assert!(futures_util::FutureExt::now_or_never(first.ended()).is_some());
        assert_eq!(
            futures_util::FutureExt::now_or_never(second.signalled()),
            Some(false)
        );
        drop((first, second));
        assert_eq!(gauge.get(), 0);
    }
}
