//! The second half of a message's way: to the sessions of its account, once it is durable.
//!
//! Which sessions get it is decided here, when the commit is on disk, and nowhere else
//! (RFC 6121 §8.5.2 for bare, §8.5.3 for full addresses).

use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::xep::xep_0359_stanza_ids::{NS, StanzaId, stanza_id_bytes};
use waxwing_stanza::{BareJid, Condition, FullJid, MessageType, Payload, StanzaError};
use waxwing_store::{Append, Batch, Log, LogId, Marks};
use waxwing_wire::Stanza;

use crate::archive;
use crate::blocking;
use crate::component;
use crate::directory::Account;
use crate::hooks::Received;
use crate::keep::Fate;
use crate::server::{Server, read_again};
use crate::session::{Out, Session};
use crate::stanza_id::StanzaIds;
use crate::undelivered;

/// A message as the log keeps it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StoredMessage {
    /// The stanza in the `jabber:client` namespace, stanza-id included.
    #[prost(bytes = "bytes", tag = "1")]
    pub stanza: Bytes,
    /// Whether it waits among those of strangers.
    #[prost(bool, tag = "2")]
    pub stranger: bool,
    /// How many bytes the stanza had before it was taken back; 0 for one that was not.
    #[prost(uint32, tag = "3")]
    pub bytes_before: u32,
}

impl StoredMessage {
    /// The stanza. What cannot be read stays where it is, and is told.
    pub(crate) fn read(&self) -> Option<Stanza> {
        let read = read_again(self.stanza.clone());
        read.inspect_err(|error| tracing::error!(%error, "a stored message cannot be read; it stays where it is"))
            .ok()
    }
}

/// Each account's log: its archive and its undelivered mail.
pub static MESSAGES: Log<StoredMessage> = Log::new("messages", 1).text(archive::text);

/// Mark of an entry that no client has confirmed.
pub const UNDELIVERED: Marks = Marks::UNDELIVERED;

/// What is known of a message that enters a log, beside the message.
pub(crate) struct NewEntry<'a> {
    /// Its place.
    pub(crate) id: LogId,
    /// Why the log takes it.
    pub(crate) marks: Marks,
    /// With whom the owner exchanges it.
    pub(crate) other: &'a BareJid,
    /// Whether it waits among those of strangers.
    pub(crate) stranger: bool,
    /// After how many seconds it is to disappear.
    pub(crate) timer_secs: Option<u32>,
}

impl NewEntry<'_> {
    /// Writes it to the log of `account`; what is archived says where, by its stanza-id (XEP-0313 §3.4). Returns the message
    /// as it is there.
    pub(crate) fn write(
        &self,
        account: &Account,
        message: &Stanza,
        ids: &StanzaIds,
        batch: &mut Batch,
    ) -> Stanza {
        let is_archived = self.marks.contains(Marks::ARCHIVED);
        let stamped = is_archived.then(|| {
            let stamp = stanza_id_bytes(&ids.text(self.id), &account.jid);
            let stamped = message.splice().append_known(&stamp, NS, StanzaId::NAME);
            stamped.stanza().ok()
        });
        let message = stamped.flatten().unwrap_or_else(|| message.clone());
        let payload = StoredMessage {
            stanza: message.bytes().clone(),
            stranger: self.stranger,
            bytes_before: 0,
        };
        let append = Append {
            id: self.id,
            marks: self.marks,
            unique: None,
            address: Some(self.other.as_str()),
            payload: &payload,
        };
        batch.append(&MESSAGES, &account.owner, append);
        if let Some(secs) = self.timer_secs.filter(|_| is_archived) {
            archive::set_timer(batch, &account.owner, self.id, secs);
        }
        message
    }
}

/// A message on its way to an account.
pub struct Delivery {
    /// Whose it is.
    pub account: Arc<Account>,
    /// The full address, if it was sent to one.
    pub full: Option<FullJid>,
    /// Its type.
    pub kind: MessageType,
    /// What becomes of it.
    pub fate: Fate,
    /// Why the account's log takes it; no marks where it does not.
    pub marks: Marks,
    /// With whom the account exchanges it.
    pub other: BareJid,
    /// Whether it waits among those of strangers.
    pub stranger: bool,
    /// The stanza, stamped.
    pub stanza: Stanza,
    /// Its place in the log, given when it is staged.
    pub id: Option<LogId>,
    /// Who sent it, where an error can go.
    pub sender: Option<Arc<Session>>,
}

impl Delivery {
    /// Gives the message its place in the account's log: adds the stanza-id (XEP-0359) and the append.
    pub(crate) fn enter_log(&mut self, id: LogId, ids: &StanzaIds, batch: &mut Batch) {
        let entry = NewEntry {
            id,
            marks: self.marks,
            other: &self.other,
            stranger: self.stranger,
            timer_secs: self.fate.timer_secs,
        };
        self.stanza = entry.write(&self.account, &self.stanza, ids, batch);
        self.id = Some(id);
    }

