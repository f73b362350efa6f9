//! What is taken back goes from both archives, by the commit of the message that takes it back (XEP-0424 §5). Its place
//! stays, with who sent it to whom, when, and its ids.

use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0424_retraction::{Retract, Retracted};
use waxwing_stanza::{BareJid, Payload, StanzaError};
use waxwing_store::{Batch, Page};
use waxwing_wire::Stanza;

use crate::archive::emptied::emptied;
use crate::archive::{self, TIMERS};
use crate::delivery::MESSAGES;
use crate::directory::Account;
use crate::server::Server;

/// How far back a message may be to be found, in messages of its conversation: who takes back something older has not
/// just sent it to the wrong person.
const MESSAGES_MAX: usize = 1_000;

/// Messages that are looked at together. Small, as what is taken back was mostly written a moment ago.
const AT_ONCE: usize = 50;

/// How often the log is asked, each time of a bounded part of it, whomever that was exchanged with.
const STEPS_MAX: usize = 25;

/// Puts a tombstone where the message is that is taken back, in the archive of an account, which exchanges it with `other`.
/// Somebody else's message is not found, nor one that is too old; one that is a retraction itself stays, since whoever has
/// what that one took back has to learn of it. The retraction goes its way all the same.
pub(crate) async fn retract(
    server: &Server,
    (account, other): (&Account, &BareJid),
    retraction: &Stanza,
    batch: &mut Batch,
) -> Result<(), StanzaError> {
    let (Some(name), Ok(Some(retract))) = (retraction.id(), Retract::find_in(retraction)) else {
        return Ok(());
    };
    let author = archive::bare(retraction.from());
    let mut page = Page::backward(AT_ONCE).with_address(other.as_str());
    let mut looked_at = 0;
    for _ in 0..STEPS_MAX {
        let read = archive::page(server, account, page.clone()).await?;
        looked_at += read.entries.len();
        for entry in read.entries {
            let Some(message) = entry.payload.read() else {
                continue;
            };
            if message.id().as_deref() != Some(&retract.id)
                || archive::bare(message.from()) != author
            {
                continue;
            }
            let retracted = Retracted {
                by: None,
                id: name.to_string(),
                stamp: Some(DateTime::from_unix_micros(server.now_micros())),
            };
            let retracted = Some(retracted.write());
            if let Some(stored) = emptied(&account.owner, &entry.payload, &message, retracted) {
                batch.replace(&MESSAGES, &account.owner, entry.id, &stored);
                batch.delete(&TIMERS, &account.owner, &entry.id);
            }
            return Ok(());
        }
        match read.next.filter(|_| looked_at < MESSAGES_MAX) {
            Some(next) => page = page.before(next),
            None => return Ok(()),
        }
    }
    Ok(())
}
