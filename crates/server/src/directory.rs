//! Who is here: local accounts in use and their sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use waxwing_stanza::{BareJid, FullJid};
use waxwing_store::{LogId, Owner};

use crate::accounts::Role;
use crate::archive::Preferences;
use crate::blocking::BlockList;
use crate::confirmed::Confirmed;
use crate::push::Pushing;
use crate::session::Session;
use crate::throttle::Network;
use crate::turnstile::Turnstile;
use crate::waiting::Waiting;
use crate::xep::xep_0175_guests::Pass;

/// Most accounts without sessions that are remembered to exist, so that a message to them needs no read: beside as many
/// as were in use when those that are not were forgotten last.
pub const ACCOUNTS_IDLE_MAX: usize = 10_000;

/// Whom most accounts have blocked.
static NOBODY: LazyLock<Arc<BlockList>> = LazyLock::new(Arc::default);

/// Sessions of an account.
#[derive(Default)]
struct Sessions {
    /// Those that have not ended.
    here: Vec<Arc<Session>>,
    /// Those that have, and that those who saw them have yet to be told of.
    leaving: Vec<Arc<Session>>,
}

/// A local account that exists.
pub struct Account {
    /// Its bare address.
    pub jid: BareJid,
    /// Its name in the store.
    pub owner: Owner,
    /// The newest entry of its log that was staged while this was in memory.
    last_id: AtomicU64,
    sessions: Mutex<Sessions>,
    /// Held while a session is bound.
    binding: Mutex<()>,
    /// Held while something of the account is changed on what was read before.
    turn: Arc<Turnstile>,
    /// What it may do; [`Role`] as its number.
    role: AtomicI32,
    /// Whether it is no account of ours: somebody at a component, or the component itself. Nothing of it is stored but
    /// what waits for a component.
    outside: bool,
    /// Its place among the guests, if it is one.
    pub(crate) guest: Option<Pass>,
    /// How much waits for it.
    pub(crate) waiting: Waiting,
    /// What is to be pushed to its devices.
    pub(crate) pushing: Pushing,
    /// Bytes that are queued for its sessions.
    pub(crate) queued_bytes: Arc<AtomicUsize>,
    /// What one of its sessions has confirmed and another has yet to read.
    pub(crate) confirmed: Confirmed,
    /// Its removal is staged: nothing is stored for it from then on.
    removed: AtomicBool,
    /// Whom it has blocked.
    blocked: Mutex<Arc<BlockList>>,
    /// With whom it wants messages archived, if it has said so.
    archiving: Mutex<Option<Arc<Preferences>>>,
    /// The network from which it was logged into last, and when that was written down.
    visited: Mutex<Option<(Network, u64)>>,
}

impl Account {
    fn new(jid: BareJid, role: Role, blocked: BlockList) -> Self {
        let owner = Owner::account(jid.as_ref());
        Account {
            jid,
            owner,
            last_id: AtomicU64::new(0),
            sessions: Mutex::default(),
            binding: Mutex::default(),
            turn: Arc::default(),
            role: AtomicI32::new(role.into()),
            outside: false,
            guest: None,
            waiting: Waiting::default(),
            pushing: Pushing::default(),
            queued_bytes: Arc::default(),
            confirmed: Confirmed::default(),
            removed: AtomicBool::new(false),
            blocked: Mutex::new(match blocked.0.is_empty() {
                true => NOBODY.clone(),
                false => Arc::new(blocked),
            }),
            archiving: Mutex::default(),
            visited: Mutex::default(),
        }
    }

    /// Somebody at a component, or the component itself.
    pub(crate) fn outside(jid: BareJid) -> Self {
        Account {
            outside: true,
            ..Account::new(jid, Role::default(), BlockList::default())
        }
    }

    /// Whether it is no account of ours, but somebody at a component.
    pub fn is_outside(&self) -> bool {
        self.outside
    }

    /// Whether it is a guest's, who has proved nothing and will not come back.
    pub fn is_guest(&self) -> bool {
        self.guest.is_some()
    }

    /// What it may do.
    pub fn role(&self) -> Role {
        Role::try_from(self.role.load(Ordering::SeqCst)).unwrap_or_default()
    }

    pub(crate) fn set_role(&self, role: Role) {
        self.role.store(role.into(), Ordering::SeqCst);
    }

    /// Whether it reaches nobody but this server's people and services.
    pub fn stays_here(&self) -> bool {
        self.is_guest() || self.role() == Role::Restricted
    }

