//! Presence that somebody at a component sends.

use std::sync::Arc;

use waxwing_stanza::{Condition, Jid, PresenceType, StanzaError};
use waxwing_wire::Stanza;

use crate::addressee::Place;
use crate::cx::Cx;
use crate::effects::Effects;
use crate::presence::{REQUEST_BYTES_MAX, pass, probe};
use crate::route;
use crate::server::Server;
use crate::session::Session;
use crate::stamp::stamp;
use crate::subscription::Request;
use crate::xep::{rfc6121_subscription as subscriptions, xep_0356_privileges as privileges};

/// Handles presence that `speaker` sent.
pub(super) async fn handle(
    server: &Server,
    speaker: &Arc<Session>,
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    let kind = PresenceType::of(stanza)?;
    let to = stanza.to().ok_or(Condition::BadRequest)?;
    let to: Jid = to.parse().map_err(|_| Condition::JidMalformed)?;
    match server.place(to.domain()) {
        None => return Err(Condition::RemoteServerNotFound.into()),
        Some(Place::Host(_)) if kind == PresenceType::Subscribe => {
            return Err(Condition::ServiceUnavailable.into());
        }
        Some(Place::Component) => return to_component(server, speaker, to, stanza),
        Some(Place::Domain) if to.node().is_some() => {}
        // Nobody there has presence.
        Some(_) => return Ok(Effects::none()),
    }
    let request = match kind {
        PresenceType::Subscribe => Request::Subscribe,
        PresenceType::Subscribed => Request::Subscribed,
        PresenceType::Unsubscribe => Request::Unsubscribe,
        PresenceType::Unsubscribed => Request::Unsubscribed,
        PresenceType::Probe => {
            let cx = Cx {
                server: server.clone(),
                session: speaker.clone(),
            };
            return probe(&cx, to, stanza).await;
        }
        PresenceType::Available | PresenceType::Unavailable | PresenceType::Error => {
            return shown(server, speaker, to, kind, stanza);
        }
    };
    if stanza.bytes().len() > REQUEST_BYTES_MAX {
        let text = format!("a subscription stanza has {REQUEST_BYTES_MAX} bytes at most");
        return Err(StanzaError::from(Condition::PolicyViolation).with_text(text));
    }
    subscriptions::inbound(server, speaker, &to.bare(), request, stanza).await
}

/// From one component to another, or to itself.
fn to_component(
    server: &Server,
    speaker: &Session,
    to: Jid,
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    let stamped = stamp(server, speaker, stanza, speaker.address(), None)?;
    let mut effects = Effects::none();
    effects.call(move |server| route::to_component(server, to.domain(), &stamped));
    Ok(effects)
}

/// To the session that it names, or to all of the account that are available: whether their owner follows the sender, as a
/// contact, or has entered a room there is for the client to know.
fn shown(
    server: &Server,
    speaker: &Arc<Session>,
    to: Jid,
    kind: PresenceType,
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    let stamped = stamp(server, speaker, stanza, speaker.address(), None)?;
    let speaker = speaker.clone();
    let mut effects = Effects::none();
    effects.call(move |server| {
        pass(server, &speaker, &to, &stamped, kind);
        if kind != PresenceType::Error {
            privileges::of_contact(server, &speaker, &to, &stamped);
        }
    });
    Ok(effects)
}
