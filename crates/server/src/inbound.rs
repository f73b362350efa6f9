//! What a bound session sends: stanzas in order, and the elements of stream management.

use std::sync::Arc;
use std::task::Context;

use waxwing_stanza::{Jid, StanzaError};
use waxwing_store::StoreError;
use waxwing_stream::StreamCondition;
use waxwing_wire::{Stanza, ns};

use crate::connection::{Connection, Step};
use crate::effects::{After, Effects};
use crate::release::OnFailure;
use crate::server::{FromClient, Server, unavailable};
use crate::session::{Out, Session};
use crate::xep::{xep_0175_guests as guests, xep_0198_sm as sm, xep_0352_csi as csi};

/// Stanzas of one session that may wait for their commit; then no more are read.
pub(crate) const WAITING_MAX: usize = 256;

/// Whether the client is too far ahead of the store; its connection is woken when it is not any more.
pub(crate) fn is_ahead(session: &Session, cx: &mut Context<'_>) -> bool {
    if session.release.waiting() < WAITING_MAX {
        return false;
    }
    session.state().wait_for_release(cx.waker());
    // It may have become shorter between the look and the registration.
    session.release.waiting() >= WAITING_MAX
}

/// Handles one element.
pub(crate) fn handle(connection: &mut Connection, session: &Arc<Session>, stanza: Stanza) {
    if stanza.ns() != ns::CLIENT {
        connection.server.metrics().received("other");
        return match csi::is_about(&stanza) {
            true => csi::handle(connection, session, &stanza),
            false => sm::handle(connection, session, &stanza),
        };
    }
    if let Err(condition) = check_from(session, &stanza) {
        return connection.fail(condition.into());
    }
    if let Err(condition) = guests::check_rate(&connection.server, session) {
        return connection.fail(condition.into());
    }
    if !matches!(stanza.name(), "message" | "presence" | "iq") {
        return connection.fail(StreamCondition::UnsupportedStanzaType.into());
    }
    connection.server.metrics().received(stanza.name());
    let (server, session, number) = (
        connection.server.clone(),
        session.clone(),
        connection.number,
    );
    connection.wait_for(async move {
        let handled = match stanza.name() {
            "message" => crate::pipeline::message(&server, &session, stanza.clone()).await,
            "presence" => crate::presence::handle(&server, &session, stanza.clone()).await,
            _ => crate::route::iq(&server, &session, stanza.clone()).await,
        };
        let effects = handled.unwrap_or_else(|error| refusal(&server, &session, &stanza, &error));
        let on_failure = on_failure(&server, &session, stanza);
        server.stage(
            &session,
            effects,
            Some(FromClient {
                connection: number,
                on_failure,
            }),
        );
        Box::new(|_: &mut Connection| {}) as Step
    });
}

/// RFC 6120 §8.1.2.1: a client may name only itself.
fn check_from(session: &Session, stanza: &Stanza) -> Result<(), StreamCondition> {
    let Some(from) = stanza.from() else {
        return Ok(());
    };
    let from: Jid = from.parse().map_err(|_| StreamCondition::InvalidFrom)?;
    let own = match from.full() {
        Some(full) => full == session.jid,
        None => from.bare() == session.account.jid,
    };
    if own {
        Ok(())
    } else {
        Err(StreamCondition::InvalidFrom)
    }
}

pub(crate) fn refusal(
    server: &Server,
    session: &Arc<Session>,
    stanza: &Stanza,
    error: &StanzaError,
) -> Effects {
    let mut effects = Effects::none();
    if let Some(reply) = server.error_reply(stanza, error, session) {
        effects.deliver(session, reply);
    }
    effects
}

/// A stanza whose writes did not become durable is answered with an error, not acknowledged in silence.
pub(crate) fn on_failure(server: &Server, session: &Arc<Session>, stanza: Stanza) -> OnFailure {
    let (server, session) = (server.clone(), session.clone());
    Box::new(move |error: &StoreError| {
        let reply = server.store_error_reply(&stanza, &unavailable(error), &session);
        reply
            .into_iter()
            .map(|bytes| After::Deliver(session.clone(), Out::stanza(bytes)))
            .collect()
    })
}
