//! XEP-0175: Best Practices for Use of SASL ANONYMOUS: people without an account, on domains that take
//! them.
//!
//! <https://xmpp.org/extensions/xep-0175.html>
//!
//! A guest gets a name that nobody had before and nobody gets again, for one session. It talks to people and
//! services of this server; nothing is stored for it, and nobody can subscribe to it, so that nothing has
//! to be cancelled when it goes (§3, rules 3 and 4).

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use waxwing_stanza::xep::xep_0030_disco::Identity;
use waxwing_stanza::{Condition, IqType, StanzaError};
use waxwing_store::Batch;
use waxwing_stream::StreamCondition;

use crate::counts::Counts;
use crate::directory::Account;
use crate::metrics::Limit;
use crate::options::{OptionDefault, OptionSpec, Options};
use crate::registry::{Feature, Source};
use crate::server::Server;
use crate::session::Session;
use crate::throttle::Network;

/// Whether a domain takes guests.
pub const GUESTS: OptionSpec = OptionSpec {
    name: "guests",
    default: OptionDefault::Flag(false),
    unit: "",
    doc: "Whether people without an account may log in as guests, by SASL ANONYMOUS.",
};

/// Guests in all.
pub const GUESTS_MAX: OptionSpec = OptionSpec {
    name: "guests_max",
    default: OptionDefault::Number {
        value: 1_000,
        min: 1,
        max: 1_000_000,
    },
    unit: "guests",
    doc: "Most guests at a time, on all domains; one more is refused with <temporary-auth-failure/>.",
};

/// Guests of one network.
pub const GUESTS_BY_NETWORK: OptionSpec = OptionSpec {
    name: "guests_per_network_max",
    default: OptionDefault::Number {
        value: 10,
        min: 1,
        max: 1_000_000,
    },
    unit: "guests",
    doc: "Most guests at a time from one IPv4 address or one IPv6 /64.",
};

/// What a guest may send.
pub const STANZAS_MAX: OptionSpec = OptionSpec {
    name: "guest_stanzas_max",
    default: OptionDefault::Number {
        value: 300,
        min: 1,
        max: 1_000_000,
    },
    unit: "stanzas in a minute",
    doc: "Most stanzas that a guest may send; more ends the stream with <policy-violation/>.",
};

const MINUTE_MICROS: u64 = 60 * 1_000_000;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(175),
    title: "Best Practices for Use of SASL ANONYMOUS",
    version: "1.2",
    options: &[GUESTS_MAX, GUESTS_BY_NETWORK, STANZAS_MAX],
    domain_options: &[GUESTS],
    ..Feature::NONE
};

/// Whether a domain with these options takes guests.
pub(crate) fn are_taken(options: &Options) -> bool {
    options.flag(&GUESTS)
}

/// The guests there are, by network.
#[derive(Default)]
pub(crate) struct Guests(Arc<Mutex<Vec<Network>>>);

/// A guest's right to be here; the place is free again when it is dropped.
pub(crate) struct Pass {
    network: Network,
    guests: Arc<Mutex<Vec<Network>>>,
    sent: Mutex<Counts<()>>,
}

impl Guests {
    /// A place for a guest from there, if there is one.
    pub(crate) fn admit(&self, options: &Options, peer: IpAddr) -> Option<Pass> {
        let network = Network::of(peer);
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from_there = guests.iter().filter(|other| **other == network).count();
        let has_room = |found: usize, most: &OptionSpec| (found as u64) < options.number(most);
        if !has_room(guests.len(), &GUESTS_MAX) || !has_room(from_there, &GUESTS_BY_NETWORK) {
            return None;
        }
        guests.push(network);
        Some(Pass {
            network,
            guests: self.0.clone(),
            sent: Mutex::new(Counts::new(MINUTE_MICROS)),
        })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = guests.iter().position(|network| *network == self.network) {
            guests.swap_remove(at);
        }
    }
}

/// A stanza of a session: a guest may not send too many (§3, rule 5).
pub(crate) fn check_rate(server: &Server, session: &Session) -> Result<(), StreamCondition> {
    let Some(pass) = &session.account.guest else {
        return Ok(());
    };
    let (now, limit) = (
        server.steady_micros(),
        server.options().number(&STANZAS_MAX),
    );
    let mut sent = pass.sent.lock().unwrap_or_else(PoisonError::into_inner);
    if sent.is_full(&(), now, limit) {
        server.metrics().limit(Limit::Guests);
        return Err(StreamCondition::PolicyViolation);
    }
    sent.add((), now, limit);
    Ok(())
}

/// A request that the server answers: a guest changes nothing here, and makes no relations (§3, rules 3 and 4).
pub(crate) fn check_request(session: &Session, kind: IqType) -> Result<(), StanzaError> {
    if session.account.is_guest() && kind == IqType::Set {
        return Err(Condition::NotAllowed.into());
    }
    Ok(())
}

/// A request for, or an answer about, a subscription.
pub(crate) fn check_subscription(session: &Session) -> Result<(), StanzaError> {
    if session.account.is_guest() {
        return Err(Condition::NotAllowed.into());
    }
    Ok(())
}

/// What disco#info says a guest's account is (§5).
pub(crate) fn identity() -> Identity {
    Identity::new("account", "anonymous", None)
}

/// A session has ended: with the last one, the guest is gone.
pub(crate) fn note_ended(server: &Server, account: &Account) {
    if !account.is_guest() || !account.sessions().is_empty() {
        return;
    }
    server.directory().forget(&account.jid);
    crate::pubsub::removed_later(server, account.jid.clone());
    // Counts of stream management are all that there can be.
    let mut batch = Batch::new();
    batch.delete_owner(&account.owner);
    server.store().submit(batch, |result| {
        if let Err(error) = result {
            tracing::warn!(%error, "what a guest left could not be removed");
        }
    });
}
