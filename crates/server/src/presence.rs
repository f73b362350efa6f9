//! Presence: who is available, and who is told (RFC 6121 §4).
//!
//! Length: what is told of presence, and to whom, is one set of rules for each way that it is told.

mod again;
mod blocks;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::{BareJid, Condition, Jid, PresenceType, StanzaError};
use waxwing_wire::{Element, Stanza, ns};

pub(crate) use again::again;
pub(crate) use blocks::{block, unblock};

use crate::addressee::{Addressee, Destination, Place, destination};
use crate::blocking;
use crate::capabilities;
use crate::component;
use crate::cx::Cx;
use crate::directory::Account;
use crate::effects::Effects;
use crate::greeting::greet;
use crate::notices;
use crate::pubsub;
use crate::roster;
use crate::route;
use crate::server::{Server, read_again};
use crate::session::{Available, Out, Session};
use crate::sharers;
use crate::stamp::stamp;
use crate::subscription::Request;
use crate::undelivered;
use crate::xep::{
    rfc6121_subscription as subscriptions, xep_0012_last as last,
    xep_0153_vcard_avatars as avatars, xep_0175_guests as guests,
    xep_0356_privileges as privileges,
};

/// Most addresses that one session can have sent directed presence to.
pub(crate) const DIRECTED_MAX: usize = 1_000;

/// Most bytes of a subscription stanza: a request is kept whole until it is answered, and shown at each log-in
/// (RFC 6121 §3.1.3).
pub(crate) const REQUEST_BYTES_MAX: usize = 4 * 1024;

/// Handles presence that a session sent.
pub(crate) async fn handle(
    server: &Server,
    session: &Arc<Session>,
    stanza: Stanza,
) -> Result<Effects, StanzaError> {
    let kind = PresenceType::of(&stanza)?;
    let to = match stanza.to() {
        Some(to) => Some(to.parse::<Jid>().map_err(|_| Condition::JidMalformed)?),
        None => None,
    };
    let cx = Cx {
        server: server.clone(),
        session: session.clone(),
    };
    if let Some(to) = &to {
        blocking::check_presence(session, to)?;
    }
    let request = match kind {
        PresenceType::Subscribe => Request::Subscribe,
        PresenceType::Subscribed => Request::Subscribed,
        PresenceType::Unsubscribe => Request::Unsubscribe,
        PresenceType::Unsubscribed => Request::Unsubscribed,
        PresenceType::Available | PresenceType::Unavailable => {
            return match to {
                None => broadcast(&cx, kind, &stanza).await,
                Some(to) => directed(&cx, kind, to, &stanza).await,
            };
        }
        PresenceType::Probe => {
            return match to {
                Some(to) => probe(&cx, to, &stanza).await,
                None => Ok(Effects::none()),
            };
        }
        // Errors are passed to who caused them.
        PresenceType::Error => {
            return to.map_or(Ok(Effects::none()), |to| pass_error(&cx, &to, &stanza));
        }
    };
    guests::check_subscription(session)?;
    if stanza.bytes().len() > REQUEST_BYTES_MAX {
        let text = format!("a subscription stanza has {REQUEST_BYTES_MAX} bytes at most");
        return Err(StanzaError::from(Condition::PolicyViolation).with_text(text));
    }
    let to = to.ok_or(Condition::BadRequest)?;
    match server.place(to.domain()) {
        None => return Err(server.beyond(session)),
        // Nobody there has presence; what a roster may hold of it can still be ended.
        Some(Place::Host(_)) if request.grows() => return Err(Condition::ServiceUnavailable.into()),
        Some(_) => {}
    }
    subscriptions::outbound(&cx, &to.bare(), request, &stanza).await
}

/// A client asks for presence, which its server has told it by itself: who may see it is shown it once more (§4.3.2).
pub(crate) async fn probe(cx: &Cx, to: Jid, stanza: &Stanza) -> Result<Effects, StanzaError> {
    let whose = to.bare();
    match cx.server.place(to.domain()) {
        Some(Place::Component) => {
            let stamped = stamped(cx, stanza, None)?;
            let mut effects = Effects::none();
            effects.call(move |server| route::to_component(server, to.domain(), &stamped));
            return Ok(effects);
        }
        None => return Err(cx.server.beyond(&cx.session)),
        Some(Place::Domain) if whose.node().is_some() => {}
        Some(_) => return Ok(Effects::none()),
    }
    let own = whose == cx.session.account.jid;
    let may_see = own || roster::sees_presence(&cx.server, &cx.session.account.jid, &whose).await?;
    let session = cx.session.clone();
    let mut effects = Effects::none();
    effects.call(move |server| {
        let asker = &session.account.jid;
        if !may_see {
            // Whether there is such an account or not.
            let refusal = subscriptions::on_behalf(&whose, asker, Request::Unsubscribed);
            return session.push(Out::stanza(refusal));
        }
        let mut nobody = true;
        for other in at(server, &to) {
            if blocking::is_free(&other, &session) && other.priority().is_some() {
                show(&other, &session, asker);
                nobody = false;
            }
        }
        if nobody {
            session.push(Out::stanza(unavailable(to.as_str(), asker.as_str())));
        }
    });
    Ok(effects)
}

