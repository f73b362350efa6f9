//! How sessions begin, are left without a stream, and end.

use std::sync::Arc;

use futures_util::FutureExt;
use waxwing_stanza::{Condition, FullJid, StanzaError};
use waxwing_store::LogId;
use waxwing_stream::StreamCondition;
use waxwing_wire::{Stanza, ns};

use crate::delivery::StoredMessage;
use crate::directory::Account;
use crate::server::{REPARSE_LIMITS, Server};
use crate::session::Session;
use crate::settings::SESSIONS_MAX;
use crate::xep::xep_0175_guests as guests;
use crate::xep::xep_0198_sm::RESUME_SECS;

/// Binds a resource (RFC 6120 §7). A resource that is taken goes to the newcomer and the older
/// session ends with a conflict (§7.7.2.2): it is most often the same client, back before the
/// server noticed that it had gone.
pub(crate) fn bind(
    server: &Server,
    account: &Arc<Account>,
    jid: FullJid,
    connection: u64,
) -> Result<Arc<Session>, StanzaError> {
    if let Some(older) = account.session(jid.resource()) {
        older.kick(StreamCondition::Conflict.into());
        end(server, &older);
    }
    let most = usize::try_from(server.options().number(&SESSIONS_MAX)).unwrap_or(usize::MAX);
    if account.sessions().len() >= most {
        server.metrics().limit(crate::Limit::SessionsPerAccount);
        return Err(Condition::ResourceConstraint.into());
    }
    let session = Arc::new(Session::new(
        jid,
        account.clone(),
        server.next_number(),
        connection,
    ));
    server.directory().add(&session);
    server.metrics().sessions.inc();
    Ok(session)
}

/// The stream is gone. A session that can be resumed waits for a while, another ends.
pub(crate) fn detach(server: &Server, session: &Arc<Session>, connection: u64) {
    let waits = {
        let mut state = session.state();
        if state.connection != Some(connection) || state.ended {
            return;
        }
        state.connection = None;
        state.detached += 1;
        let resumable = state.kicked.is_none() && state.sm.as_ref().is_some_and(|sm| sm.resumable);
        resumable.then_some(state.detached)
    };
    let Some(detached) = waits else {
        return end(server, session);
    };
    let until = server.now_micros() + server.options().number(&RESUME_SECS) * 1_000_000;
    let sleep = server.outside().clock.sleep_until(until);
    let (server, session) = (server.clone(), session.clone());
    let tasks = server.outside().tasks.clone();
    tasks.spawn(
        async move {
            sleep.await;
            let gone = {
                let state = session.state();
                state.connection.is_none() && state.detached == detached
            };
            if gone {
                end(&server, &session);
            }
        }
        .boxed(),
    );
}

/// Ends a session: takes it out, tells those who saw it available, and finds another way for what
/// its client did not get.
pub(crate) fn end(server: &Server, session: &Arc<Session>) {
    if !server.directory().remove(session) {
        return;
    }
    server.metrics().sessions.dec();
    let (left, sm_id) = {
        let mut state = session.state();
        state.end();
        let id = state.sm.as_ref().map(|sm| sm.id.clone());
        (state.drain_undelivered(), id)
    };
    session.account.waiting.forget();
    guests::note_ended(server, &session.account);
    if let Some(id) = sm_id {
        server.directory().remove_resumable(&id);
    }
    for (bytes, mark) in left {
        if let Ok(stanza) = Stanza::parse(bytes, ns::CLIENT, &REPARSE_LIMITS) {
            reroute(server, session, &stanza, mark);
        }
    }
    let (server, session) = (server.clone(), session.clone());
    let tasks = server.outside().tasks.clone();
    tasks.spawn(
        async move {
            match crate::presence::ended(&server, &session).await {
                Ok(effects) => server.stage(&session, effects, None),
                Err(error) => tracing::error!(condition = ?error.condition, "presence of an ended session could not be sent"),
            }
        }
        .boxed(),
    );
}

/// XEP-0198 §5: what was not acknowledged is treated as sent to an unavailable resource. A logged
/// message stays undelivered and goes to a session that is there and has not seen it.
fn reroute(server: &Server, ended: &Session, stanza: &Stanza, mark: Option<LogId>) {
    let Some(id) = mark else {
        return crate::route::bounce(server, stanza);
    };
    // A copy of what another session got: that one has it, or finds a way for it itself.
    if stanza.has_child(waxwing_stanza::xep::xep_0280_carbons::NS, "received") {
        return;
    }
    let mut available = ended.account.available();
    available.retain(|(priority, other)| {
        *priority >= 0 && other.state().live_after.is_some_and(|after| after < id)
    });
    let Some(best) = available.iter().map(|(priority, _)| *priority).max() else {
        return;
    };
    let now = server.now_micros();
    let stored = StoredMessage {
        stanza: stanza.bytes().clone(),
        stranger: false,
    };
    for (priority, other) in available {
        if priority == best
            && !other.has(crate::xep::xep_0280_carbons::ENABLED)
            && let Some(bytes) = crate::undelivered::for_session(server, &other, &stored, id, now)
        {
            other.push_undelivered(bytes, id);
        }
    }
}
