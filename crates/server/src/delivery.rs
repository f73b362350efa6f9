//! The second half of a message's way: to the sessions of its account, once it is durable.
//!
//! Which sessions get it is decided here, when the commit is on disk, and nowhere else
//! (RFC 6121 §8.5.2 for bare, §8.5.3 for full addresses).

use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::xep::xep_0359_stanza_ids::{NS, StanzaId, stanza_id_bytes};
use waxwing_stanza::{Condition, FullJid, MessageType, Payload, StanzaError};
use waxwing_store::{Append, Batch, Log, LogId, Marks};
use waxwing_wire::Stanza;

use crate::blocking;
use crate::directory::Account;
use crate::hooks::Received;
use crate::keep;
use crate::server::Server;
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
}

/// Each account's log: its archive and its undelivered mail.
pub static MESSAGES: Log<StoredMessage> = Log::new("messages", 1);

/// Mark of an entry that no client has confirmed.
pub const UNDELIVERED: Marks = Marks::UNDELIVERED;

/// A message on its way to an account.
pub struct Delivery {
    /// Whose it is.
    pub account: Arc<Account>,
    /// The full address, if it was sent to one.
    pub full: Option<FullJid>,
    /// Its type.
    pub kind: MessageType,
    /// Whether the log keeps it until a client has it.
    pub keep: bool,
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
        let stamp = stanza_id_bytes(&ids.text(id), &self.account.jid);
        let stamped = self
            .stanza
            .splice()
            .append_known(&stamp, NS, StanzaId::NAME);
        if let Ok(stanza) = stamped.stanza() {
            self.stanza = stanza;
        }
        self.id = Some(id);
        let payload = StoredMessage {
            stanza: self.stanza.bytes().clone(),
            stranger: self.stranger,
        };
        let append = Append {
            id,
            marks: UNDELIVERED,
            unique: None,
            address: None,
            payload: &payload,
        };
        batch.append(&MESSAGES, &self.account.owner, append);
    }

    fn out(&self) -> Out {
        let bytes = self.stanza.bytes().clone();
        match self.id {
            Some(id) => Out::logged(bytes, id),
            None if keep::says_something(self.kind, &self.stanza) => Out::stanza(bytes),
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
    sender
        .is_some_and(|sender| blocking::is_kept_from(&delivery.account, &sender.jid.clone().into()))
}

/// What the log holds waits there until its sender is free again.
fn keep_away(server: &Server, delivery: &Delivery) -> Vec<Arc<Session>> {
    refuse_lost(server, delivery);
    Vec::new()
}

/// §8.5.2.2.1: what nobody gets, and is not kept for later either, is refused.
fn refuse_lost(server: &Server, delivery: &Delivery) {
    if delivery.id.is_none() && keep::says_something(delivery.kind, &delivery.stanza) {
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

fn refuse(server: &Server, delivery: &Delivery, error: &StanzaError) {
    if let Some(sender) = &delivery.sender
        && let Some(reply) = server.error_reply(&delivery.stanza, error, sender)
    {
        sender.push(Out::stanza(reply));
    }
}
