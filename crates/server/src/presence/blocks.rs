//! Presence between an account and those whom it blocks, or blocks no more (XEP-0191 §3.3, §3.4).

use std::collections::HashSet;
use std::sync::Arc;

use waxwing_stanza::{BareJid, Jid};

use super::{at, contacts_from, show, unavailable};
use crate::blocking::{self, BlockList};
use crate::directory::Account;
use crate::pubsub;
use crate::roster::StoredItem;
use crate::server::Server;
use crate::session::{Out, Session};

/// Whom a change of a list of blocked addresses cuts off from its account.
struct Cut {
    account: Arc<Account>,
    before: Arc<BlockList>,
    after: Arc<BlockList>,
}

impl Cut {
    /// Whether it comes between a session of the account and another's, where nothing else did.
    fn is_between(&self, own: &Session, other: &Session) -> bool {
        let jid = Jid::from(other.jid.clone());
        let is_new = self.after.names(&jid) && !self.before.names(&jid);
        let own_jid = Jid::from(own.jid.clone());
        is_new && other.account.jid != self.account.jid && !other.account.blocked().names(&own_jid)
    }
}

/// Makes another list of blocked addresses count, and tells what that changes, all at once: nobody's leave is kept away
/// before they were seen to leave.
///
/// Whoever is blocked now and was not before sees the account's sessions leave, if they saw them; and the account sees
/// theirs leave, since it is not told any more when they do.
pub(crate) fn block(
    server: &Server,
    account: &Arc<Account>,
    after: Arc<BlockList>,
    contacts: &[(BareJid, StoredItem)],
) {
    let cut = Cut {
        account: account.clone(),
        before: account.blocked(),
        after: after.clone(),
    };
    let subscribers = contacts_from(contacts);
    let seen = contacts.iter().filter(|(_, item)| item.to);
    let seen: HashSet<&BareJid> = seen.map(|(contact, _)| contact).collect();
    for own in account.visible() {
        hide(server, &cut, &own, &subscribers);
    }
    account.set_blocked(after);
    blocking::take_away(server, account);
    for (_, own) in account.available() {
        lose(server, &cut, &own, &seen);
    }
}

/// Who is cut off and saw a session sees it leave.
fn hide(server: &Server, cut: &Cut, own: &Session, subscribers: &[BareJid]) {
    let (available, directed) = {
        let state = own.state();
        (state.available.is_some(), state.directed.clone())
    };
    let subscribers = subscribers.iter().filter(|_| available);
    let mut told = HashSet::new();
    for to in subscribers.cloned().map(Jid::from).chain(directed) {
        for other in at(server, &to) {
            if cut.is_between(own, &other) && told.insert(other.number) {
                other.push(Out::stanza(unavailable(own.jid.as_str(), to.as_ref())));
            }
        }
    }
}

/// A session sees those leave that are cut off and were shown to it: contacts, and who showed themselves to it alone.
fn lose(server: &Server, cut: &Cut, own: &Session, seen: &HashSet<&BareJid>) {
    let named = cut.after.0.difference(&cut.before.0).map(Jid::bare);
    let mut looked_at = HashSet::new();
    for whose in seen.iter().copied().cloned().chain(named) {
        if !looked_at.insert(whose.clone()) {
            continue;
        }
        let known = server.directory().known(&whose);
        for other in known.iter().flat_map(|known| known.visible()) {
            let shown = {
                let state = other.state();
                let to = [Jid::from(own.jid.clone()), cut.account.jid.clone().into()];
                let directly = to.iter().any(|to| state.directed.contains(to));
                directly || (state.available.is_some() && seen.contains(&whose))
            };
            if shown && cut.is_between(own, &other) {
                let left = unavailable(other.jid.as_str(), cut.account.jid.as_str());
                own.push(Out::stanza(left));
            }
        }
    }
}

/// Makes another list count: whoever was blocked before and is not now sees the account's sessions again, if they may see
/// them; and the account sees theirs, and what they asked.
pub(crate) fn unblock(
    server: &Server,
    account: &Arc<Account>,
    after: Arc<BlockList>,
    contacts: &[(BareJid, StoredItem)],
) {
    let before = account.blocked();
    account.set_blocked(after.clone());
    // What waited because its sender was blocked.
    crate::lifecycle::look_again(server, account);
    let is_free = |jid: &Jid| before.names(jid) && !after.names(jid);
    for (contact, item) in contacts {
        let bare = Jid::from(contact.clone());
        if let (Some(request), true) = (&item.request, is_free(&bare)) {
            for (_, own) in account.available() {
                own.push(Out::stanza(request.clone()));
            }
        }
        if is_free(&bare) {
            if item.from {
                pubsub::gained(server, &account.jid, contact);
            }
            if item.to {
                pubsub::gained(server, contact, &account.jid);
            }
        }
        for other in at(server, &bare) {
            if !is_free(&other.jid.clone().into()) {
                continue;
            }
            for (_, own) in account.available() {
                if item.from {
                    show(&own, &other, contact);
                }
                if item.to {
                    show(&other, &own, &account.jid);
                }
            }
        }
    }
}
