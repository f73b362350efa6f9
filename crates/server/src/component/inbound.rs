//! What a component sends: stanzas in order, from anybody at its host (XEP-0114 §3).

use std::sync::Arc;

use waxwing_stanza::{Condition, IqType, Jid, Reply, StanzaError};
use waxwing_stream::{StreamCondition, StreamError};
use waxwing_wire::{Event, Skipped, Stanza, ns};

use super::{confirm, presence, speaker};
use crate::connection::{Connection, Step};
use crate::effects::Effects;
use crate::inbound::{on_failure, refusal};
use crate::metrics::Limit;
use crate::server::{FromClient, Server, read_again};
use crate::session::Session;
use crate::xep::xep_0356_privileges as privileges;

/// Handles what came over the stream of a component.
pub(crate) fn handle(connection: &mut Connection, session: &Arc<Session>, event: Event) {
    match event {
        Event::Stanza(stanza) => match read(session, &stanza) {
            Ok((stanza, from)) => handle_stanza(connection, session, stanza, from),
            Err(error) => connection.fail(error),
        },
        Event::Whitespace => {}
        Event::Close => connection.close(session),
        Event::Header(_) => connection.fail(StreamCondition::InvalidXml.into()),
        Event::Skipped(skipped) => skip(connection, session, &skipped),
    }
}

/// The stanza as it is routed, and who sent it.
fn read(session: &Session, stanza: &Stanza) -> Result<(Stanza, Jid), StreamError> {
    let is_stanza = matches!(stanza.name(), "message" | "presence" | "iq");
    // Some libraries declare the namespace of clients, whatever that of the stream is.
    if !matches!(stanza.ns(), ns::COMPONENT | ns::CLIENT) || !is_stanza {
        return Err(StreamCondition::UnsupportedStanzaType.into());
    }
    let from = sender(session, stanza)?;
    if stanza.to().is_none() {
        let text = "a stanza of a component says who is to get it";
        return Err(StreamError::new(StreamCondition::ImproperAddressing, text));
    }
    let bytes = stanza.splice().ns(ns::CLIENT).finish();
    let stanza = read_again(bytes).map_err(|_| StreamCondition::InternalServerError)?;
    Ok((stanza, from))
}

/// §3: the domain of `from` is the component's host.
fn sender(session: &Session, stanza: &Stanza) -> Result<Jid, StreamError> {
    let refused = |text: &'static str| StreamError::new(StreamCondition::InvalidFrom, text);
    let Some(from) = stanza.from() else {
        return Err(refused("a stanza of a component says who sent it"));
    };
    let from: Result<Jid, _> = from.parse();
    let from = from.map_err(|_| refused("'from' is no address"))?;
    match from.domain() == session.jid.domain() {
        true => Ok(from),
        false => Err(refused("'from' is not at the host of this component")),
    }
}

fn handle_stanza(connection: &mut Connection, session: &Arc<Session>, stanza: Stanza, from: Jid) {
    connection.server.metrics().received(stanza.name());
    if confirm::handle(connection, &stanza) {
        return;
    }
    let Some(speaker) = speaker(session, from) else {
        return connection.fail(StreamCondition::InvalidFrom.into());
    };
    let (server, session, number) = (
        connection.server.clone(),
        session.clone(),
        connection.number,
    );
    connection.wait_for(async move {
        let handled = match stanza.name() {
            "message" => message(&server, &session, &speaker, &stanza).await,
            "presence" => presence::handle(&server, &speaker, &stanza).await,
            _ => iq(&server, &session, &speaker, &stanza).await,
        };
        let effects = handled.unwrap_or_else(|error| refusal(&server, &speaker, &stanza, &error));
        let from_client = FromClient {
            connection: number,
            on_failure: on_failure(&server, &speaker, stanza),
        };
        server.stage(&session, effects, Some(from_client));
        Box::new(|_: &mut Connection| {}) as Step
    });
}

async fn message(
    server: &Server,
    session: &Arc<Session>,
    speaker: &Arc<Session>,
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    match privileges::message(server, session, speaker, stanza).await? {
        Some(effects) => Ok(effects),
        None => crate::pipeline::message(server, speaker, stanza.clone()).await,
    }
}

async fn iq(
    server: &Server,
    session: &Arc<Session>,
    speaker: &Arc<Session>,
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    if IqType::of(stanza)?.is_request()
        && let Some(effects) = privileges::iq(server, session, speaker, stanza).await?
    {
        return Ok(effects);
    }
    crate::route::iq(server, speaker, stanza.clone()).await
}

/// A stanza that is beyond limits was read over; who sent it is told.
fn skip(connection: &mut Connection, session: &Arc<Session>, skipped: &Skipped) {
    connection.server.metrics().limit(Limit::ElementSize);
    let Some(root) = &skipped.root else {
        return;
    };
    match read(session, root) {
        Ok((stanza, _)) => {
            let error =
                StanzaError::from(Condition::PolicyViolation).with_text(skipped.limit.to_string());
            // Behind what was sent before it.
            let mut effects = Effects::none();
            let reply = Reply::new(&stanza).error(&error);
            reply
                .into_iter()
                .for_each(|bytes| effects.deliver(session, bytes));
            connection.server.stage(session, effects, None);
        }
        Err(error) => connection.fail(error),
    }
}
