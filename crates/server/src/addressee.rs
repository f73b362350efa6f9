//! Addressee kinds: whom a stanza is for, since disco, archive and others are answered by several.

use waxwing_stanza::{BareJid, Jid};

use crate::hosts::Service;

/// Whom the server answers for when a stanza is not for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Addressee {
    /// The sender's own account: no `to`, or its own bare address (RFC 6120 §10.3).
    OwnAccount,
    /// Another local account's bare address; there need not be such an account, and strangers must
    /// not learn whether there is.
    OtherAccount,
    /// A served domain.
    Domain,
    /// A service host of a served domain, by the address without anything before or behind it.
    Host(Service),
}

impl Addressee {
    /// All kinds, in the order in which listings name them.
    pub const ALL: &'static [Addressee] = &[
        Addressee::OwnAccount,
        Addressee::OtherAccount,
        Addressee::Domain,
        Addressee::Host(Service::Rooms),
        Addressee::Host(Service::Pubsub),
        Addressee::Host(Service::Bytestreams),
    ];

    /// The server itself, by whichever of its names.
    pub const SERVER: &'static [Addressee] = &[
        Addressee::Domain,
        Addressee::Host(Service::Rooms),
        Addressee::Host(Service::Pubsub),
        Addressee::Host(Service::Bytestreams),
    ];

    /// The kind's name in listings.
    pub fn name(self) -> &'static str {
        match self {
            Addressee::OwnAccount => "own account",
            Addressee::OtherAccount => "other account",
            Addressee::Domain => "domain",
            Addressee::Host(Service::Rooms) => "room service",
            Addressee::Host(Service::Pubsub) => "pubsub service",
            Addressee::Host(Service::Bytestreams) => "relay of byte streams",
        }
    }
}

/// What of ours a domain part names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A served domain, with accounts.
    Domain,
    /// A service host.
    Host(Service),
    /// The host of an external component (XEP-0114): everything there is the component's.
    Component,
}

/// Where a stanza goes, as its addresses say; who is online does not matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The server answers on behalf of this addressee.
    Here(Addressee, BareJid),
    /// A full address at a served domain: a session, if there is one.
    Session(waxwing_stanza::FullJid),
    /// An address at a service host that is not the host's own, such as a room: for the service to say who that is.
    AtHost(Service, Jid),
    /// Any address at the host of an external component.
    Component(Jid),
    /// A full address of a served domain itself (`domain/resource`): nobody is there.
    Nobody,
    /// Another domain.
    Remote,
}

/// Finds the destination of a stanza from the account `sender` with the given `to`.
pub fn destination(
    sender: &BareJid,
    to: Option<&Jid>,
    place: impl Fn(&str) -> Option<Place>,
) -> Destination {
    let Some(to) = to else {
        return Destination::Here(Addressee::OwnAccount, sender.clone());
    };
    let bare = to.bare();
    let is_host = to.node().is_none() && to.resource().is_none();
    match place(to.domain()) {
        None => return Destination::Remote,
        Some(Place::Host(service)) if is_host => {
            return Destination::Here(Addressee::Host(service), bare);
        }
        Some(Place::Host(service)) => return Destination::AtHost(service, to.clone()),
        Some(Place::Component) => return Destination::Component(to.clone()),
        Some(Place::Domain) => {}
    }
    match (to.node().is_some(), to.resource().is_some()) {
        (false, false) => Destination::Here(Addressee::Domain, bare),
        (false, true) => Destination::Nobody,
        (true, false) if bare == *sender => Destination::Here(Addressee::OwnAccount, bare),
        (true, false) => Destination::Here(Addressee::OtherAccount, bare),
        (true, true) => to.full().map_or(Destination::Nobody, Destination::Session),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_address() {
        let sender: BareJid = "a@x.example".parse().unwrap();
        let place = |domain: &str| match domain {
            "x.example" => Some(Place::Domain),
            "rooms.x.example" => Some(Place::Host(Service::Rooms)),
            "pubsub.x.example" => Some(Place::Host(Service::Pubsub)),
            "irc.x.example" => Some(Place::Component),
            _ => None,
        };
        let find = |to: &str| destination(&sender, Some(&to.parse().unwrap()), place);
        let bare = |to: &str| to.parse::<BareJid>().unwrap();
        let here = |addressee, to: &str| Destination::Here(addressee, bare(to));
        let at = |service, to: &str| Destination::AtHost(service, to.parse().unwrap());
        for (to, expected) in [
            ("a@x.example", here(Addressee::OwnAccount, "a@x.example")),
            ("b@x.example", here(Addressee::OtherAccount, "b@x.example")),
            ("x.example", here(Addressee::Domain, "x.example")),
            ("x.example/r", Destination::Nobody),
            (
                "rooms.x.example",
                here(Addressee::Host(Service::Rooms), "rooms.x.example"),
            ),
            (
                "pubsub.x.example",
                here(Addressee::Host(Service::Pubsub), "pubsub.x.example"),
            ),
            ("rooms.x.example/r", at(Service::Rooms, "rooms.x.example/r")),
            ("r@rooms.x.example", at(Service::Rooms, "r@rooms.x.example")),
            (
                "r@rooms.x.example/n",
                at(Service::Rooms, "r@rooms.x.example/n"),
            ),
            (
                "irc.x.example",
                Destination::Component("irc.x.example".parse().unwrap()),
            ),
            (
                "c@irc.x.example/n",
                Destination::Component("c@irc.x.example/n".parse().unwrap()),
            ),
            ("a@y.example", Destination::Remote),
            ("x.x.example", Destination::Remote),
        ] {
            assert_eq!(find(to), expected, "{to}");
        }
        let session = "b@x.example/r".parse().unwrap();
        assert_eq!(find("b@x.example/r"), Destination::Session(session));
        assert_eq!(
            destination(&sender, None, place),
            here(Addressee::OwnAccount, "a@x.example")
        );
    }
}
