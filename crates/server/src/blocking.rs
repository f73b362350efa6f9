//! Who may not reach whom (XEP-0191). One function decides, `between`; the pipeline of messages,
//! presence and the routing of IQs ask it.

use std::collections::BTreeSet;

use bytes::Bytes;
use waxwing_stanza::xep::xep_0191_blocking;
use waxwing_stanza::{BareJid, Condition, Jid, StanzaError};
use waxwing_store::{Batch, Owner, Store, StoreError, Table};
use waxwing_wire::Stanza;

use crate::addressee::Destination;
use crate::directory::Account;
use crate::server::{Server, read_again, unavailable};
use crate::session::Session;

/// Most bytes of all addresses that one account blocks.
pub(crate) const BLOCKED_BYTES_MAX: usize = 512 * 1024;

/// Whom an account has blocked, as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Stored {
    /// Addresses.
    #[prost(string, repeated, tag = "1")]
    jids: Vec<String>,
}

/// Whom each account has blocked, under an empty name.
pub(crate) static BLOCKED: Table<String, Stored> = Table::new("blocked", 1);

/// Whom an account has blocked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockList(pub(crate) BTreeSet<Jid>);

impl BlockList {
    /// Whether it names `jid`: exactly, as an account, or by its domain (§5).
    pub fn names(&self, jid: &Jid) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let bare = jid.bare();
        let domain = Jid::from(bare.to_domain());
        self.0.contains(jid) || self.0.contains(&Jid::from(bare)) || self.0.contains(&domain)
    }

    /// Bytes of all addresses.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|jid| jid.as_str().len()).sum()
    }
}

/// Reads whom an account has blocked: one read of the same kind, whether there is such an account.
pub(crate) async fn load(store: &Store, owner: &Owner) -> Result<BlockList, StoreError> {
    let stored = store.get(&BLOCKED, owner, &String::new()).await?;
    let jids = stored.into_iter().flat_map(|stored| stored.jids);
    Ok(BlockList(jids.filter_map(|jid| jid.parse().ok()).collect()))
}

/// Writes whom an account has blocked.
pub(crate) fn save(batch: &mut Batch, owner: &Owner, list: &BlockList) {
    let jids = list.0.iter().map(ToString::to_string).collect();
    batch.put(&BLOCKED, owner, &String::new(), &Stored { jids });
}

/// What stands between two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Free,
    /// The sender has blocked the recipient.
    BySender,
    /// The recipient has blocked the sender.
    ByRecipient,
}

/// Whether what `from` sends may reach `to`.
pub(crate) fn between(
    from: (&Jid, &BareJid, &BlockList),
    to: &Jid,
    recipient: &BlockList,
) -> Verdict {
    let (from, account, sender) = from;
    let bare = to.bare();
    // An account is never cut off from itself (§4), nor from its own server.
    if bare == *account || bare == account.to_domain() {
        Verdict::Free
    } else if sender.names(to) {
        Verdict::BySender
    } else if recipient.names(from) {
        Verdict::ByRecipient
    } else {
        Verdict::Free
    }
}

impl Verdict {
    /// The error for a message or an IQ (§3.3). To whom is blocked the account looks as if it did not exist.
    pub(crate) fn check(self) -> Result<(), StanzaError> {
        match self {
            Verdict::Free => Ok(()),
            Verdict::BySender => Err(xep_0191_blocking::blocked()),
            Verdict::ByRecipient => Err(Condition::ServiceUnavailable.into()),
        }
    }
}

/// What stands between a session and an address, whose account is `recipient` if it is one of ours.
pub(crate) fn from_session(session: &Session, to: &Jid, recipient: &BlockList) -> Verdict {
    let own = session.account.blocked();
    let from = session.as_sender();
    between((&from, &session.account.jid, &own), to, recipient)
}

/// Whether presence of one session may reach another.
pub(crate) fn is_free(from: &Session, to: &Session) -> bool {
    is_free_at(from, to, &to.as_sender())
}

/// The same where it is addressed to somebody at a component, whose session takes it for all of them.
pub(crate) fn is_free_at(from: &Session, to: &Session, address: &Jid) -> bool {
    let own = Jid::from(to.jid.clone());
    let to_jid = match to.account.is_outside() {
        true => address,
        false => &own,
    };
    from_session(from, to_jid, &to.account.blocked()) == Verdict::Free
}

/// Refuses what a session sends as message to where it may not go.
pub(crate) async fn check_message(
    server: &Server,
    session: &Session,
    destination: &Destination,
    to: Option<&Jid>,
) -> Result<(), StanzaError> {
    let Some(to) = to else {
        return Ok(());
    };
    let account = match destination {
        Destination::Here(..) | Destination::Session(_) => server.account(&to.bare()).await?,
        Destination::AtHost(..)
        | Destination::Component(_)
        | Destination::Nobody
        | Destination::Remote => None,
    };
    let list = account.map(|account| account.blocked()).unwrap_or_default();
    from_session(session, to, &list).check()
}

