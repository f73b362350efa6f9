//! What is taken back goes from both archives, by the commit of the message that takes it back (XEP-0424 §5). Its place
//! stays, with who sent it to whom, when, and its ids.

use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0359_stanza_ids::{NS as STANZA_IDS, StanzaId};
use waxwing_stanza::xep::xep_0424_retraction::{Retract, Retracted};
use waxwing_stanza::{BareJid, Jid, Payload, StanzaError};
use waxwing_store::{Batch, Page};
use waxwing_wire::{Stanza, ns};

use crate::delivery::{MESSAGES, StoredMessage};
use crate::directory::Account;
use crate::server::{Server, read_again, unavailable};

/// How far back a message may be to be found, in messages of its conversation: who takes back something older has not
/// just sent it to the wrong person.
const MESSAGES_MAX: usize = 5_000;

/// Messages that are looked at together. Small, as what is taken back was mostly written a moment ago.
const AT_ONCE: usize = 50;

/// How often the log is asked, each time of a bounded part of it, whomever that was exchanged with.
const STEPS_MAX: usize = 200;

/// Puts a tombstone where the message is that is taken back, in the archive of an account, which exchanges it with `other`.
/// Somebody else's message is not found, nor one that is too old, nor one that is not archived: the retraction goes its
/// way all the same.
pub(crate) async fn retract(
    server: &Server,
    (account, other): (&Account, &BareJid),
    retraction: &Stanza,
    batch: &mut Batch,
) -> Result<(), StanzaError> {
    let (Some(name), Ok(Some(retract))) = (retraction.id(), Retract::find_in(retraction)) else {
        return Ok(());
    };
    let author = bare(retraction);
    let mut page = Page::backward(AT_ONCE).with_address(other.as_str());
    let mut looked_at = 0;
    for _ in 0..STEPS_MAX {
        let read = server.store().page(&MESSAGES, &account.owner, page.clone());
        let read = read.await.map_err(|error| unavailable(&error))?;
        looked_at += read.entries.len();
        for entry in read.entries {
            let Ok(message) = read_again(entry.payload.stanza.clone()) else {
                continue;
            };
            if message.id().as_deref() != Some(&retract.id) || bare(&message) != author {
                continue;
            }
            let stored = entry.payload;
            let before = u32::try_from(stored.stanza.len()).unwrap_or(u32::MAX);
            let Some(stanza) = tombstone(&message, &name, server.now_micros()) else {
                return Ok(());
            };
            let stored = StoredMessage {
                stanza: stanza.bytes().clone(),
                bytes_before: before.max(stored.bytes_before),
                ..stored
            };
            batch.replace(&MESSAGES, &account.owner, entry.id, &stored);
            return Ok(());
        }
        match read.next.filter(|_| looked_at < MESSAGES_MAX) {
            Some(next) => page = page.before(next),
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Who has sent it.
fn bare(message: &Stanza) -> Option<BareJid> {
    let from: Jid = message.from()?.parse().ok()?;
    Some(from.bare())
}

/// What is left of a message: nothing that it said. What was taken back once stays so.
fn tombstone(message: &Stanza, retraction: &str, now_micros: u64) -> Option<Stanza> {
    if Retracted::is_in(message) {
        return None;
    }
    let mut splice = message.splice();
    for (at, child) in message.children().enumerate() {
        if !child.is(STANZA_IDS, StanzaId::NAME) {
            splice = splice.remove_child(at);
        }
    }
    let retracted = Retracted {
        by: None,
        id: retraction.to_owned(),
        stamp: Some(DateTime::from_unix_micros(now_micros)),
    };
    let retracted = retracted.write().to_bytes(ns::CLIENT);
    read_again(splice.append(&retracted).finish()).ok()
}
