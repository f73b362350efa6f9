//! Routing of IQ stanzas (RFC 6120 §8.2.3, RFC 6121 §8.5).

use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::{Condition, FullJid, IqType, Jid, Reply, StanzaError};
use waxwing_wire::Stanza;

use crate::addressee::{Destination, destination};
use crate::asks;
use crate::blocking;
use crate::component;
use crate::cx::{Answer, Cx, IqHead};
use crate::effects::{After, Effects};
use crate::server::{Server, read_again};
use crate::session::{Out, Session};
use crate::stamp::stamp;
use crate::xep::{
    xep_0012_last as last, xep_0175_guests as guests, xep_0355_delegation as delegation,
};

/// Handles an IQ stanza that a session sent.
pub(crate) async fn iq(
    server: &Server,
    session: &Arc<Session>,
    stanza: Stanza,
) -> Result<Effects, StanzaError> {
    let kind = IqType::of(&stanza)?;
    if stanza.id().is_none() {
        return Err(Condition::BadRequest.into());
    }
    let to = match stanza.to() {
        Some(to) => Some(to.parse::<Jid>().map_err(|_| Condition::JidMalformed)?),
        None => None,
    };
    let request = kind.is_request();
    if request && stanza.children().count() != 1 {
        return Err(Condition::BadRequest.into());
    }
    if let Some(to) = &to {
        blocking::check_iq(server, session, to).await?;
    }
    match destination(&session.account.jid, to.as_ref(), |domain| {
        server.place(domain)
    }) {
        Destination::Session(full) => {
            last::check_question(server, &session.account.jid, &full, &stanza).await?;
            let stamped = stamp(server, session, &stanza, session.address(), None)?;
            let mut effects = Effects::none();
            effects.after.push(After::Route(full, stamped));
            Ok(effects)
        }
        Destination::Component(to) => {
            let stamped = stamp(server, session, &stanza, session.address(), None)?;
            let mut effects = Effects::none();
            effects.call(move |server| to_component(server, to.domain(), &stamped));
            Ok(effects)
        }
        _ if !request => {
            asks::answered(session, to.as_ref(), &stanza);
            component::answered(server, session, &stanza);
            Ok(Effects::none())
        }
        Destination::Here(addressee, bare) => {
            let head = IqHead {
                from: session.as_sender(),
                addressee,
                to: bare,
                kind,
                id: stanza
                    .id()
                    .map(std::borrow::Cow::into_owned)
                    .unwrap_or_default(),
            };
            here(server, session, &stanza, head).await
        }
        Destination::Nobody | Destination::AtHost(..) => Err(Condition::ServiceUnavailable.into()),
        Destination::Remote => Err(server.beyond(session)),
    }
}

/// Answers a request for the server, or for an account in its name.
pub(crate) async fn here(
    server: &Server,
    session: &Arc<Session>,
    stanza: &Stanza,
    head: IqHead,
) -> Result<Effects, StanzaError> {
    let payload = stanza
        .children()
        .next()
        .ok_or(Condition::BadRequest)?
        .element();
    guests::check_request(session, head.kind)?;
    if let Some(effects) = delegation::delegate(server, session, stanza, &head, &payload)? {
        return Ok(effects);
    }
    // One answer for what is not supported and for whom there is not (RFC 6121 §8.5.1).
    let handler = server
        .registry()
        .handler(head.addressee, head.kind, &payload)
        .cloned()
        .ok_or(Condition::ServiceUnavailable)?;
    let otherwise = delegation::otherwise(server, session, &head, &payload);
    let cx = Cx {
        server: server.clone(),
        session: session.clone(),
    };
    let Answer {
        first,
        payload,
        error,
        mut effects,
    } = match (handler(cx, head, payload).await, otherwise) {
        (Err(error), Some(host)) if error.condition == Condition::ItemNotFound => {
            return delegation::forward(server, session, stanza, &host);
        }
        (answer, _) => answer?,
    };
    let reply = Reply::new(stanza).to(Some(session.address()));
    let written = match (&error, &payload) {
        (Some(error), Some(payload)) => reply.error_about(payload, error),
        (Some(error), None) => reply.error(error),
        (None, payload) => reply.result(payload.as_ref()),
    };
    let told = first.into_iter().chain(written.map(Out::stanza));
    let told = told.map(|out| After::Deliver(session.clone(), out));
    effects.after.splice(0..0, told);
    Ok(effects)
}

/// Hands a stamped IQ or presence to the session of a full address; a request to nobody is answered with an error.
pub(crate) fn to_session(server: &Server, to: &FullJid, stanza: &Stanza) {
    let bytes = stanza.bytes().clone();
    match server.directory().session(to) {
        // Strangers may send as many as they like.
        Some(session) if session.state().is_behind(bytes.len()) => {
            session.push(Out::passing(bytes));
            bounce(server, stanza);
        }
        Some(session) => session.push(Out::stanza(bytes)),
        None => bounce(server, stanza),
    }
}

/// Hands a stamped stanza to a component; a request to one that is not connected is answered with an error.
pub(crate) fn to_component(server: &Server, host: &str, stanza: &Stanza) {
    let connected = server.component(host).and_then(|found| found.session());
    match connected {
        Some(session) if session.state().is_behind(stanza.bytes().len()) => {
            session.push(Out::passing(stanza.bytes().clone()));
            bounce(server, stanza);
        }
        Some(session) => session.push(Out::stanza(stanza.bytes().clone())),
        None => bounce(server, stanza),
    }
}

/// Answers the questions among stanzas that nobody gets.
pub(crate) fn bounce_all(server: &Server, stanzas: Vec<Bytes>) {
    for bytes in stanzas {
        if let Ok(stanza) = read_again(bytes) {
            bounce(server, &stanza);
        }
    }
}

/// Answers an IQ request that reached nobody, if who asked is still here.
pub(crate) fn bounce(server: &Server, stanza: &Stanza) {
    let request = stanza.name() == "iq" && matches!(stanza.kind().as_deref(), Some("get" | "set"));
    let from = stanza.from().and_then(|from| from.parse::<Jid>().ok());
    let asker = from.and_then(|from| component::session_at(server, &from));
    if !request {
        return;
    }
    let error = StanzaError::from(Condition::ServiceUnavailable);
    match asker {
        Some(asker) => {
            if let Some(reply) = server.error_reply(stanza, &error, &asker) {
                asker.push(Out::stanza(reply));
            }
        }
        None => component::unanswered(server, stanza, &error),
    }
}
