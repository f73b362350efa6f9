//! What a session gets when it becomes available: presence of its contacts and of its account's other sessions
//! (RFC 6121 §4.2.3, as an answered probe), and requests that wait for an answer (§3.1.3).
//!
//! It is as much as others want it to be, so that it comes at the pace at which the client takes it. What comes at once is
//! told as things are now; what has to wait is looked up again when it is told.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use waxwing_stanza::{BareJid, Jid, StanzaError};
use waxwing_wire::{Element, ns};

use crate::blocking;
use crate::component::Component;
use crate::presence::show;
use crate::roster::{self, StoredItem};
use crate::server::Server;
use crate::session::{Out, Session};

/// What is still to be told.
enum Word {
    /// How a contact's sessions are, or those of the own account.
    Contact(BareJid),
    /// How a session of an account is.
    Session(BareJid, Arc<Session>),
    /// What somebody asks.
    Request(BareJid, Bytes),
}

/// Tells a session that became available what it does not know, those in its roster being these.
pub(crate) fn greet(server: &Server, session: &Arc<Session>, contacts: Vec<(BareJid, StoredItem)>) {
    let own = session.account.jid.clone();
    let mut words = VecDeque::new();
    let mut requests = Vec::new();
    for (jid, item) in contacts {
        if let Some(request) = item.request {
            requests.push(Word::Request(jid.clone(), request));
        }
        if item.to {
            words.push_back(Word::Contact(jid));
        }
    }
    words.push_back(Word::Contact(own));
    words.extend(requests);
    while session.state().has_room() {
        match words.pop_front() {
            Some(word) => say(server, session, word, &mut words),
            None => return,
        }
    }
    let (server, session) = (server.clone(), session.clone());
    let tasks = server.outside().tasks.clone();
    let later = async move {
        if let Err(error) = go_on(&server, &session, words).await {
            tracing::error!(condition = ?error.condition, "a session could not be told who is there");
            session.kick(waxwing_stream::StreamCondition::InternalServerError.into());
        }
    };
    tasks.spawn(later.boxed());
}

/// Says the rest, as the client takes it.
async fn go_on(
    server: &Server,
    session: &Arc<Session>,
    mut words: VecDeque<Word>,
) -> Result<(), StanzaError> {
    let account = &session.account;
    loop {
        session.room(|state| state.has_room()).await;
        if session.state().ended {
            return Ok(());
        }
        let Some(word) = words.pop_front() else {
            return Ok(());
        };
        // Meanwhile nobody changes who may see whom.
        let _turn = server.roster_turn(&[&account.jid]).await;
        let (contact, asks) = match &word {
            Word::Contact(contact) | Word::Session(contact, _) => (contact, false),
            Word::Request(contact, _) => (contact, true),
        };
        let item = roster::item(server, account, contact).await?;
        let item = item.unwrap_or_default();
        let holds = *contact == account.jid
            || if asks {
                item.request.is_some()
            } else {
                item.to
            };
        // Who is available no more is told nothing.
        if holds && session.priority().is_some() {
            say(server, session, word, &mut words);
        }
    }
}

/// Who is at a component shows itself by its own rules: the component is asked (RFC 6121 §4.3.1).
fn probe(session: &Session, contact: &BareJid, component: &Component) {
    let Some(asked) = component.session() else {
        return;
    };
    let address = Jid::from(contact.clone());
    if blocking::is_free_at(session, &asked, &address) {
        let probe = Element::new(ns::CLIENT, "presence")
            .with_attr("from", session.jid.to_string())
            .with_attr("to", contact.to_string())
            .with_attr("type", "probe");
        asked.push(Out::stanza(probe.to_bytes(ns::CLIENT)));
    }
}

fn say(server: &Server, session: &Arc<Session>, word: Word, words: &mut VecDeque<Word>) {
    let account = &session.account;
    match word {
        Word::Contact(contact) => {
            if let Some(component) = server.component(contact.domain()) {
                return probe(session, &contact, &component);
            }
            let known = server.directory().known(&contact);
            for other in known.iter().flat_map(|known| known.sessions()) {
                if other.priority().is_some() && !Arc::ptr_eq(&other, session) {
                    words.push_front(Word::Session(contact.clone(), other));
                }
            }
        }
        Word::Session(_, other) => show(&other, session, &account.jid),
        Word::Request(contact, request) => {
            if !blocking::is_kept_from(account, &contact.into()) {
                session.push(Out::stanza(request));
            }
        }
    }
}
