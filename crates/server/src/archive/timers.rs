//! Messages that are to disappear (XEP-0466), as far as a server can see to that. Nobody tells it when a message was read,
//! so the time counts from when it came, and a message that somebody has yet to get stays until they have it. Then what it
//! said goes from the archive; its place stays.

use std::sync::atomic::{AtomicU64, Ordering};

use waxwing_store::{Batch, Index, KeyRange, LogId, Owner, Page, StoreError, Table};

use crate::archive::emptied::emptied;
use crate::delivery::{MESSAGES, StoredMessage, UNDELIVERED};
use crate::server::Server;

/// Messages that are looked at together.
const AT_ONCE: usize = 100;

/// When a message that waits is looked at again.
const AGAIN_MICROS: u64 = 300 * 1_000_000;

/// When a message is to disappear.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Timer {
    /// In microseconds since 1970.
    #[prost(uint64, tag = "1")]
    due_micros: u64,
}

/// Timers by when they are due.
pub(crate) static DUE: Index<LogId, Timer, u64> =
    Index::ordered("due", |_, timer| vec![timer.due_micros]);

/// Timers of the entries of each account's log.
pub(crate) static TIMERS: Table<LogId, Timer> = Table::new("archive-timers", 1).index(&DUE);

/// When the next timer is due, so that nobody looks for one before: 0 where it has to be looked up.
#[derive(Default)]
pub(crate) struct NextTimer(AtomicU64);

impl NextTimer {
    /// Another one is set for an entry.
    pub(crate) fn note(&self, id: LogId, secs: u32) {
        self.0.fetch_min(due_micros(id, secs), Ordering::SeqCst);
    }
}

fn due_micros(id: LogId, secs: u32) -> u64 {
    id.0.saturating_add(u64::from(secs) * 1_000_000)
}

/// Sets the timer of an entry.
pub(crate) fn set(batch: &mut Batch, owner: &Owner, id: LogId, secs: u32) {
    let due_micros = due_micros(id, secs);
    batch.put(&TIMERS, owner, &id, &Timer { due_micros });
}

/// Lets go what is due.
pub(crate) async fn fire(server: &Server) -> Result<(), StoreError> {
    let next = &server.timers().0;
    if next.load(Ordering::SeqCst) > server.now_micros() {
        return Ok(());
    }
    // What is set from now on counts again, and what was set before is with the store.
    server.while_nothing_is_staged(|| next.store(u64::MAX, Ordering::SeqCst));
    let fired = fire_all(server).await;
    // Where it is not known, it is looked up next time.
    let earliest = fired.as_ref().copied().unwrap_or(Some(0));
    next.fetch_min(earliest.unwrap_or(u64::MAX), Ordering::SeqCst);
    fired.map(|_| ())
}

/// The same; says when the next one is due.
async fn fire_all(server: &Server) -> Result<Option<u64>, StoreError> {
    loop {
        let all = KeyRange::all();
        let found = server.store().find(&TIMERS, &DUE, &all, AT_ONCE).await?;
        let now = server.now_micros();
        let next = found.iter().find(|timer| timer.value.due_micros > now);
        let next = next.map(|timer| timer.value.due_micros);
        let is_all = next.is_some() || found.is_empty() || server.stopping();
        let due = found.into_iter();
        let due = due.filter(|timer| timer.value.due_micros <= now);
        let due: Vec<_> = due.map(|timer| (timer.owner, timer.key)).collect();
        let_go(server, &due, now).await?;
        if is_all {
            return Ok(next);
        }
    }
}

/// Lets messages go, by one commit: nobody waits behind somebody's many.
async fn let_go(
    server: &Server,
    due: &[(Owner, LogId)],
    now_micros: u64,
) -> Result<(), StoreError> {
    if !by_one_commit(server, due, now_micros).await? {
        // One of them was taken back meanwhile, or an account removed: each by itself.
        for timer in due {
            by_one_commit(server, std::slice::from_ref(timer), now_micros).await?;
        }
    }
    Ok(())
}

/// Says whether all timers were still there.
async fn by_one_commit(
    server: &Server,
    due: &[(Owner, LogId)],
    now_micros: u64,
) -> Result<bool, StoreError> {
    let mut batch = Batch::new();
    for (owner, id) in due {
        one(server, owner, *id, now_micros, &mut batch).await?;
    }
    match server.store().commit(batch).await {
        Err(StoreError::Refused { .. }) => Ok(false),
        done => done.map(|_| true),
    }
}

/// Lets one go, or has it looked at again.
async fn one(
    server: &Server,
    owner: &Owner,
    id: LogId,
    now_micros: u64,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let page = Page::forward(1).from(id).to(id);
    let mut found = server.store().page(&MESSAGES, owner, page).await?;
    // Whoever takes the message back takes the timer with it.
    batch.require_present(&TIMERS, owner, &id);
    match found.entries.pop() {
        Some(entry) if entry.marks.contains(UNDELIVERED) => {
            let due_micros = now_micros.saturating_add(AGAIN_MICROS);
            batch.put(&TIMERS, owner, &id, &Timer { due_micros });
        }
        Some(entry) => {
            if let Some(stored) = without_words(owner, &entry.payload) {
                batch.replace(&MESSAGES, owner, id, &stored);
            }
            batch.delete(&TIMERS, owner, &id);
        }
        None => batch.delete(&TIMERS, owner, &id),
    }
    Ok(())
}

/// What is left: who sent it to whom, when, its ids, and that it was to disappear.
fn without_words(owner: &Owner, stored: &StoredMessage) -> Option<StoredMessage> {
    emptied(owner, stored, &stored.read()?, None)
}