fn pass_error(cx: &Cx, to: &Jid, stanza: &Stanza) -> Result<Effects, StanzaError> {
    let mut effects = Effects::none();
    if let Some(session) = at(&cx.server, to).into_iter().next()
        && (to.resource().is_some() || session.account.is_outside())
        && blocking::is_free_at(&cx.session, &session, to)
    {
        let stamped = stamped(cx, stanza, Some(to.as_str()))?;
        effects.deliver(&session, stamped.bytes().clone());
    }
    Ok(effects)
}

/// Presence that one of the account's sessions sent, as others see it.
fn stamped(cx: &Cx, stanza: &Stanza, to: Option<&str>) -> Result<Stanza, StanzaError> {
    stamp(&cx.server, &cx.session, stanza, cx.session.address(), to)
}

/// The priority of available presence. What has no meaning is an error, rather than to be guessed at by each who gets
/// it: a `<show/>` or `<priority/>` beside another, or a priority that is none (§4.7.2). Which values `<show/>` can have is
/// for clients to know: some send it empty, and one that is not known says no less than none.
fn priority(stanza: &Stanza) -> Result<i8, StanzaError> {
    let refuse = |text: &str| StanzaError::from(Condition::BadRequest).with_text(text);
    let named = |name: &'static str| {
        let children = stanza.children();
        children.filter(move |child| child.ns() == ns::CLIENT && child.name() == name)
    };
    let mut priorities = named("priority");
    let priority = priorities.next();
    if priorities.next().is_some() || named("show").nth(1).is_some() {
        return Err(refuse(
            "presence has one <show/> and one <priority/> at most",
        ));
    }
    let read = priority.map_or(Ok(0), |priority| priority.element().text().trim().parse());
    read.map_err(|_| refuse("<priority/> is a number from -128 to 127"))
}

/// Whether a session with this presence takes no messages to its account.
fn takes_none(available: Option<&Available>) -> bool {
    available.is_none_or(|available| available.priority < 0)
}

async fn broadcast(cx: &Cx, kind: PresenceType, stanza: &Stanza) -> Result<Effects, StanzaError> {
    let session = &cx.session;
    let stamped = stamped(cx, stanza, None)?;
    let mut effects = Effects::none();
    // Who may see it changes before it is told, or after.
    effects.exclusive = Some(cx.server.roster_turn(&[&session.account.jid]).await);
    let stamped = avatars::stamped(&cx.server, &session.account, kind, stamped).await?;
    let contacts = roster::items(&cx.server, &session.account).await?;
    if kind == PresenceType::Unavailable {
        // Who leaves is told as well, as the other sessions are (§4.5.2), if it is available once what was sent before is
        // done.
        let (own, stanza) = (session.clone(), stamped.clone());
        effects.call(move |_| {
            if own.priority().is_some() {
                tell(&own, &own, &own.account.jid, &stanza);
            }
        });
        leave(
            session.clone(),
            stamped,
            contacts_from(&contacts),
            &mut effects,
        );
        return Ok(effects);
    }
    let priority = priority(stanza)?;
    let audience = contacts_from(&contacts);
    let nothing_until = if priority >= 0 && takes_none(session.state().available.as_ref()) {
        undelivered::nothing_until(&cx.server, &session.account)
            .await
            .map_err(|error| crate::server::unavailable(&error))?
    } else {
        None
    };
    let own = session.clone();
    let shows_none = avatars::shows_none(stanza);
    effects.call(move |server| {
        avatars::note(&own, shows_none);
        let before = own.state().available.replace(Available {
            priority,
            stanza: stamped.bytes().clone(),
        });
        let initial = before.is_none();
        capabilities::broadcast(server, &own, &stamped);
        let is_first = initial && own.account.available().len() == 1;
        // Undelivered messages wait for a session that takes messages (XEP-0160 §2), as those do that came while this one
        // took none.
        let takes = priority >= 0 && takes_none(before.as_ref()) && own.state().begin_undelivered();
        // Before anybody can know that the session is there.
        let something_waits = takes && !undelivered::skip(server, &own, nothing_until);
        tell_all(server, &own, &stamped, &audience);
        privileges::shown(server, (&own, initial), &stamped, &audience);
        if initial {
            greet(server, &own, contacts);
            pubsub::arrived(server, &own, is_first);
        } else {
            pubsub::interested(server, &own);
        }
        if something_waits {
            undelivered::start(server, &own);
        }
        if takes {
            notices::arrived(server, &own);
        }
    });
    Ok(effects)
}

