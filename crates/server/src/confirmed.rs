//! Messages that one session of an account has confirmed while another has yet to read them in the log.
//!
//! The mark *undelivered* is the account's: cleared at the first confirmation, the entry would be gone before the
//! other session came to it, and its client would never show it. So the mark stays until all of the most available
//! sessions that are catching up have passed the entry. What is confirmed is known here meanwhile, so that nobody gets
//! it again; after a crash it may come once more, with the same stanza-id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use waxwing_store::LogId;

use crate::directory::Account;
use crate::session::Session;

/// Most entries of one account whose marks are kept for a session that is slow; the marks of more go at once.
const HELD_MAX: usize = 10_000;

/// Entries with the numbers of the sessions that have confirmed them.
#[derive(Default)]
pub(crate) struct Confirmed(Mutex<BTreeMap<LogId, Vec<u64>>>);

impl Confirmed {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<LogId, Vec<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this session has said that it has the entry.
    pub(crate) fn has(&self, id: LogId, session: &Session) -> bool {
        let held = self.lock();
        held.get(&id)
            .is_some_and(|sessions| sessions.contains(&session.number))
    }
}

/// Of the entries that a session confirms, those that nobody else has to read; the others are held.
pub(crate) fn settle(session: &Session, ids: Vec<LogId>) -> Vec<LogId> {
    let account = &session.account;
    let readers = readers(account, Some(session.number));
    if readers.is_empty() {
        return ids;
    }
    let mut held = account.confirmed.lock();
    let (kept, settled): (Vec<LogId>, Vec<LogId>) = ids.into_iter().partition(|id| {
        held.len() < HELD_MAX && readers.iter().any(|reader| reader.state().lacks(*id))
    });
    for id in kept {
        held.entry(id).or_default().push(session.number);
    }
    settled
}

/// The held entries that nobody has to read any more, when a session has caught up or is gone.
pub(crate) fn release(account: &Account) -> Vec<LogId> {
    let readers = readers(account, None);
    let mut held = account.confirmed.lock();
    let mut released = Vec::new();
    held.retain(|id, _| {
        let stays = readers.iter().any(|reader| reader.state().lacks(*id));
        released.extend((!stays).then_some(*id));
        stays
    });
    released
}

/// The most available sessions that are catching up. Others get what is left.
fn readers(account: &Account, but: Option<u64>) -> Vec<Arc<Session>> {
    let mut readers = account.most_available();
    readers.retain(|session| Some(session.number) != but && session.state().is_catching_up());
    readers
}
