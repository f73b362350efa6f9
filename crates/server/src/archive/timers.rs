//! Messages that are to disappear (XEP-0466), as far as a server can see to that. Nobody tells it when a message was read,
//! so the time counts from when it came, and a message that somebody has yet to get stays until they have it. Then what it
//! said goes from the archive; its place stays.

use std::sync::atomic::{AtomicU64, Ordering};

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0359_stanza_ids::{NS as STANZA_IDS, StanzaId};
use waxwing_stanza::xep::xep_0466_ephemeral::Ephemeral;
use waxwing_store::{Batch, Entry, Index, KeyRange, LogId, Owner, Page, StoreError, Table};
use waxwing_wire::Stanza;

use crate::accounts;
use crate::delivery::{MESSAGES, StoredMessage, UNDELIVERED};
use crate::server::{Server, read_again};

/// Messages that are looked at together.
const AT_ONCE: usize = 100;

/// When a message that waits is looked at again.
const AGAIN_MICROS: u64 = 3_600 * 1_000_000;

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
    // What is set from now on counts again.
    next.store(u64::MAX, Ordering::SeqCst);
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
        let due = found
            .into_iter()
            .filter(|timer| timer.value.due_micros <= now);
        for timer in due {
            one(server, &timer.owner, timer.key, now).await?;
        }
        if is_all {
            return Ok(next);
        }
    }
}

/// Lets one go, or has it looked at again.
async fn one(server: &Server, owner: &Owner, id: LogId, now_micros: u64) -> Result<(), StoreError> {
    let page = Page::forward(1).from(id).to(id);
    let mut found = server.store().page(&MESSAGES, owner, page).await?;
    let mut batch = Batch::new();
    batch.unhurried();
    accounts::require(&mut batch, owner);
    match found.entries.pop() {
        Some(entry) if entry.marks.contains(UNDELIVERED) => {
            let due_micros = now_micros.saturating_add(AGAIN_MICROS);
            batch.put(&TIMERS, owner, &id, &Timer { due_micros });
        }
        Some(entry) => {
            if let Some(stored) = emptied(entry) {
                batch.replace(&MESSAGES, owner, id, &stored);
            }
            batch.delete(&TIMERS, owner, &id);
        }
        None => batch.delete(&TIMERS, owner, &id),
    }
    match server.store().commit(batch).await {
        // Somebody has removed the account, and with it this.
        Err(StoreError::Refused { .. }) => Ok(()),
        done => done.map(|_| ()),
    }
}

/// What is left: who sent it to whom, when, its ids, and that it was to disappear.
fn emptied(entry: Entry<StoredMessage>) -> Option<StoredMessage> {
    let stored = entry.payload;
    let message = read_again(stored.stanza.clone())
        .inspect_err(|error| tracing::error!(%error, "an archived message cannot be read; it stays where it is"))
        .ok()?;
    let left = empty(&message)?;
    let before = u32::try_from(stored.stanza.len()).unwrap_or(u32::MAX);
    Some(StoredMessage {
        stanza: left.bytes().clone(),
        bytes_before: before.max(stored.bytes_before),
        ..stored
    })
}

fn empty(message: &Stanza) -> Option<Stanza> {
    let mut splice = message.splice();
    for (at, child) in message.children().enumerate() {
        let stays =
            child.is(STANZA_IDS, StanzaId::NAME) || child.is(Ephemeral::NS, Ephemeral::NAME);
        if !stays {
            splice = splice.remove_child(at);
        }
    }
    read_again(splice.finish()).ok()
}
