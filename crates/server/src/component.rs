//! External components (XEP-0114): programs that serve a sub-domain of their own, over a stream to this server.
//!
//! To the rest of the server a component is an account with one session: what is for anybody at its host goes to that
//! session, and what has to reach it waits in the account's log, as it does for everybody else. What a component sends is
//! handled by a session that speaks for whoever sent it (`Session::speaking`), and is gone afterwards.

mod confirm;
mod expiry;
mod inbound;
mod presence;
mod questions;
pub mod settings;
mod stream;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use waxwing_stanza::xep::xep_0030_disco::Item;
use waxwing_stanza::{BareJid, Condition, ErrorType, Jid, StanzaError};
use waxwing_store::Marks;
use waxwing_stream::StreamCondition;
use waxwing_wire::{Element, ns};

use crate::delivery::{Delivery, UNDELIVERED};
use crate::directory::Account;
use crate::effects::Effects;
use crate::keep::Fate;
use crate::pipeline::Parts;
use crate::server::{Server, read_again};
use crate::session::{Available, Out, Session};
use crate::xep::xep_0355_delegation::{self as delegation, Learned};
use crate::xep::xep_0356_privileges as privileges;
use crate::{undelivered, waiting};

pub(crate) use confirm::{Confirming, gave_no_answer};
pub(crate) use expiry::expire;
pub(crate) use inbound::handle;
pub(crate) use questions::{Question, Questions, answered, unanswered};
use settings::Served;
pub use settings::{ComponentSettings, Grants, NamespaceGrant};
pub(crate) use stream::{outward, said, step};

/// The components of this process.
#[derive(Default)]
pub(crate) struct Components {
    known: Mutex<HashMap<String, Arc<Component>>>,
    pub(crate) questions: Questions,
}

/// A component that may connect.
pub(crate) struct Component {
    /// What waits for it, and its session.
    pub(crate) account: Arc<Account>,
    /// What it says of the namespaces that it manages.
    learned: Mutex<Learned>,
}

impl Component {
    /// Its session, while it is connected.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.account.sessions().into_iter().next()
    }

    pub(crate) fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Components {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<Component>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// The component of this host, connected or not.
    pub(crate) fn component(&self, host: &str) -> Option<Arc<Component>> {
        if !self.component_settings().contains_key(host) {
            return None;
        }
        if let Some(component) = self.0.components.known().get(host) {
            return Some(component.clone());
        }
        let account: BareJid = host.parse().ok()?;
        let component = Arc::new(Component {
            account: Arc::new(Account::outside(account)),
            learned: Mutex::default(),
        });
        let mut known = self.0.components.known();
        Some(known.entry(host.to_owned()).or_insert(component).clone())
    }

    /// The components of a domain that are connected, with what they are granted there.
    pub(crate) fn components_of(&self, domain: &str) -> Vec<(Arc<Session>, Served)> {
        let settings = self.component_settings();
        let own = settings
            .iter()
            .filter(|(_, served)| served.domain == domain);
        own.filter_map(|(host, served)| {
            let session = self.component(host)?.session()?;
            Some((session, served.clone()))
        })
        .collect()
    }

    /// Who gets what is sent to an address: an account, or the component that has it.
    pub(crate) async fn receiver(
        &self,
        jid: &BareJid,
    ) -> Result<Option<Arc<Account>>, StanzaError> {
        match self.component(jid.domain()) {
            Some(component) => Ok(Some(component.account.clone())),
            None => self.account(jid).await,
        }
    }

    /// All sessions, those of components too.
    pub(crate) fn all_sessions(&self) -> Vec<Arc<Session>> {
        let mut sessions = self.directory().sessions();
        let known = self.0.components.known();
        sessions.extend(known.values().filter_map(|known| known.session()));
        sessions
    }
}

/// The error for who wants something of a component that is not connected.
pub(crate) fn absent() -> StanzaError {
    StanzaError::from(Condition::ServiceUnavailable)
        .with_type(ErrorType::Wait)
        .with_text("this service is not connected at the moment")
}

/// What disco#items of a domain lists: its components that are connected.
pub(crate) fn items(server: &Server, domain: &str) -> Vec<Item> {
    let connected = server.components_of(domain).into_iter();
    connected
        .map(|(session, _)| Item {
            jid: session.account.jid.clone().into(),
            node: None,
            name: None,
        })
        .collect()
}

/// A session that stands for whoever sent something at a component.
pub(crate) fn speaker(session: &Arc<Session>, from: Jid) -> Option<Arc<Session>> {
    let account = Arc::new(Account::outside(from.bare()));
    let host = session.jid.domain().to_owned();
    let outlet = session.clone();
    Session::speaking(from, account, &host, move |out| outlet.push(out)).map(Arc::new)
}