fn contacts_from(contacts: &[(BareJid, roster::StoredItem)]) -> Vec<BareJid> {
    contacts
        .iter()
        .filter(|(_, item)| item.from)
        .map(|(jid, _)| jid.clone())
        .collect()
}

/// To the available sessions of contacts that may see it, and to one's own (§4.2.2, §4.4.2).
fn tell_all(server: &Server, session: &Session, stanza: &Stanza, audience: &[BareJid]) {
    for contact in audience.iter().chain([&session.account.jid]) {
        let address = Jid::from(contact.clone());
        let mut bytes = None;
        for other in at(server, &address) {
            if blocking::is_free_at(session, &other, &address) {
                let bytes = bytes.get_or_insert_with(|| addressed(stanza, contact));
                other.push(Out::stanza(bytes.clone()));
            }
        }
    }
}

fn addressed(stanza: &Stanza, to: &BareJid) -> Bytes {
    stanza.splice().to(Some(to.as_ref())).finish()
}

/// Presence of `from` for a session that is reached by `to`, unless one has blocked the other.
fn tell(from: &Session, session: &Session, to: &BareJid, stanza: &Stanza) {
    if blocking::is_free_at(from, session, &to.clone().into()) {
        session.push(Out::stanza(addressed(stanza, to)));
    }
}

/// Unavailable presence: to everybody who saw the session available (§4.5.2, §4.6.3).
fn leave(session: Arc<Session>, stanza: Stanza, audience: Vec<BareJid>, effects: &mut Effects) {
    effects.call(move |server| {
        let (was, directed) = {
            let mut state = session.state();
            (state.available.take(), std::mem::take(&mut state.directed))
        };
        if was.is_some() {
            capabilities::left(&session);
            pubsub::departed(server, &session.account);
            last::note_left(server, &session, &stanza);
            tell_all(server, &session, &stanza, &audience);
            privileges::shown(server, (&session, true), &stanza, &audience);
        }
        for to in &directed {
            server.sharers().remove(&session, &to.bare());
        }
        // Of the broadcast, a session that is not available got nothing.
        let told: HashSet<&BareJid> = audience.iter().collect();
        let is_told = |to: &Jid| {
            let of_account = was.is_some() && told.contains(&to.bare());
            of_account && at(server, to).iter().all(|one| one.priority().is_some())
        };
        for to in directed.iter().filter(|to| !is_told(to)) {
            to_address(server, &session, to, &stanza, Out::stanza);
        }
        session.account.has_left(&session);
    });
}

/// What somebody was shown is taken back however much waits for them; the rest is of the moment.
fn to_address(
    server: &Server,
    from: &Session,
    to: &Jid,
    stanza: &Stanza,
    out: impl Fn(Bytes) -> Out,
) {
    let bytes = stanza.splice().to(Some(to.as_ref())).finish();
    for session in at(server, to) {
        if blocking::is_free_at(from, &session, to) {
            session.push(out(bytes.clone()));
        }
    }
}

/// Presence that somebody at a component sent, for the sessions of an account.
pub(crate) fn pass(server: &Server, from: &Session, to: &Jid, stanza: &Stanza, kind: PresenceType) {
    match kind {
        PresenceType::Available => to_address(server, from, to, stanza, Out::passing),
        _ => to_address(server, from, to, stanza, Out::stanza),
    }
}

/// The sessions that get presence for an address: the one that it names, or an account's available ones; or that of a
/// component, for whoever is there.
fn at(server: &Server, to: &Jid) -> Vec<Arc<Session>> {
    if let Some(account) = server.directory().known(&to.bare()) {
        return match to.resource() {
            Some(resource) => account.session(resource).into_iter().collect(),
            None => {
                let available = account.available().into_iter();
                available.map(|(_, session)| session).collect()
            }
        };
    }
    let component = server.component(to.domain());
    component
        .and_then(|component| component.session())
        .into_iter()
        .collect()
}

