//! Addressee kinds: whom a stanza is for, since disco, archive and others are answered by several.

use waxwing_stanza::{BareJid, Jid};

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
}

impl Addressee {
    /// All kinds, in the order in which listings name them.
    pub const ALL: &'static [Addressee] = &[
        Addressee::OwnAccount,
        Addressee::OtherAccount,
        Addressee::Domain,
    ];

    /// The kind's name in listings.
    pub fn name(self) -> &'static str {
        match self {
            Addressee::OwnAccount => "own account",
            Addressee::OtherAccount => "other account",
            Addressee::Domain => "domain",
        }
    }
}

/// Where a stanza goes, as its addresses say; who is online does not matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The server answers on behalf of this addressee.
    Here(Addressee, BareJid),
    /// A full address at a served domain: a session, if there is one.
    Session(waxwing_stanza::FullJid),
    /// A full address of a served domain itself (`domain/resource`): nobody is there.
    Nobody,
    /// Another domain.
    Remote,
}

/// Finds the destination of a stanza from the account `sender` with the given `to`.
pub fn destination(
    sender: &BareJid,
    to: Option<&Jid>,
    serves: impl Fn(&str) -> bool,
) -> Destination {
    let Some(to) = to else {
        return Destination::Here(Addressee::OwnAccount, sender.clone());
    };
    if !serves(to.domain()) {
        return Destination::Remote;
    }
    let bare = to.bare();
    match (to.node().is_some(), to.resource().is_some()) {
        (false, false) => Destination::Here(Addressee::Domain, bare),
        (false, true) => Destination::Nobody,
        (true, false) if bare == *sender => Destination::Here(Addressee::OwnAccount, bare),
        (true, false) => Destination::Here(Addressee::OtherAccount, bare),
        (true, true) => to.full().map_or(Destination::Nobody, Destination::Session),
    }
}