/// The session that gets an answer for this address: that of a client, or one that stands for somebody at a component.
pub(crate) fn session_at(server: &Server, to: &Jid) -> Option<Arc<Session>> {
    if let Some(session) = to.full().and_then(|full| server.directory().session(&full)) {
        return Some(session);
    }
    let component = server.component(to.domain())?;
    speaker(&component.session()?, to.clone())
}

/// A message for somebody at a component: what waits for an account waits for it too.
pub(crate) async fn message_to(
    server: &Server,
    to: &Jid,
    parts: &Parts,
) -> Result<Box<Delivery>, StanzaError> {
    let component = server.component(to.domain()).ok_or_else(absent)?;
    let other = parts.session.account.jid.clone();
    let bytes = parts.stanza.bytes().len();
    if parts.fate.waits {
        waiting::admit(server, &component.account, &other, None, bytes).await?;
    }
    Ok(Box::new(Delivery {
        account: component.account.clone(),
        full: None,
        kind: parts.kind,
        fate: parts.fate,
        marks: match parts.fate.waits {
            true => UNDELIVERED,
            false => Marks::NONE,
        },
        other,
        stranger: false,
        stanza: parts.stanza.clone(),
        id: None,
        sender: Some(parts.session.clone()),
    }))
}

/// A subscription stanza for somebody at a component waits as well: a roster says that it was sent.
pub(crate) async fn subscription_to(
    server: &Server,
    component: &Component,
    from: &BareJid,
    stanza: Bytes,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let account = &component.account;
    waiting::admit(server, account, from, None, stanza.len()).await?;
    let stanza = read_again(stanza).map_err(|_| Condition::InternalServerError)?;
    effects.more.push(Delivery {
        account: account.clone(),
        full: None,
        kind: waxwing_stanza::MessageType::Normal,
        fate: Fate {
            waits: true,
            ..Fate::default()
        },
        marks: UNDELIVERED,
        other: from.clone(),
        stranger: false,
        stanza,
        id: None,
        sender: None,
    });
    Ok(())
}

/// A component was let in: it is told what it may do, then what has waited for it, then what comes.
fn began(server: &Server, session: &Arc<Session>) {
    let settings = server.component_settings();
    let Some(served) = settings.get(session.jid.domain()) else {
        return session.kick(StreamCondition::HostGone.into());
    };
    {
        let mut state = session.state();
        let stanza = Bytes::new();
        state.available = Some(Available {
            priority: 0,
            stanza,
        });
        state.begin_undelivered();
    }
    if let Some(granted) = advertisement(server, &session.account.jid, served) {
        session.push(Out::stanza(granted));
    }
    undelivered::start(server, session);
    privileges::begin(server, session, served);
    delegation::learn(server, session, served);
    tracing::info!(host = %session.jid.domain(), "a component is connected");
}

/// What the operator grants (XEP-0355 §4.2, XEP-0356 §4.2).
fn advertisement(server: &Server, to: &BareJid, served: &Served) -> Option<Bytes> {
    let said: Vec<Element> = [
        privileges::advertised(&served.grants),
        delegation::advertised(&served.grants),
    ]
    .into_iter()
    .flatten()
    .collect();
    if said.is_empty() {
        return None;
    }
    let mut message = Element::new(ns::CLIENT, "message")
        .with_attr("from", &served.domain)
        .with_attr("to", to.to_string())
        .with_attr("id", format!("grants-{}", server.next_number()));
    said.into_iter().for_each(|child| message.push(child));
    Some(message.to_bytes(ns::CLIENT))
}

/// The stream of a component is gone: what it was asked has no answer, and what it said of itself holds no more.
pub(crate) fn ended(server: &Server, session: &Session) {
    let host = session.jid.domain();
    if let Some(component) = server.0.components.known().get(host) {
        *component.learned() = Learned::default();
    }
    server
        .0
        .components
        .questions
        .forget(|whom| whom.domain() == host);
    let ended = session.state().kicked.clone();
    let why = ended
        .as_ref()
        .map_or("it is not connected any more", |error| {
            error.condition.name()
        });
    tracing::info!(%host, why, "a component is gone");
}

/// Components that may not connect any more, or may do other things, or have another secret, lose their streams; those that
/// come back are told what they may do (XEP-0355 §8 rule 3).
pub(crate) fn follow_settings(server: &Server, before: &BTreeMap<String, Served>) {
    let now = server.component_settings();
    for (host, old) in before {
        let error = match now.get(host) {
            Some(new) if new == old => continue,
            Some(_) => StreamCondition::Reset,
            None => StreamCondition::HostGone,
        };
        let known = server.0.components.known().get(host).cloned();
        if let Some(session) = known.and_then(|known| known.session()) {
            session.kick(error.into());
        }
    }
}
