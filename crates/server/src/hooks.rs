//! Hooks: the closed, typed set of places where a feature joins in on what it does not own.
//!
//! Phases run in the order `Guard → Rewrite → Act → Observe`; within a phase the order of the
//! registry holds. `docs/develop/hooks.md` lists who is registered where.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use waxwing_stanza::{Jid, MessageType, StanzaError};
use waxwing_store::{Batch, LogId, Marks};
use waxwing_wire::Stanza;

use crate::addressee::Destination;
use crate::delivery::{Delivery, NewEntry};
use crate::effects::Effects;
use crate::keep::Fate;
use crate::server::Server;
use crate::session::Session;
use crate::stanza_id::StanzaIds;

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// May refuse; changes nothing.
    Guard,
    /// May change what is handled.
    Rewrite,
    /// May cause something else.
    Act,
    /// Only looks.
    Observe,
}

impl Phase {
    /// All phases in order.
    pub const ALL: &'static [Phase] = &[Phase::Guard, Phase::Rewrite, Phase::Act, Phase::Observe];

    /// Name in listings.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Guard => "guard",
            Phase::Rewrite => "rewrite",
            Phase::Act => "act",
            Phase::Observe => "observe",
        }
    }
}

/// A message from a local session, before it is staged.
pub struct Sending {
    /// The session that sent it.
    pub session: Arc<Session>,
    /// Its type; an unknown one is `normal` (RFC 6121 §5.2.2).
    pub kind: MessageType,
    /// Whom it is for; `None` for the sender's own account.
    pub to: Option<Jid>,
    /// Where it goes.
    pub destination: Destination,
    /// The stanza; from `Rewrite` on, stamped with the sender's full address.
    pub stanza: Stanza,
    /// What it causes beside its delivery.
    pub effects: Effects,
    /// What features do when it is certain that it goes on its way, before anything of it is staged.
    pub later: Vec<Later>,
}

/// Something that a hook leaves for when a message is certain to go; an error refuses the message.
pub type Later = Box<
    dyn for<'a> FnOnce(&'a Server, &'a mut Sending) -> BoxFuture<'a, Result<(), StanzaError>>
        + Send,
>;

/// A message that has just been delivered to sessions of its account, or to none.
pub struct Received<'a> {
    /// What was delivered.
    pub delivery: &'a Delivery,
    /// Which sessions got it.
    pub sessions: &'a [Arc<Session>],
}

/// A message of one's own that is released on its way.
pub struct Sent {
    /// The session that sent it.
    pub session: Arc<Session>,
    /// To whom it went.
    pub to: Jid,
    /// What becomes of it.
    pub fate: Fate,
    /// Whether the sender's archive takes it.
    pub is_archived: bool,
    /// The stanza as it left; with its place in the sender's archive, once it has one.
    pub stanza: Stanza,
}

impl Sent {
    /// Gives the message its place in the sender's archive.
    pub(crate) fn enter_log(&mut self, id: LogId, ids: &StanzaIds, batch: &mut Batch) {
        let account = &self.session.account;
        let entry = NewEntry {
            id,
            marks: Marks::ARCHIVED,
            other: &self.to.bare(),
            stranger: false,
            timer_secs: self.fate.timer_secs,
        };
        self.stanza = entry.write(account, &self.stanza, ids, batch);
    }
}

/// Does what follows from a message of one's own.
pub(crate) fn sent(server: &Server, sent: &Sent) {
    for hook in server.registry().sent.all() {
        hook(server, sent);
    }
}

/// A hook on messages from local sessions before they are staged; an error refuses the message.
pub type SendingHook = fn(&Server, &mut Sending) -> Result<(), StanzaError>;
/// A hook on messages delivered to an account of ours.
pub type ReceivedHook = fn(&Server, &Received<'_>);
/// A hook on messages of a local account once they are on their way.
pub type SentHook = fn(&Server, &Sent);

/// Who is registered at one place.
pub struct Hooks<H> {
    entries: Vec<(Phase, &'static str, H)>,
}

impl<H> Default for Hooks<H> {
    fn default() -> Self {
        Hooks {
            entries: Vec::new(),
        }
    }
}

impl<H: Copy> Hooks<H> {
    /// Adds a hook behind those of the same phase.
    pub(crate) fn add(&mut self, phase: Phase, owner: &'static str, hook: H) {
        let at = self.entries.partition_point(|entry| entry.0 <= phase);
        self.entries.insert(at, (phase, owner, hook));
    }

    /// The hooks of a phase in order.
    pub(crate) fn of(&self, phase: Phase) -> impl Iterator<Item = H> + '_ {
        self.entries
            .iter()
            .filter(move |entry| entry.0 == phase)
            .map(|entry| entry.2)
    }

    /// All hooks in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = H> + '_ {
        self.entries.iter().map(|entry| entry.2)
    }

    /// Phase and owner of each hook, in order.
    pub fn listing(&self) -> impl Iterator<Item = (Phase, &'static str)> + '_ {
        self.entries.iter().map(|entry| (entry.0, entry.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_come_before_registry_order() {
        let mut hooks: Hooks<u8> = Hooks::default();
        for (phase, value) in [
            (Phase::Act, 1),
            (Phase::Guard, 2),
            (Phase::Observe, 3),
            (Phase::Act, 4),
            (Phase::Guard, 5),
        ] {
            hooks.add(phase, "test", value);
        }
        assert_eq!(hooks.all().collect::<Vec<_>>(), [2, 5, 1, 4, 3]);
        assert_eq!(hooks.of(Phase::Act).collect::<Vec<_>>(), [1, 4]);
    }
}