    fn out(&self) -> Out {
        let bytes = self.stanza.bytes().clone();
        match self.id {
            Some(id) => Out::logged(bytes, id),
            None if self.fate.says_something => Out::stanza(bytes),
            None => Out::passing(bytes),
        }
    }

    /// Whether a session may get the message now. One that has not yet got its undelivered
    /// messages finds this one among them, in order.
    fn reaches(&self, session: &Session) -> bool {
        match (self.id, session.state().live_after) {
            (Some(id), Some(after)) => id > after,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}

/// Delivers a durable message.
pub(crate) fn deliver(server: &Server, delivery: Delivery) {
    let got = match &delivery.full {
        _ if delivery.account.is_outside() => to_component(server, &delivery),
        _ if is_kept_away(&delivery) => keep_away(server, &delivery),
        Some(full) => to_full(server, &delivery, full),
        None => to_bare(server, &delivery),
    };
    let received = Received {
        delivery: &delivery,
        sessions: &got,
    };
    for hook in server.registry().received.all() {
        hook(server, &received);
    }
}

/// Whether its sender was blocked since it came.
fn is_kept_away(delivery: &Delivery) -> bool {
    let sender = delivery.sender.as_ref();
    sender.is_some_and(|sender| blocking::is_kept_from(&delivery.account, &sender.as_sender()))
}

/// What the log holds waits there until its sender is free again.
fn keep_away(server: &Server, delivery: &Delivery) -> Vec<Arc<Session>> {
    refuse_lost(server, delivery);
    Vec::new()
}

/// §8.5.2.2.1: what nobody gets, and is not kept for later either, is refused.
fn refuse_lost(server: &Server, delivery: &Delivery) {
    if delivery.id.is_none() && delivery.fate.says_something {
        refuse(server, delivery, &Condition::ServiceUnavailable.into());
    }
}

fn to_full(server: &Server, delivery: &Delivery, full: &FullJid) -> Vec<Arc<Session>> {
    if let Some(session) = delivery.account.session(full.resource()) {
        // Among its undelivered messages it finds this one, or has found it already: `live_after` may
        // have passed a message that was staged when the last of them were read.
        let is_among_undelivered = delivery.id.is_some_and(|id| session.state().reads(id));
        if !is_among_undelivered {
            session.push(delivery.out());
        }
        return vec![session];
    }
    match delivery.kind {
        // RFC 6121 §8.5.3.2.1: treated as if sent to the bare address.
        MessageType::Chat | MessageType::Normal => to_bare(server, delivery),
        MessageType::Headline | MessageType::Error => Vec::new(),
        MessageType::Groupchat => {
            refuse(server, delivery, &Condition::ServiceUnavailable.into());
            Vec::new()
        }
    }
}

/// RFC 6121 §8.5.2.1: chat and normal messages go to the most available sessions, headlines to
/// all that are available and not negative. A session that still gets its undelivered messages gets
/// this one among them: it is no reason to hand it to one that is less available.
fn to_bare(server: &Server, delivery: &Delivery) -> Vec<Arc<Session>> {
    let account = &delivery.account;
    let got: Vec<Arc<Session>> = match delivery.kind {
        MessageType::Headline => {
            let all = account.not_negative().into_iter();
            all.map(|(_, session)| session).collect()
        }
        MessageType::Chat | MessageType::Normal => account.most_available(),
        MessageType::Error | MessageType::Groupchat => return Vec::new(),
    };
    for session in &got {
        if delivery.reaches(session) {
            session.push(delivery.out());
        } else if delivery.full.is_some() && session.state().look_again() {
            // It may have passed the message by, for the session that was named and is gone now.
            undelivered::start(server, session);
        }
    }
    if got.is_empty() {
        refuse_lost(server, delivery);
    }
    got
}

/// A component has one session for whoever is there, and takes every type.
fn to_component(server: &Server, delivery: &Delivery) -> Vec<Arc<Session>> {
    let got = delivery.account.most_available();
    for session in &got {
        let is_typing = !delivery.fate.says_something
            && matches!(delivery.kind, MessageType::Chat | MessageType::Normal);
        if is_typing || delivery.id.is_some() {
            if delivery.reaches(session) {
                session.push(delivery.out());
            }
        } else {
            session.push(Out::stanza(delivery.stanza.bytes().clone()));
        }
    }
    let is_missed = delivery.fate.says_something || delivery.kind == MessageType::Groupchat;
    if got.is_empty() && delivery.id.is_none() && is_missed {
        refuse(server, delivery, &component::absent());
    }
    got
}

fn refuse(server: &Server, delivery: &Delivery, error: &StanzaError) {
    if let Some(sender) = &delivery.sender
        && let Some(reply) = server.error_reply(&delivery.stanza, error, sender)
    {
        sender.push(Out::stanza(reply));
    }
}
