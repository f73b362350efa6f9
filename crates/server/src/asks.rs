//! What the server asks clients: a request to one session, and that session's answer.

use std::sync::Arc;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use waxwing_stanza::Jid;
use waxwing_wire::{Element, Stanza, ns};

use crate::server::Server;
use crate::session::{Out, Session};

/// Most questions to one session that wait for an answer.
pub(crate) const ASKED_MAX: usize = 8;

/// How long a session has to answer: long enough for one that is resumed meanwhile.
pub(crate) const ANSWER_SECS_MAX: u64 = 300;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Too many questions wait already.
    Busy,
    /// The session has ended.
    Gone,
    /// The time is over.
    Late,
    /// The client answered with an error.
    Refused,
}

/// Questions to a session that wait for an answer.
#[derive(Default)]
pub(crate) struct Asked(Vec<(String, oneshot::Sender<Stanza>)>);

impl Asked {
    fn forget(&mut self, id: &str) {
        self.0.retain(|(known, _)| known != id);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }
}

/// Asks a session, in the name of its domain; the answer is the whole stanza.
pub(crate) async fn ask(
    server: &Server,
    session: &Arc<Session>,
    question: &Element,
) -> Result<Stanza, Unanswered> {
    let id = format!("ask-{}", server.outside().token::<8>());
    let (tell, answer) = oneshot::channel();
    {
        let mut state = session.state();
        if state.ended {
            return Err(Unanswered::Gone);
        }
        let asked = &mut state.asked.0;
        // Whoever asked them has given up.
        asked.retain(|(_, tell)| !tell.is_canceled());
        if asked.len() >= ASKED_MAX {
            return Err(Unanswered::Busy);
        }
        asked.push((id.clone(), tell));
    }
    let iq = Element::new(ns::CLIENT, "iq")
        .with_attr("type", "get")
        .with_attr("id", &id)
        .with_attr("from", session.jid.domain())
        .with_attr("to", session.jid.as_str())
        .with_child(question.clone());
    session.push(Out::stanza(iq.to_bytes(ns::CLIENT)));
    let until = server.steady_micros() + ANSWER_SECS_MAX * 1_000_000;
    let late = server.outside().clock.sleep_until(until);
    let answer = match select(answer, late).await {
        Either::Left((Ok(stanza), _)) => Ok(stanza),
        Either::Left((Err(oneshot::Canceled), _)) => Err(Unanswered::Gone),
        Either::Right(((), _)) => Err(Unanswered::Late),
    };
    session.state().asked.forget(&id);
    let answer = answer?;
    match answer.kind().as_deref() {
        Some("result") => Ok(answer),
        _ => Err(Unanswered::Refused),
    }
}

/// A result or an error for the server, from a session: the answer to what this session was asked, or to nothing.
pub(crate) fn answered(session: &Session, to: Option<&Jid>, stanza: &Stanza) {
    let is_from_us =
        to.is_none_or(|to| *to == session.account.jid.as_str() || *to == session.jid.domain());
    let Some(id) = stanza.id().filter(|_| is_from_us) else {
        return;
    };
    let mut state = session.state();
    let asked = &mut state.asked.0;
    let Some(at) = asked.iter().position(|(known, _)| **known == *id) else {
        return;
    };
    let (_, tell) = asked.swap_remove(at);
    drop(state);
    // Who asked may have given up.
    let _gone = tell.send(stanza.clone());
}
