//! What the server asks in the name of others, and the answers: of components, by delegation, and of anybody, by privilege.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use waxwing_stanza::{BareJid, Condition, ErrorType, Jid, Reply, StanzaError};
use waxwing_wire::Stanza;

use crate::server::{Server, read_again};
use crate::session::Session;

/// Most questions that wait for an answer at a time.
pub(crate) const QUESTIONS_MAX: usize = 4_096;

/// Most of them that are of one asker: an account, or a component.
pub(crate) const QUESTIONS_OF_ONE_MAX: usize = 256;

/// How long an answer may take.
pub(crate) const ANSWER_SECS_MAX: u64 = 60;

/// Questions by id. An id is new for each, and nobody can guess it.
#[derive(Default)]
pub(crate) struct Questions(Mutex<HashMap<String, Open>>);

struct Open {
    whom: Jid,
    asker: BareJid,
    tell: oneshot::Sender<Stanza>,
}

/// A question that waits for its answer, until it is dropped.
pub(crate) struct Question {
    /// The id of the request.
    pub(crate) id: String,
    answer: oneshot::Receiver<Stanza>,
    server: Server,
}

impl Questions {
    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever this is said of is gone, and answers nothing any more.
    pub(crate) fn forget(&self, is_gone: impl Fn(&Jid) -> bool) {
        self.open().retain(|_, open| !is_gone(&open.whom));
    }
}

impl Question {
    /// Somebody is asked something, because somebody else wants to know it.
    ///
    /// # Errors
    /// `resource-constraint`: too many questions wait already, or too many of this asker's.
    pub(crate) fn to(server: &Server, whom: Jid, asker: &BareJid) -> Result<Question, StanzaError> {
        let id = format!("question-{}", server.outside().token::<12>());
        let (tell, answer) = oneshot::channel();
        let mut open = server.0.components.questions.open();
        let of_asker = open.values().filter(|open| open.asker == *asker);
        if open.len() >= QUESTIONS_MAX || of_asker.count() >= QUESTIONS_OF_ONE_MAX {
            server.metrics().limit(crate::Limit::Questions);
            let error = StanzaError::from(Condition::ResourceConstraint);
            return Err(error.with_type(ErrorType::Wait));
        }
        open.insert(
            id.clone(),
            Open {
                whom,
                asker: asker.clone(),
                tell,
            },
        );
        let server = server.clone();
        Ok(Question { id, answer, server })
    }

    /// The answer, whatever its type; nothing where none comes.
    pub(crate) async fn answer(mut self, server: &Server) -> Option<Stanza> {
        let until = server.steady_micros() + ANSWER_SECS_MAX * 1_000_000;
        let late = server.outside().clock.sleep_until(until);
        match select(&mut self.answer, late).await {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(((), _)) => None,
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.server.0.components.questions.open().remove(&self.id);
    }
}

/// A request that was asked in the name of others reached nobody: that is the answer.
pub(crate) fn unanswered(server: &Server, request: &Stanza, error: &StanzaError) {
    let found = request.id().and_then(|id| {
        let mut open = server.0.components.questions.open();
        open.remove(&*id)
    });
    let reply = Reply::new(request).error(error).map(read_again);
    if let (Some(found), Some(Ok(reply))) = (found, reply) {
        // Who asked may have given up.
        let _gone = found.tell.send(reply);
    }
}

/// A result or an error for the server, or for an account in whose name something was asked. Only who was asked answers.
pub(crate) fn answered(server: &Server, session: &Session, stanza: &Stanza) {
    let Some(id) = stanza.id() else {
        return;
    };
    let mut open = server.0.components.questions.open();
    let from = session.as_sender();
    if open.get(&*id).is_none_or(|open| open.whom != from) {
        return;
    }
    let found = open.remove(&*id);
    drop(open);
    // Clients need not say who they are.
    let stanza = stanza.splice().from(Some(session.address())).stanza();
    if let (Some(found), Ok(stanza)) = (found, stanza) {
        // Who asked may have given up.
        let _gone = found.tell.send(stanza);
    }
}
