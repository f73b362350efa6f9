//! The way of a message through the server, its steps in order.
//!
//! First half, before anything is on disk: check blocking, guard, stamp, strip forged ids, rewrite, find the
//! recipient, decide what becomes of it and whether there is room, act, stage. Second half, once the commit is durable
//! (`delivery.rs`): deliver, copy to the account's other sessions, acknowledge.
//!
//! Sources: RFC 6121 §5 and §8.5, XEP-0160, XEP-0191, XEP-0334, XEP-0359.

use std::sync::Arc;

use waxwing_stanza::{Condition, Jid, MessageType, StanzaError};
use waxwing_store::Marks;
use waxwing_wire::Stanza;

use crate::addressee::{Addressee, Destination, destination};
use crate::archive::{self, ARCHIVED};
use crate::blocking;
use crate::component;
use crate::delivery::{Delivery, UNDELIVERED};
use crate::effects::Effects;
use crate::hooks::{Phase, Sending, Sent};
use crate::keep::{self, Fate};
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
    let mut sending = read(server, session, stanza)?;
    let to = sending.to.as_ref();
    blocking::check_message(server, session, &sending.destination, to).await?;
    run(server, Phase::Guard, &mut sending)?;
    // A message without `to` is for the sender's own account (RFC 6120 §10.3.1).
    let own = sending.stanza.to().is_none();
    let own = own.then(|| session.account.jid.as_str());
    sending.stanza = stamp(server, session, &sending.stanza, session.address(), own)?;
    run(server, Phase::Rewrite, &mut sending)?;
    if let Some((service, form)) = pubsub::decision(&sending)?
        && authorization::is_for(server, &service, &session.account.jid, &form).await?
    {
        return authorization::decide(server, &service, &session.account.jid, &form).await;
    }
    let fate = keep::decide(sending.kind, &sending.stanza);
    let delivery = recipient(server, Parts::of(&sending, fate)).await?;
    let to = sending.to.as_ref();
    let is_archived =
        fate.archived && is_archived_by_sender(server, session, to, &delivery).await?;
    if fate.retracts {
        retract(server, &mut sending, &delivery).await?;
    }
    run(server, Phase::Act, &mut sending)?;
    for later in std::mem::take(&mut sending.later) {
        later(server, &mut sending).await?;
    }
    run(server, Phase::Observe, &mut sending)?;
    Ok(finish(sending, delivery, is_archived))
}

fn read(server: &Server, session: &Arc<Session>, stanza: Stanza) -> Result<Sending, StanzaError> {
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
    Ok(Sending {
        session: session.clone(),
        kind,
        to,
        destination,
        stanza,
        effects: Effects::none(),
        later: Vec::new(),
    })
}

fn run(server: &Server, phase: Phase, sending: &mut Sending) -> Result<(), StanzaError> {
    for hook in server.registry().sending.of(phase) {
        hook(server, sending)?;
    }
    Ok(())
}

/// What of a message decides whom it goes to.
pub(crate) struct Parts {
    pub(crate) session: Arc<Session>,
    pub(crate) kind: MessageType,
    destination: Destination,
    pub(crate) stanza: Stanza,
    pub(crate) fate: Fate,
}

impl Parts {
    fn of(sending: &Sending, fate: Fate) -> Parts {
        Parts {
            session: sending.session.clone(),
            kind: sending.kind,
            destination: sending.destination.clone(),
            stanza: sending.stanza.clone(),
            fate,
        }
    }
}

/// Finds the account; an error refuses the message.
async fn recipient(server: &Server, parts: Parts) -> Result<Box<Delivery>, StanzaError> {
    let (bare, full) = match &parts.destination {
        Destination::Component(to) => return component::message_to(server, to, &parts).await,
        Destination::Here(Addressee::OwnAccount | Addressee::OtherAccount, bare) => {
            (bare.clone(), None)
        }
        Destination::Session(full) => (full.bare(), Some(full.clone())),
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
    let waits = parts.fate.waits && !account.is_guest();
    let sender = &parts.session.account.jid;
    let bytes = parts.stanza.bytes().len();
    let stranger = waits && waiting::admit(server, &account, sender, full.as_ref(), bytes).await?;
    let mut marks = match waits {
        true => UNDELIVERED,
        false => Marks::NONE,
    };
    if waits && parts.fate.archived {
        let from = parts.session.as_sender();
        if archive::wants(server, &account, &from).await? {
            marks = marks | ARCHIVED;
        }
    }
    Ok(Box::new(Delivery {
        account,
        full,
        kind: parts.kind,
        fate: parts.fate,
        marks,
        other: sender.clone(),
        stranger,
        stanza: parts.stanza,
        id: None,
        sender: Some(parts.session),
    }))
}

/// Whether the sender's archive takes it. What somebody writes to themselves is there as its recipient's.
async fn is_archived_by_sender(
    server: &Server,
    session: &Session,
    to: Option<&Jid>,
    delivery: &Delivery,
) -> Result<bool, StanzaError> {
    let account = &session.account;
    // What a guest who is not there is sent comes back.
    let is_taken = delivery.marks != Marks::NONE || !delivery.account.sessions().is_empty();
    match to {
        Some(to) if is_taken && delivery.account.jid != account.jid => {
            archive::wants(server, account, to).await
        }
        _ => Ok(false),
    }
}

/// Takes back what a message takes back from both logs, whatever becomes of itself: what is archived of it now may be
/// other than what was.
async fn retract(
    server: &Server,
    sending: &mut Sending,
    delivery: &Delivery,
) -> Result<(), StanzaError> {
    let (stanza, batch) = (&sending.stanza, &mut sending.effects.batch);
    let (sender, recipient) = (&sending.session.account, &delivery.account);
    if !recipient.is_outside() {
        archive::retract(server, (recipient, &delivery.other), stanza, batch).await?;
    }
    if sender.jid != recipient.jid && !sender.is_outside() {
        archive::retract(server, (sender, &recipient.jid), stanza, batch).await?;
    }
    Ok(())
}

fn finish(sending: Sending, delivery: Box<Delivery>, is_archived: bool) -> Effects {
    let Sending {
        session,
        to,
        stanza,
        mut effects,
        ..
    } = sending;
    let sent = Sent {
        session,
        to: to.unwrap_or_else(|| delivery.account.jid.clone().into()),
        fate: delivery.fate,
        is_archived,
        stanza,
    };
    effects.message = Some(delivery);
    effects.sent = Some(Box::new(sent));
    effects
}