    /// Whether its removal is staged.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::SeqCst)
    }

    /// Its removal is staged, or was not made after all.
    pub(crate) fn set_removed(&self, removed: bool) {
        self.removed.store(removed, Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its sessions, those without a stream too.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.lock().here.clone()
    }

    /// Its sessions, and those that have ended and may still be seen.
    pub(crate) fn visible(&self) -> Vec<Arc<Session>> {
        let sessions = self.lock();
        sessions
            .here
            .iter()
            .chain(&sessions.leaving)
            .cloned()
            .collect()
    }

    /// A session that has ended is not seen any more.
    pub(crate) fn has_left(&self, session: &Arc<Session>) {
        self.lock()
            .leaving
            .retain(|other| !Arc::ptr_eq(other, session));
    }

    /// The session with this resource.
    pub fn session(&self, resource: &str) -> Option<Arc<Session>> {
        self.lock()
            .here
            .iter()
            .find(|session| session.jid.resource() == resource)
            .cloned()
    }

    /// Sessions that sent available presence, with their priorities.
    pub fn available(&self) -> Vec<(i8, Arc<Session>)> {
        self.lock()
            .here
            .iter()
            .filter_map(|session| {
                session
                    .priority()
                    .map(|priority| (priority, session.clone()))
            })
            .collect()
    }

    /// Those of its available sessions that want messages for the account: not those of negative priority
    /// (RFC 6121 §8.5.2.1).
    pub(crate) fn not_negative(&self) -> Vec<(i8, Arc<Session>)> {
        let mut available = self.available();
        available.retain(|(priority, _)| *priority >= 0);
        available
    }

    /// The most available of those, several if they are equally so.
    pub(crate) fn most_available(&self) -> Vec<Arc<Session>> {
        let available = self.not_negative();
        let best = available.iter().map(|(priority, _)| *priority).max();
        available
            .into_iter()
            .filter(|(priority, _)| Some(*priority) == best)
            .map(|(_, session)| session)
            .collect()
    }

    /// Held while a session is bound: two must not find the same resource free.
    pub(crate) fn binding(&self) -> MutexGuard<'_, ()> {
        self.binding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to change what sessions of the account change at the same time.
    pub(crate) async fn turn(&self) -> crate::effects::Turn {
        vec![self.turn.pass().await]
    }

    /// Whom it has blocked (XEP-0191).
    pub fn blocked(&self) -> Arc<BlockList> {
        let blocked = self.blocked.lock();
        blocked.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_blocked(&self, list: Arc<BlockList>) {
        let blocked = self.blocked.lock();
        *blocked.unwrap_or_else(PoisonError::into_inner) = list;
    }

    /// With whom it wants messages archived, if it has said so (XEP-0441).
    pub(crate) fn archiving(&self) -> Option<Arc<Preferences>> {
        let archiving = self.archiving.lock();
        archiving.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_archiving(&self, preferences: Option<Preferences>) {
        let archiving = self.archiving.lock();
        *archiving.unwrap_or_else(PoisonError::into_inner) = preferences.map(Arc::new);
    }

    /// When it was written down that the account was logged into from this network, if it was the last one.
    pub(crate) fn visited_micros(&self, from: Network) -> Option<u64> {
        let visited = self.visited.lock();
        let (network, at) = (*visited.unwrap_or_else(PoisonError::into_inner))?;
        (network == from).then_some(at)
    }

    pub(crate) fn note_visit(&self, from: Network, at_micros: u64) {
        let visited = self.visited.lock();
        *visited.unwrap_or_else(PoisonError::into_inner) = Some((from, at_micros));
    }

    pub(crate) fn note_log(&self, id: LogId) {
        self.last_id.fetch_max(id.0, Ordering::SeqCst);
    }

    pub(crate) fn last_log(&self) -> LogId {
        LogId(self.last_id.load(Ordering::SeqCst))
    }
}

/// Accounts and sessions of this process.
#[derive(Default)]
pub struct Directory {
    accounts: Mutex<HashMap<BareJid, Arc<Account>>>,
    /// How many accounts were in use when the others were forgotten last.
    used: AtomicUsize,
    resumable: Mutex<HashMap<String, Arc<Session>>>,
}

impl Directory {
    fn accounts(&self) -> MutexGuard<'_, HashMap<BareJid, Arc<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resumable(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.resumable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The account, if it is known to exist without asking the store.
    pub fn known(&self, jid: &BareJid) -> Option<Arc<Account>> {
        self.accounts().get(jid).cloned()
    }

    /// Notes that the account exists, what it may do, whom it has blocked and what it wants archived, unless that is known
    /// already.
    pub(crate) fn note(
        &self,
        jid: &BareJid,
        role: Role,
        blocked: BlockList,
        archiving: Option<Preferences>,
    ) -> Arc<Account> {
        let mut accounts = self.accounts();
        // Not each time: where all are in use, each newcomer would have all of them looked at.
        let most = self.used.load(Ordering::Relaxed) + ACCOUNTS_IDLE_MAX;
        if accounts.len() >= most && !accounts.contains_key(jid) {
            let idle = |account: &Arc<Account>| {
                Arc::strong_count(account) == 1 && account.lock().here.is_empty()
            };
            accounts.retain(|_, account| !idle(account));
            self.used.store(accounts.len(), Ordering::Relaxed);
        }
        accounts
            .entry(jid.clone())
            .or_insert_with(|| {
                let account = Account::new(jid.clone(), role, blocked);
                account.set_archiving(archiving);
                Arc::new(account)
            })
            .clone()
    }

    /// Takes back a note on which nothing stands yet.
    pub(crate) fn unnote(&self, account: &Arc<Account>) {
        let mut accounts = self.accounts();
        let noted = accounts.get(&account.jid);
        let is_same = noted.is_some_and(|noted| Arc::ptr_eq(noted, account));
        if is_same && !account.is_removed() && account.lock().here.is_empty() {
            accounts.remove(&account.jid);
        }
    }

    /// Lets in a guest, whom nobody else has the name of.
    pub(crate) fn note_guest(&self, jid: &BareJid, pass: Pass) -> Arc<Account> {
        let account = Arc::new(Account {
            guest: Some(pass),
            ..Account::new(jid.clone(), Role::default(), BlockList::default())
        });
        self.accounts().insert(jid.clone(), account.clone());
        account
    }

    /// Forgets an account that was removed or disabled; its sessions are returned so that they can be ended.
    pub(crate) fn forget(&self, jid: &BareJid) -> Vec<Arc<Session>> {
        self.accounts()
            .remove(jid)
            .map(|account| account.sessions())
            .unwrap_or_default()
    }

    /// The session of a full address.
    pub fn session(&self, jid: &FullJid) -> Option<Arc<Session>> {
        self.known(&jid.bare())?.session(jid.resource())
    }

    /// All sessions.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        let accounts: Vec<_> = self.accounts().values().cloned().collect();
        accounts
            .iter()
            .flat_map(|account| account.sessions())
            .collect()
    }

    pub(crate) fn add(&self, session: &Arc<Session>) {
        session.account.lock().here.push(session.clone());
    }

    /// Takes a session out; says whether it was there. It stays visible until it is said that it [has
    /// left](Account::has_left).
    pub(crate) fn remove(&self, session: &Arc<Session>) -> bool {
        let mut sessions = session.account.lock();
        let place = sessions
            .here
            .iter()
            .position(|other| Arc::ptr_eq(other, session));
        let removed = place.map(|place| sessions.here.remove(place));
        sessions.leaving.extend(removed.clone());
        removed.is_some()
    }

    pub(crate) fn add_resumable(&self, id: String, session: Arc<Session>) {
        self.resumable().insert(id, session);
    }

    pub(crate) fn remove_resumable(&self, id: &str) {
        self.resumable().remove(id);
    }

    pub(crate) fn find_resumable(&self, id: &str) -> Option<Arc<Session>> {
        self.resumable().get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_in_use_stay_and_the_others_are_forgotten_together() {
        let directory = Directory::default();
        let note = |number: usize| {
            let jid = format!("a{number}@example.org").parse().unwrap();
            directory.note(&jid, Role::default(), BlockList::default(), None)
        };
        let known = || directory.accounts().len();
        let used: Vec<_> = (0..10).map(note).collect();
        (10..ACCOUNTS_IDLE_MAX).for_each(|number| drop(note(number)));
        assert_eq!(known(), ACCOUNTS_IDLE_MAX);
        drop(note(ACCOUNTS_IDLE_MAX));
        assert_eq!(known(), used.len() + 1);
        // There is room for as many beside those in use, which are known all the while.
        (ACCOUNTS_IDLE_MAX + 1..2 * ACCOUNTS_IDLE_MAX).for_each(|number| drop(note(number)));
        assert_eq!(known(), used.len() + ACCOUNTS_IDLE_MAX);
        assert!(Arc::ptr_eq(&note(0), &used[0]));
        drop(note(2 * ACCOUNTS_IDLE_MAX));
        assert_eq!(known(), used.len() + 1);
    }
}
