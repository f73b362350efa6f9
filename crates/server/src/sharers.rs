//! Who shows itself to an account by presence sent to it alone (RFC 6121 §4.6), for as long as it does: it is told of the
//! account's open nodes (XEP-0060 §9.1.3).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use waxwing_stanza::{BareJid, Jid};

use crate::pubsub;
use crate::server::Server;
use crate::session::Session;

/// A session shows itself to an address. From now on it is told what is new there, and now how things are.
pub(crate) fn show(server: &Server, session: &Arc<Session>, to: &Jid) {
    server.sharers().add(session, to);
    let account = to.bare();
    let told = {
        let mut state = session.state();
        let is_first = !state.shows_itself_to(&account);
        state.directed.insert(to.clone());
        // What it is not told of yet, it is told with all the rest.
        let following = state.following.as_ref().filter(|_| is_first);
        following.and_then(|following| following.told())
    };
    if let Some(told) = told {
        pubsub::shared(server, session, account, told);
    }
}

/// It does so no more; says whether it did.
pub(crate) fn hide(server: &Server, session: &Session, to: &Jid) -> bool {
    let account = to.bare();
    let (did, is_last) = {
        let mut state = session.state();
        let did = state.directed.remove(to);
        (did, !state.shows_itself_to(&account))
    };
    if did && is_last {
        server.sharers().remove(session, &account);
    }
    did
}

/// By account, and by the numbers of the sessions. Each is as often in it as sessions keep addresses to which they sent
/// presence, and no longer.
#[derive(Default)]
pub(crate) struct Sharers(Mutex<HashMap<BareJid, BTreeMap<u64, Weak<Session>>>>);

impl Sharers {
    fn all(&self) -> MutexGuard<'_, HashMap<BareJid, BTreeMap<u64, Weak<Session>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session shows itself to an address.
    fn add(&self, session: &Arc<Session>, to: &Jid) {
        let account = to.bare();
        if account != session.account.jid {
            let mut all = self.all();
            let sharers = all.entry(account).or_default();
            sharers.insert(session.number, Arc::downgrade(session));
        }
    }

    /// It shows itself to no address of an account any more.
    pub(crate) fn remove(&self, session: &Session, account: &BareJid) {
        let mut all = self.all();
        if let Some(sharers) = all.get_mut(account) {
            sharers.remove(&session.number);
            if sharers.is_empty() {
                all.remove(account);
            }
        }
    }

    /// The sessions that show themselves to an account.
    pub(crate) fn of(&self, account: &BareJid) -> Vec<Arc<Session>> {
        let all = self.all();
        let sharers = all.get(account).into_iter().flatten();
        sharers
            .filter_map(|(_, session)| session.upgrade())
            .collect()
    }
}
