//! Finding messages in an archive.

use std::borrow::Cow;
use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use waxwing_stanza::{BareJid, Condition, Jid, StanzaError};
use waxwing_store::{Entry, LogId, Page};
use waxwing_wire::Stanza;

use crate::archive::{self, ARCHIVED, Question};
use crate::delivery::{MESSAGES, StoredMessage};
use crate::directory::Account;
use crate::server::{Server, unavailable};

/// Bytes of messages from which on a page ends, so that nobody who asks for many at once gets too much at once.
const PAGE_BYTES: usize = 512 * 1024;

/// Messages that are looked for together by their ids.
const IDS_AT_ONCE: usize = 10;

/// A message of an archive.
pub(crate) struct Message {
    /// Its place.
    pub(crate) id: LogId,
    /// Whether no client is known to have it.
    pub(crate) is_undelivered: bool,
    /// As it was sent.
    pub(crate) stanza: Stanza,
}

/// What was found, in the order of the archive.
pub(crate) struct Found {
    pub(crate) messages: Vec<Message>,
    /// Whether there is nothing more, in the direction that was asked for.
    pub(crate) is_complete: bool,
    /// How many there are, where only that was asked.
    pub(crate) count: Option<u64>,
}

/// Finds what was asked for.
///
/// # Errors
/// `item-not-found` where an id that was named is not in this archive.
pub(crate) async fn find(
    server: &Server,
    account: &Account,
    question: Question,
) -> Result<Found, StanzaError> {
    let known = question.known.iter().map(|id| one(server, account, *id));
    try_join_all(known).await?;
    if question.is_count {
        return count(server, account, &question).await;
    }
    let page = match &question.ids {
        Some(ids) => by_ids(server, account, &question, ids).await?,
        None => walk(server, account, &question).await?,
    };
    let mut messages = page.messages;
    if question.is_backward {
        messages.reverse();
    }
    Ok(Found {
        messages,
        is_complete: page.is_complete,
        count: None,
    })
}

/// The oldest and the newest message (§5).
pub(crate) async fn ends(
    server: &Server,
    account: &Account,
) -> Result<Option<(LogId, LogId)>, StanzaError> {
    let mut ends = Vec::new();
    for page in [Page::forward(1), Page::backward(1)] {
        let found = archive::page(server, account, page.with_marks(ARCHIVED)).await?;
        ends.extend(found.entries.first().map(|entry| entry.id));
    }
    Ok(match ends[..] {
        [start, end] => Some((start, end)),
        _ => None,
    })
}

/// A message by its id.
async fn one(
    server: &Server,
    account: &Account,
    id: LogId,
) -> Result<Entry<StoredMessage>, StanzaError> {
    let page = Page::forward(1).from(id).to(id).with_marks(ARCHIVED);
    let mut found = archive::page(server, account, page).await?;
    found.entries.pop().ok_or(Condition::ItemNotFound.into())
}

/// How many there are in all (XEP-0059 §2.7): of what is filtered nobody has counted it, and nothing is said of that.
async fn count(
    server: &Server,
    account: &Account,
    question: &Question,
) -> Result<Found, StanzaError> {
    if question.is_filtered || !question.known.is_empty() {
        return Ok(Found {
            messages: Vec::new(),
            is_complete: false,
            count: None,
        });
    }
    let counted = server
        .store()
        .count_entries(&MESSAGES, &account.owner, ARCHIVED)
        .await
        .map_err(|error| unavailable(&error))?;
    Ok(Found {
        messages: Vec::new(),
        is_complete: counted == 0,
        count: Some(counted),
    })
}

/// Of those that were named, the ones that fit everything else. All of them have to be there, and few are in memory at a time.
async fn by_ids(
    server: &Server,
    account: &Account,
    question: &Question,
    ids: &BTreeSet<LogId>,
) -> Result<Pile, StanzaError> {
    let mut ids: Vec<LogId> = ids.iter().copied().collect();
    if question.is_backward {
        ids.reverse();
    }
    let mut pile = Pile {
        is_complete: true,
        ..Pile::default()
    };
    for some in ids.chunks(IDS_AT_ONCE) {
        let entries = try_join_all(some.iter().map(|id| one(server, account, *id)));
        for entry in entries.await? {
            let is_within = question.page.contains(entry.id) && says(question, &entry.payload);
            if pile.is_complete && is_within && !pile.put(question, entry, Some(account)) {
                pile.is_complete = false;
            }
        }
    }
    Ok(pile)
}

/// Whether a message says what somebody looks for, if they look for anything.
fn says(question: &Question, message: &StoredMessage) -> bool {
    !question.page.has_words() || question.page.fits(archive::text(message).as_deref())
}

/// Reads the log until the page is full. One step of the store looks at so many entries and no more, so that what is rare
/// is not found in one.
async fn walk(
    server: &Server,
    account: &Account,
    question: &Question,
) -> Result<Pile, StanzaError> {
    let mut pile = Pile::default();
    let mut page = question.page.clone();
    loop {
        let found = archive::page(server, account, page.clone()).await?;
        for entry in found.entries {
            if !pile.put(question, entry, None) {
                return Ok(pile);
            }
        }
        page = match found.next {
            Some(next) if question.is_backward => page.before(next),
            Some(next) => page.after(next),
            None => {
                pile.is_complete = true;
                return Ok(pile);
            }
        };
    }
}

/// Messages in the order in which they are found.
#[derive(Default)]
struct Pile {
    messages: Vec<Message>,
    bytes: usize,
    is_complete: bool,
}

impl Pile {
    /// Puts a message onto it, if it is one that was asked for; says whether there was room. Whom it was exchanged with
    /// is known of what was found by that; of what was found otherwise it is seen as the owner of this account sees it.
    fn put(
        &mut self,
        question: &Question,
        entry: Entry<StoredMessage>,
        otherwise: Option<&Account>,
    ) -> bool {
        let Some(stanza) = entry.payload.read() else {
            return true;
        };
        let is_with = question.with.as_ref().is_none_or(|with| {
            let is_end = |jid: Cow<'_, str>| jid.parse::<Jid>().is_ok_and(|jid| jid == *with);
            otherwise.is_none_or(|account| other(account, &stanza) == with.bare())
                && (with.resource().is_none()
                    || stanza.from().is_some_and(is_end)
                    || stanza.to().is_some_and(is_end))
        });
        if !is_with {
            return true;
        }
        if self.messages.len() >= question.messages_max || self.bytes >= PAGE_BYTES {
            return false;
        }
        self.bytes += stanza.bytes().len();
        self.messages.push(Message {
            id: entry.id,
            is_undelivered: entry.marks.contains(crate::delivery::UNDELIVERED),
            stanza,
        });
        true
    }
}

/// With whom the owner of an archive has exchanged a message.
fn other(account: &Account, stanza: &Stanza) -> BareJid {
    let is_other = |jid: &BareJid| *jid != account.jid;
    let from = archive::bare(stanza.from()).filter(is_other);
    let other = from.or_else(|| archive::bare(stanza.to()));
    other.unwrap_or_else(|| account.jid.clone())
}
