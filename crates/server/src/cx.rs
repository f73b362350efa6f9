//! What a handler gets and gives.

use std::sync::Arc;

use waxwing_stanza::{BareJid, IqType, Jid, StanzaError};
use waxwing_wire::Element;

use crate::addressee::Addressee;
use crate::effects::Effects;
use crate::server::Server;
use crate::session::{Out, Session};

/// The handle that a handler gets: the server, and through it store, clock, randomness, tasks and routes.
#[derive(Clone)]
pub struct Cx {
    /// The server.
    pub server: Server,
    /// The session that asks.
    pub session: Arc<Session>,
}

/// An IQ request without its payload.
#[derive(Clone, Debug)]
pub struct IqHead {
    /// Who asks.
    pub from: Jid,
    /// Whom it is for, as a kind.
    pub addressee: Addressee,
    /// Whom it is for: an account or a domain.
    pub to: BareJid,
    /// `get` or `set`.
    pub kind: IqType,
    /// Its id.
    pub id: String,
}

/// An IQ request with its payload read.
#[derive(Clone, Debug)]
pub struct Iq<P> {
    /// Addresses, type and id.
    pub head: IqHead,
    /// What is asked.
    pub payload: P,
}

/// A result for the one who asked, and what else happens.
pub struct Answer {
    /// Stanzas for the one who asked, before the result.
    pub first: Vec<Out>,
    /// Child of the `<iq type='result'/>`.
    pub payload: Option<Element>,
    /// What could not be done of what was asked: the answer is an error, and the rest happens.
    pub error: Option<StanzaError>,
    /// Writes before it, deliveries beside it.
    pub effects: Effects,
}

impl Answer {
    /// An empty result.
    pub fn empty() -> Self {
        Answer {
            first: Vec::new(),
            payload: None,
            error: None,
            effects: Effects::none(),
        }
    }

    /// A result with a payload.
    pub fn with<P: waxwing_stanza::Payload>(payload: &P) -> Self {
        Answer {
            first: Vec::new(),
            payload: Some(payload.write()),
            error: None,
            effects: Effects::none(),
        }
    }

    /// An error that says what of the request it is about.
    pub fn refused(payload: Element, error: StanzaError) -> Self {
        Answer {
            first: Vec::new(),
            payload: Some(payload),
            error: Some(error),
            effects: Effects::none(),
        }
    }

    /// The same behind other stanzas for whoever asked.
    pub fn after(mut self, first: Vec<Out>) -> Self {
        self.first = first;
        self
    }

    /// The same once everything that was handed to the store until now is durable: for what was read there, where it may
    /// not be yet.
    pub fn behind_commits(mut self) -> Self {
        self.effects.behind_commits = true;
        self
    }

    /// The same with effects.
    pub fn and(mut self, effects: Effects) -> Self {
        self.effects = effects;
        self
    }
}

/// What a handler returns.
pub type Handled = Result<Answer, StanzaError>;
