//! The way of a message through the server, its steps in order.
//!
//! First half, before anything is on disk: check blocking, guard, stamp, strip forged ids, rewrite, find the
//! recipient, decide what is kept and whether there is room, act, stage. Second half, once the commit is durable
//! (`delivery.rs`): deliver, copy to the account's other sessions, acknowledge.
//!
//! Sources: RFC 6121 §5 and §8.5, XEP-0160, XEP-0191, XEP-0334, XEP-0359.

use std::sync::Arc;

use waxwing_stanza::{Condition, Jid, MessageType, StanzaError};
use waxwing_wire::Stanza;

use crate::addressee::{Addressee, Destination, destination};
use crate::blocking;
use crate::delivery::Delivery;
use crate::effects::Effects;
use crate::hooks::{Phase, Sending, Sent};
use crate::keep;
use crate::pubsub::{self, authorization};
use crate::server::Server;
use crate::session::Session;
use crate::stamp::stamp;
use crate::waiting;

/// Handles a message that a session sent; an error goes back to it.
pub(crate) async fn message(
    server: &Server,
    session: &Arc<Session>,
    stanza: Stanza,
) -> Result<Effects, StanzaError> {
    let (mut sending, to) = read(server, session, stanza)?;
    blocking::check_message(server, session, &sending.destination, to).await?;
    run(server, Phase::Guard, &mut sending)?;
    // A message without `to` is for the sender's own account (RFC 6120 §10.3.1).
    let own = sending.stanza.to().is_none();
    let own = own.then(|| session.account.jid.as_str());
    sending.stanza = stamp(server, session, &sending.stanza, session.jid.as_str(), own)?;
    run(server, Phase::Rewrite, &mut sending)?;
    if let Some((service, form)) = pubsub::decision(&sending)?
        && authorization::is_for(server, &service, &session.account.jid, &form).await?
    {
        return authorization::decide(server, &service, &session.account.jid, &form).await;
    }
    let delivery = recipient(server, Parts::of(&sending)).await?;
    run(server, Phase::Act, &mut sending)?;
    run(server, Phase::Observe, &mut sending)?;
    Ok(finish(sending, delivery))
}

fn read(
    server: &Server,
    session: &Arc<Session>,
    stanza: Stanza,
) -> Result<(Sending, Option<Jid>), StanzaError> {
    let to = match stanza.to() {
        Some(to) => Some(
            to.parse::<Jid>()
                .map_err(|_| StanzaError::from(Condition::JidMalformed))?,
        ),
        None => None,
    };
    let kind = MessageType::of(&stanza);
    let destination = destination(&session.account.jid, to.as_ref(), |domain| {
        server.place(domain)
    });
    let sending = Sending {
        session: session.clone(),
        kind,
        destination,
        stanza,
        effects: Effects::none(),
    };
    Ok((sending, to))
}

fn run(server: &Server, phase: Phase, sending: &mut Sending) -> Result<(), StanzaError> {
    for hook in server.registry().sending.of(phase) {
        hook(server, sending)?;
    }
    Ok(())
}

/// What of a message decides whom it goes to.
struct Parts {
    session: Arc<Session>,
    kind: MessageType,
    destination: Destination,
    stanza: Stanza,
}

impl Parts {
    fn of(sending: &Sending) -> Parts {
        Parts {
            session: sending.session.clone(),
            kind: sending.kind,
            destination: sending.destination.clone(),
            stanza: sending.stanza.clone(),
        }
    }
}

/// Finds the account; an error refuses the message.
async fn recipient(server: &Server, parts: Parts) -> Result<Box<Delivery>, StanzaError> {
    let (bare, full) = match parts.destination {
        Destination::Here(Addressee::OwnAccount | Addressee::OtherAccount, bare) => (bare, None),
        Destination::Session(full) => (full.bare(), Some(full)),
        // Nothing of ours reads messages to the server or its hosts; an error is never answered.
        Destination::Here(Addressee::Domain | Addressee::Host(_), _)
        | Destination::AtHost(..)
        | Destination::Nobody => return Err(Condition::ServiceUnavailable.into()),
        Destination::Remote => return Err(server.beyond(&parts.session)),
    };
    // RFC 6121 §8.5.2.1.1: a room's message cannot go to an account.
    if parts.kind == MessageType::Groupchat && full.is_none() {
        return Err(Condition::ServiceUnavailable.into());
    }
    let account = server
        .account(&bare)
        .await?
        .ok_or(Condition::ServiceUnavailable)?;
    // A guest does not come back for what waits.
    let keep = keep::decide(parts.kind, &parts.stanza) && !account.is_guest();
    let sender = &parts.session.account.jid;
    let bytes = parts.stanza.bytes().len();
    let stranger = keep && waiting::admit(server, &account, sender, full.as_ref(), bytes).await?;
    Ok(Box::new(Delivery {
        account,
        full,
        kind: parts.kind,
        keep,
        stranger,
        stanza: parts.stanza,
        id: None,
        sender: Some(parts.session),
    }))
}

fn finish(sending: Sending, delivery: Box<Delivery>) -> Effects {
    let Sending {
        session,
        kind,
        stanza,
        mut effects,
        ..
    } = sending;
    let to = delivery.account.jid.clone();
    effects.message = Some(delivery);
    effects.call(move |server| {
        let sent = Sent {
            session: &session,
            kind,
            to: &to,
            stanza: &stanza,
        };
        for hook in server.registry().sent.all() {
            hook(server, &sent);
        }
    });
    effects
}