/// Refuses an IQ to where it may not go. For an account the list is always read from the store: equal
/// work, whether it exists and whoever is there.
pub(crate) async fn check_iq(
    server: &Server,
    session: &Session,
    to: &Jid,
) -> Result<(), StanzaError> {
    let bare = to.bare();
    let list = if to.resource().is_some() || to.node().is_none() {
        let account = server.directory().known(&bare);
        account.map(|account| account.blocked()).unwrap_or_default()
    } else if server.serves(to.domain()) {
        let owner = Owner::account(bare.as_ref());
        let loaded = load(server.store(), &owner).await;
        loaded.map_err(|error| unavailable(&error))?.into()
    } else {
        std::sync::Arc::default()
    };
    from_session(session, to, &list).check()
}

/// Refuses directed or subscription presence to whom the sender has blocked. That the recipient has
/// blocked the sender is passed over in silence where it would be delivered.
pub(crate) fn check_presence(session: &Session, to: &Jid) -> Result<(), StanzaError> {
    from_session(session, to, &BlockList::default()).check()
}

/// Whether what comes from `from` is kept from `account`.
pub(crate) fn is_kept_from(account: &Account, from: &Jid) -> bool {
    let list = account.blocked();
    if list.0.is_empty() {
        return false;
    }
    let to = Jid::from(account.jid.clone());
    let nobody = BlockList::default();
    between((from, &from.bare(), &nobody), &to, &list) != Verdict::Free
}

/// The same, for an account that may not be there.
pub(crate) async fn has_blocked(
    server: &Server,
    account: &BareJid,
    who: &Jid,
) -> Result<bool, StanzaError> {
    let account = server.account(account).await?;
    Ok(account.is_some_and(|account| is_kept_from(&account, who)))
}

/// Whether a stanza on its way to `account` is kept from it. What became of something that the account itself sent is not:
/// this server says so in the other's name, and a message that was refused would be left without an answer. Nor is that
/// somebody left.
pub(crate) fn keeps_away(account: &Account, stanza: &Bytes) -> bool {
    if account.blocked().0.is_empty() {
        return false;
    }
    let Ok(stanza) = read_again(stanza.clone()) else {
        return false;
    };
    let from = stanza.from().and_then(|from| from.parse::<Jid>().ok());
    from.is_some_and(|from| !is_of_the_server(&stanza, &from) && is_kept_from(account, &from))
}

/// An error, a leave, or the result that an account gives whether anybody is there or not.
fn is_of_the_server(stanza: &Stanza, from: &Jid) -> bool {
    match stanza.kind().as_deref() {
        Some("error" | "unavailable") => true,
        Some("result") => stanza.name() == "iq" && from.resource().is_none(),
        _ => false,
    }
}

/// Takes back what the account's sessions have not been sent yet of those whom it has blocked (§3.3). Messages stay in
/// the log until they are free again; who asked something learns that nobody is there.
pub(crate) fn take_away(server: &Server, account: &Account) {
    for session in account.sessions() {
        let taken = session
            .state()
            .take_unwritten(|bytes| keeps_away(account, bytes));
        crate::route::bounce_all(server, taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(jids: &[&str]) -> BlockList {
        BlockList(jids.iter().map(|jid| jid.parse().unwrap()).collect())
    }

    /// §5, every kind of item against every kind of address.
    #[test]
    fn what_an_item_names() {
        let addresses = ["a@x/r", "a@x/s", "a@x", "b@x/r", "x/r", "x/s", "x", "y"];
        for (item, named) in [
            ("a@x/r", &["a@x/r"][..]),
            ("a@x", &["a@x/r", "a@x/s", "a@x"][..]),
            ("x/r", &["x/r"][..]),
            (
                "x",
                &["a@x/r", "a@x/s", "a@x", "b@x/r", "x/r", "x/s", "x"][..],
            ),
        ] {
            for address in addresses {
                let names = list(&[item]).names(&address.parse().unwrap());
                assert_eq!(names, named.contains(&address), "{item} {address}");
            }
        }
        assert!(!list(&[]).names(&"x".parse().unwrap()));
    }

    #[test]
    fn both_ways_and_never_oneself() {
        let decide = |own: &[&str], to: &str, theirs: &[&str]| {
            let from: Jid = "a@x/r".parse().unwrap();
            between(
                (&from, &from.bare(), &list(own)),
                &to.parse().unwrap(),
                &list(theirs),
            )
        };
        assert_eq!(decide(&["b@y"], "b@y/s", &[]), Verdict::BySender);
        assert_eq!(decide(&[], "b@y", &["a@x"]), Verdict::ByRecipient);
        assert_eq!(decide(&["y"], "b@y", &["x"]), Verdict::BySender);
        assert_eq!(decide(&["c@y"], "b@y", &["c@x"]), Verdict::Free);
        for own in ["a@x/s", "a@x", "x"] {
            assert_eq!(decide(&[own], own, &[own]), Verdict::Free, "{own}");
        }
        assert_eq!(decide(&["x"], "b@x", &[]), Verdict::BySender);
    }
}
