//! How sessions begin, are left without a stream, and end.

use std::sync::Arc;

use futures_util::FutureExt;
use waxwing_stanza::{Condition, FullJid, Jid, StanzaError};
use waxwing_stream::StreamCondition;

use crate::directory::Account;
use crate::effects::Effects;
use crate::push;
use crate::server::Server;
use crate::session::Session;
use crate::settings::SESSIONS_MAX;
use crate::undelivered;
use crate::xep::xep_0175_guests as guests;
use crate::xep::xep_0198_sm::{self as stream_management, RESUME_SECS};

/// Binds a resource (RFC 6120 §7). A resource that is taken goes to the newcomer and the older
/// session ends with a conflict (§7.7.2.2): it is most often the same client, back before the
/// server noticed that it had gone.
pub(crate) fn bind(
    server: &Server,
    account: &Arc<Account>,
    jid: FullJid,
    connection: u64,
) -> Result<Arc<Session>, StanzaError> {
    // Of several that bind at once, one after the other.
    let _binding = account.binding();
    if let Some(older) = account.session(jid.resource()) {
        older.kick(StreamCondition::Conflict.into());
        end(server, &older);
    }
    let most = usize::try_from(server.options().number(&SESSIONS_MAX)).unwrap_or(usize::MAX);
    // A session that only waits for its client yields to one that is here.
    if account.sessions().len() >= most
        && let Some(waiting) = longest_detached(account)
    {
        end(server, &waiting);
    }
    if account.sessions().len() >= most {
        server.metrics().limit(crate::Limit::SessionsPerAccount);
        return Err(Condition::ResourceConstraint.into());
    }
    Ok(begin(server, account, jid, connection))
}

/// A session of an account, which nobody else has the resource of. The caller holds the account's
/// [binding](Account::binding).
pub(crate) fn begin(
    server: &Server,
    account: &Arc<Account>,
    jid: FullJid,
    connection: u64,
) -> Arc<Session> {
    let session = Arc::new(Session::new(
        jid,
        account.clone(),
        server.next_number(),
        connection,
        server.metrics().limit_count(crate::Limit::SessionPassing),
    ));
    server.directory().add(&session);
    server.metrics().sessions.inc();
    session
}

/// Ends a session from outside, for a reason that its client is told; one that has a stream ends with that.
pub(crate) fn dismiss(server: &Server, session: &Arc<Session>, reason: StreamCondition) {
    session.kick(reason.into());
    let is_detached = session.state().connection.is_none();
    if is_detached {
        end(server, session);
    }
}

/// The oldest of the sessions that have no stream.
fn longest_detached(account: &Account) -> Option<Arc<Session>> {
    let sessions = account.sessions().into_iter();
    let detached = sessions.filter(|session| session.state().connection.is_none());
    detached.min_by_key(|session| session.number)
}

/// The stream is gone. A session that can be resumed waits for a while, another ends.
pub(crate) fn detach(server: &Server, session: &Arc<Session>, connection: u64) {
    let (waits, unsettled) = {
        let mut state = session.state();
        if state.connection != Some(connection) || state.ended {
            return;
        }
        state.connection = None;
        state.detached += 1;
        let resumable = state.kicked.is_none() && state.sm.as_ref().is_some_and(|sm| sm.resumable);
        (resumable.then_some(state.detached), state.unsettled())
    };
    // A session that ends has the same to tell.
    let Some(detached) = waits else {
        return end(server, session);
    };
    push::left(server, &session.account, &unsettled);
    let until = server.steady_micros() + server.options().number(&RESUME_SECS) * 1_000_000;
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
    let address = Jid::from(session.jid.clone());
    server
        .0
        .components
        .questions
        .forget(|whom| *whom == address);
    // A client that comes back too late is told how far the server got (XEP-0198 §5).
    let mut count = Effects::none();
    stream_management::note_last(server, session, &mut count.batch);
    server.stage(session, count, None);
    let (left, unsettled, logged, sm_id) = {
        let mut state = session.state();
        state.end();
        let id = state.sm.as_ref().map(|sm| sm.id.clone());
        let unsettled = state.unsettled();
        (state.unlogged(), unsettled, state.take_left(), id)
    };
    push::left(server, &session.account, &unsettled);
    session.account.waiting.forget();
    server.release_confirmed(&session.account);
    guests::note_ended(server, &session.account);
    if let Some(id) = sm_id {
        server.directory().remove_resumable(&id);
    }
    crate::route::bounce_all(server, left);
    if session.account.is_outside() {
        session.account.has_left(session);
        return crate::component::ended(server, session);
    }
    // XEP-0198 §5: what was not acknowledged is treated as sent to an unavailable resource. Logged messages that nobody
    // else has are undelivered in the log.
    if logged {
        look_again(server, &session.account);
    }
    let (server, session) = (server.clone(), session.clone());
    let tasks = server.outside().tasks.clone();
    tasks.spawn(
        async move {
            let turn = server.roster_turn(&[&session.account.jid]).await;
            if session.is_unseen() {
                session.account.has_left(&session);
                return crate::pubsub::departed(&server, &session.account);
            }
            match crate::presence::ended(&server, &session).await {
                Ok(mut effects) => {
                    effects.exclusive = Some(turn);
                    server.stage(&session, effects, None);
                }
                Err(error) => {
                    session.account.has_left(&session);
                    tracing::error!(condition = ?error.condition, "presence of an ended session could not be sent");
                }
            }
        }
        .boxed(),
    );
}

/// The most available sessions look into the log for what they have not been given.
pub(crate) fn look_again(server: &Server, account: &Account) {
    for session in account.most_available() {
        if session.state().look_again() {
            undelivered::start(server, &session);
        }
    }
}
