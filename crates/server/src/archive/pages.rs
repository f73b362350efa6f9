//! Finding messages in an archive.

use std::borrow::Cow;

use futures_util::future::try_join_all;
use waxwing_stanza::{BareJid, Condition, Jid, StanzaError};
use waxwing_store::{Entry, LogId, Page};
use waxwing_wire::Stanza;

use crate::archive::{ARCHIVED, Question};
use crate::delivery::{MESSAGES, StoredMessage};
use crate::directory::Account;
use crate::server::{Server, read_again, unavailable};

/// Bytes of messages from which on a page ends, so that nobody who asks for many at once gets too much at once.
const PAGE_BYTES: usize = 512 * 1024;

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
        Some(ids) => {
            let entries = ids.iter().map(|id| one(server, account, *id));
            let entries = try_join_all(entries).await?;
            Pile::of_ids(account, &question, entries)
        }
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
        let page = page.with_marks(ARCHIVED);
        let found = server.store().page(&MESSAGES, &account.owner, page).await;
        let found = found.map_err(|error| unavailable(&error))?;
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
    let found = server.store().page(&MESSAGES, &account.owner, page).await;
    let mut found = found.map_err(|error| unavailable(&error))?;
    found.entries.pop().ok_or(Condition::ItemNotFound.into())
}

/// How many there are in all (XEP-0059 §2.7): of what is filtered nobody has counted it.
async fn count(
    server: &Server,
    account: &Account,
    question: &Question,
) -> Result<Found, StanzaError> {
    if question.is_filtered || !question.known.is_empty() {
        let text = "only all messages of an archive are counted";
        return Err(StanzaError::from(Condition::FeatureNotImplemented).with_text(text));
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
        let found = server.store().page(&MESSAGES, &account.owner, page.clone());
        let found = found.await.map_err(|error| unavailable(&error))?;
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
    /// Of those that were named, the ones that fit everything else.
    fn of_ids(
        account: &Account,
        question: &Question,
        mut entries: Vec<Entry<StoredMessage>>,
    ) -> Pile {
        let mut pile = Pile::default();
        if question.is_backward {
            entries.reverse();
        }
        for entry in entries {
            let is_within = question.page.contains(entry.id);
            if is_within && !pile.put(question, entry, Some(account)) {
                return pile;
            }
        }
        pile.is_complete = true;
        pile
    }

    /// Puts a message onto it, if it is one that was asked for; says whether there was room. Whom it was exchanged with
    /// is known of what was found by that; of what was found otherwise it is seen as the owner of this account sees it.
    fn put(
        &mut self,
        question: &Question,
        entry: Entry<StoredMessage>,
        otherwise: Option<&Account>,
    ) -> bool {
        let stanza = match read_again(entry.payload.stanza) {
            Ok(stanza) => stanza,
            Err(error) => {
                tracing::error!(%error, "an archived message cannot be read; it stays where it is");
                return true;
            }
        };
        let is_with = match &question.with {
            Some(with) if with.resource().is_some() => {
                let ends = [stanza.from(), stanza.to()].into_iter().flatten();
                let mut ends = ends.filter_map(|jid| jid.parse::<Jid>().ok());
                ends.any(|jid| jid == *with)
            }
            Some(with) => otherwise.is_none_or(|account| other(account, &stanza) == with.bare()),
            None => true,
        };
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
    let bare = |jid: Option<Cow<'_, str>>| jid.and_then(|jid| jid.parse::<Jid>().ok());
    let bare = |jid| bare(jid).map_or_else(|| account.jid.clone(), |jid| jid.bare());
    let from = bare(stanza.from());
    match from == account.jid {
        true => bare(stanza.to()),
        false => from,
    }
}
