//! Who shows itself to an account by presence sent to it alone (RFC 6121 §4.6), for as long as it does: it is told of the
//! account's open nodes (XEP-0060 §9.1.3).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use waxwing_stanza::{BareJid, Jid};

use crate::session::Session;

/// By account, and by the numbers of the sessions. Each is as often in it as sessions keep addresses to which they sent
/// presence, and no longer.
#[derive(Default)]
pub(crate) struct Sharers(Mutex<HashMap<BareJid, BTreeMap<u64, Weak<Session>>>>);

impl Sharers {
    fn all(&self) -> MutexGuard<'_, HashMap<BareJid, BTreeMap<u64, Weak<Session>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session has shown itself to an address.
    pub(crate) fn add(&self, session: &Arc<Session>, to: &Jid) {
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