async fn directed(
    cx: &Cx,
    kind: PresenceType,
    to: Jid,
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    match destination(&cx.session.account.jid, Some(&to), |domain| {
        cx.server.place(domain)
    }) {
        Destination::Remote => return Err(cx.server.beyond(&cx.session)),
        // Who means to enter a room is told that there is none, and does not wait.
        Destination::Component(to)
            if kind == PresenceType::Available && at(&cx.server, &to).is_empty() =>
        {
            return Err(component::absent());
        }
        Destination::AtHost(..) if kind == PresenceType::Available => {
            return Err(Condition::ServiceUnavailable.into());
        }
        Destination::Here(Addressee::Domain | Addressee::Host(_), _)
        | Destination::AtHost(..)
        | Destination::Nobody => return Ok(Effects::none()),
        Destination::Here(..) | Destination::Session(_) | Destination::Component(_) => {}
    }
    if kind == PresenceType::Available {
        priority(stanza)?;
        if cx.session.state().directed.len() >= DIRECTED_MAX {
            return Err(Condition::ResourceConstraint.into());
        }
    }
    let stamped = stamped(cx, stanza, Some(to.as_str()))?;
    let stamped = avatars::stamped(&cx.server, &cx.session.account, kind, stamped).await?;
    let session = cx.session.clone();
    let mut effects = Effects::none();
    effects.call(move |server| {
        let takes_back = match kind {
            PresenceType::Unavailable => sharers::hide(server, &session, &to),
            _ => {
                sharers::show(server, &session, &to);
                false
            }
        };
        let out = if takes_back {
            Out::stanza
        } else {
            Out::passing
        };
        to_address(server, &session, &to, &stamped, out);
    });
    Ok(effects)
}

/// A new subscriber sees the account's sessions (§3.1.5).
pub(crate) fn introduce(account: &Arc<Account>, contact: &BareJid, effects: &mut Effects) {
    let (account, contact) = (account.clone(), contact.clone());
    effects.call(move |server| {
        let told = at(server, &Jid::from(contact.clone()));
        for session in account.sessions() {
            for to in &told {
                show(&session, to, &contact);
            }
        }
        pubsub::gained(server, &account.jid, &contact);
    });
}

/// One who may no longer see the account sees its sessions leave (§3.2.2, §3.3.3), those too that have just ended: they are
/// told of to those who may see them then.
pub(crate) fn withdraw(account: &Arc<Account>, contact: &BareJid, effects: &mut Effects) {
    let (account, contact) = (account.clone(), contact.clone());
    effects.call(move |server| {
        let address = Jid::from(contact.clone());
        let told = at(server, &address);
        for session in account
            .visible()
            .iter()
            .filter(|session| session.priority().is_some())
        {
            for to in &told {
                if blocking::is_free_at(session, to, &address) {
                    to.push(Out::stanza(unavailable(
                        session.jid.as_str(),
                        contact.as_ref(),
                    )));
                }
            }
        }
    });
}

/// How available a session is: what `<show/>` says, or `online`; nothing where it is not available.
pub(crate) fn shown(session: &Session) -> Option<String> {
    let available = session.state().available.clone()?;
    let stanza = read_again(available.stanza).ok()?;
    let show = stanza
        .child(ns::CLIENT, "show")
        .map(|show| show.element().text());
    Some(
        show.filter(|show| !show.is_empty())
            .unwrap_or_else(|| "online".to_owned()),
    )
}

/// Presence as it is now, if it was sent. Where it changes meanwhile, the change may have been told before: it is told
/// again, so that what is true comes last.
pub(crate) fn show(from: &Session, session: &Session, to: &BareJid) {
    let mut told: Option<Bytes> = None;
    loop {
        let now = from.state().available.clone();
        match (&told, now) {
            (None, None) => return,
            (Some(told), Some(now)) if told.as_ptr() == now.stanza.as_ptr() => return,
            (_, Some(now)) => {
                // It was read before it was kept.
                if let Ok(stanza) = read_again(now.stanza.clone()) {
                    tell(from, session, to, &stanza);
                }
                told = Some(now.stanza);
            }
            (Some(_), None) => {
                if blocking::is_free_at(from, session, &to.clone().into()) {
                    session.push(Out::stanza(unavailable(from.jid.as_str(), to.as_str())));
                }
                return;
            }
        }
    }
}

fn unavailable(from: &str, to: &str) -> Bytes {
    Element::new(ns::CLIENT, "presence")
        .with_attr("from", from)
        .with_attr("to", to)
        .with_attr("type", "unavailable")
        .to_bytes(ns::CLIENT)
}

/// Unavailable presence on behalf of a session that ended without sending it (§4.5.2). The caller has the turn of its
/// account's roster.
pub(crate) async fn ended(server: &Server, session: &Arc<Session>) -> Result<Effects, StanzaError> {
    let stanza = server.reparse(unavailable(
        session.jid.as_str(),
        session.account.jid.as_ref(),
    ))?;
    let mut effects = Effects::none();
    let contacts = roster::items(server, &session.account).await?;
    leave(
        session.clone(),
        stanza,
        contacts_from(&contacts),
        &mut effects,
    );
    Ok(effects)
}
