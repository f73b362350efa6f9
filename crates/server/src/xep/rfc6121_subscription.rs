//! RFC 6121 §3: Managing Presence Subscriptions.
//!
//! <https://www.rfc-editor.org/rfc/rfc6121#section-3>

use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::xep::rfc6121_roster::PreApproval;
use waxwing_stanza::{BareJid, Condition, Payload, StanzaError};
use waxwing_stream::server::Stage;
use waxwing_wire::{Element, Stanza, ns};

use crate::blocking;
use crate::component;
use crate::cx::Cx;
use crate::directory::Account;
use crate::effects::Effects;
use crate::presence;
use crate::registry::{Feature, Registrar, Source};
use crate::roster::{self, INTERESTED, StoredItem};
use crate::server::Server;
use crate::session::{Out, Session};
use crate::stamp::stamp;
use crate::subscription::Request;
use crate::xep::xep_0379_preauth as preauth;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Rfc(6121, "subscriptions"),
    title: "Managing Presence Subscriptions",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.stream_feature(Stage::Bind, |_, _| Some(PreApproval {}.write()));
}

impl Request {
    /// The presence type.
    pub fn kind(self) -> &'static str {
        match self {
            Request::Subscribe => "subscribe",
            Request::Subscribed => "subscribed",
            Request::Unsubscribe => "unsubscribe",
            Request::Unsubscribed => "unsubscribed",
        }
    }

    /// Whether it asks for, or gives, what was not there.
    pub(crate) fn grows(self) -> bool {
        matches!(self, Request::Subscribe | Request::Subscribed)
    }
}

/// A session sends a subscription stanza to `contact`.
pub(crate) async fn outbound(
    cx: &Cx,
    contact: &BareJid,
    request: Request,
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    let mut effects = Effects::none();
    let account = &cx.session.account;
    effects.exclusive = Some(cx.server.roster_turn(&[&account.jid, contact]).await);
    if *contact == account.jid {
        // One always sees one's own presence; nothing changes.
        return Ok(effects);
    }
    let before = roster::item(&cx.server, account, contact)
        .await?
        .unwrap_or_default();
    if request == Request::Subscribe && preauth::met(cx, contact, stanza, &mut effects).await? {
        return Ok(effects);
    }
    let (state, routed) = before.state().outbound(request);
    let mut after = before.clone();
    after.set_state(state, None);
    if after.listed && !before.listed && roster::is_full(&cx.server, account, true).await? {
        return Err(Condition::ResourceConstraint.into());
    }
    if after != before {
        store_change(&cx.server, account, contact, &before, &after, &mut effects);
    }
    if routed {
        // RFC 6121 §3.1.2: stamped with the bare address.
        let (from, to) = (account.jid.as_str(), contact.as_str());
        let stamped = stamp(&cx.server, &cx.session, stanza, from, Some(to))?;
        deliver(
            &cx.server,
            &Asker::Account(account),
            contact,
            &[(request, stamped.bytes().clone())],
            &mut effects,
        )
        .await?;
    }
    match request {
        Request::Subscribed if state.from && !before.from => {
            presence::introduce(account, contact, &mut effects);
        }
        Request::Unsubscribed if before.from => presence::withdraw(account, contact, &mut effects),
        _ => {}
    }
    Ok(effects)
}

/// Somebody at a component sends a subscription stanza to `contact`.
pub(crate) async fn inbound(
    server: &Server,
    speaker: &Session,
    contact: &BareJid,
    request: Request,
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    let mut effects = Effects::none();
    effects.exclusive = Some(server.roster_turn(&[contact]).await);
    let (from, to) = (&speaker.account.jid, contact.as_str());
    let stamped = stamp(server, speaker, stanza, from.as_str(), Some(to))?;
    let requests = [(request, stamped.bytes().clone())];
    deliver(
        server,
        &Asker::Outside(from),
        contact,
        &requests,
        &mut effects,
    )
    .await?;
    Ok(effects)
}

/// Who sends a subscription stanza.
enum Asker<'a> {
    /// An account of this server, whose roster says it too.
    Account(&'a Arc<Account>),
    /// Somebody at a component.
    Outside(&'a BareJid),
}

impl Asker<'_> {
    fn jid(&self) -> &BareJid {
        match self {
            Asker::Account(account) => &account.jid,
            Asker::Outside(jid) => jid,
        }
    }
}

/// An account that goes: its contacts lose it as if it had taken them out of its roster, so that
/// nobody who gets its name later sees their presence (XEP-0077 §3.2).
pub(crate) async fn end_all(
    server: &Server,
    account: &Arc<Account>,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    for (contact, item) in roster::items(server, account).await? {
        end(server, account, &contact, &item, effects).await?;
    }
    Ok(())
}

/// Ends what there is of subscriptions in both directions (§2.5).
pub(crate) async fn end(
    server: &Server,
    account: &Arc<Account>,
    contact: &BareJid,
    item: &StoredItem,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let mut requests = Vec::new();
    if item.to || item.pending_out {
        requests.push(Request::Unsubscribe);
    }
    if item.from || item.request.is_some() {
        requests.push(Request::Unsubscribed);
        presence::withdraw(account, contact, effects);
    }
    tell(server, account, contact, &requests, effects).await
}

/// The server sends subscription stanzas on behalf of the account, in this order.
async fn tell(
    server: &Server,
    account: &Arc<Account>,
    contact: &BareJid,
    requests: &[Request],
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let stanzas: Vec<_> = requests
        .iter()
        .map(|&request| (request, on_behalf(&account.jid, contact, request)))
        .collect();
    deliver(server, &Asker::Account(account), contact, &stanzas, effects).await
}

/// A subscription stanza that nobody sent.
pub(crate) fn on_behalf(from: &BareJid, to: &BareJid, request: Request) -> Bytes {
    Element::new(ns::CLIENT, "presence")
        .with_attr("from", from.to_string())
        .with_attr("to", to.to_string())
        .with_attr("type", request.kind())
        .to_bytes(ns::CLIENT)
}

/// Takes subscription stanzas from `sender` to a contact of this server.
async fn deliver(
    server: &Server,
    asker: &Asker<'_>,
    contact: &BareJid,
    requests: &[(Request, Bytes)],
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let sender = asker.jid();
    if let Some(component) = server.component(contact.domain()) {
        for (_, stanza) in requests {
            let stanza = stanza.clone();
            component::subscription_to(server, &component, sender, stanza, effects).await?;
        }
        return Ok(());
    }
    let account = server.account(contact).await?;
    // To a guest nobody subscribes (XEP-0175 §3).
    let Some(account) = account.filter(|account| !account.is_guest()) else {
        // RFC 6121 §8.5.1: silence, as for a contact that does not answer.
        return Ok(());
    };
    let before = roster::item(server, &account, sender)
        .await?
        .unwrap_or_default();
    let mut after = before.clone();
    let mut told = Vec::new();
    // XEP-0191 §3.3: no answer, no error. That somebody ends a subscription is noted all the same.
    let kept_away = blocking::is_kept_from(&account, &sender.clone().into());
    for (request, stanza) in requests {
        if kept_away && request.grows() {
            continue;
        }
        if *request == Request::Subscribe && after.state().answers_subscribe() {
            answer(server, asker, &account, effects).await?;
        }
        let (state, tell) = after.state().inbound(*request);
        let asks = *request == Request::Subscribe && tell;
        if asks && !after.listed && roster::is_full(server, &account, false).await? {
            return Ok(());
        }
        after.set_state(state, Some(stanza));
        if tell && !kept_away {
            told.push((*request, stanza.clone()));
        }
    }
    // Before the push that tells what came of it (RFC 6121 §3.1.6, §3.2.3, §3.3.3).
    for (request, stanza) in told {
        tell_sessions(account.clone(), request, stanza, effects);
    }
    if after != before {
        store_change(server, &account, sender, &before, &after, effects);
    }
    if before.from && !after.from {
        presence::withdraw(&account, sender, effects);
    }
    if !before.from && after.from {
        presence::introduce(&account, sender, effects);
    }
    Ok(())
}

/// `subscribed` by the server for a contact that has approved (RFC 6121 §3.1.3).
async fn answer(
    server: &Server,
    asker: &Asker<'_>,
    contact: &Account,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let asker = match asker {
        Asker::Account(asker) => *asker,
        Asker::Outside(asker) => {
            let stanza = on_behalf(&contact.jid, asker, Request::Subscribed);
            return match server.component(asker.domain()) {
                Some(component) => {
                    let from = &contact.jid;
                    component::subscription_to(server, &component, from, stanza, effects).await
                }
                None => Ok(()),
            };
        }
    };
    let own = roster::item(server, asker, &contact.jid)
        .await?
        .unwrap_or_default();
    // The asker's own half of this exchange is in `effects`, not yet in the store.
    let mut asking = own.state();
    asking.pending_out |= !asking.to;
    let (state, _) = asking.inbound(Request::Subscribed);
    let mut after = own.clone();
    after.set_state(state, None);
    if after != own {
        let stanza = on_behalf(&contact.jid, &asker.jid, Request::Subscribed);
        tell_sessions(asker.clone(), Request::Subscribed, stanza, effects);
        roster::change(server, asker, &contact.jid, Some(&after), effects);
    }
    Ok(())
}

pub(super) fn store_change(
    server: &Server,
    account: &Arc<Account>,
    contact: &BareJid,
    before: &StoredItem,
    after: &StoredItem,
    effects: &mut Effects,
) {
    if after.listed {
        let seen = |item: &StoredItem| {
            (
                item.to,
                item.from,
                item.pending_out,
                item.approved,
                item.listed,
            )
        };
        if seen(before) != seen(after) {
            return roster::change(server, account, contact, Some(after), effects);
        }
        return roster::write(&mut effects.batch, account, contact, Some(after));
    }
    let empty = after.request.is_none();
    roster::write(
        &mut effects.batch,
        account,
        contact,
        (!empty).then_some(after),
    );
}

/// Requests go to sessions that are available, the rest to those that follow the roster (RFC 6121 §3.1.3, §3.1.6).
pub(super) fn tell_sessions(
    account: Arc<Account>,
    request: Request,
    stanza: Bytes,
    effects: &mut Effects,
) {
    effects.call(move |_| {
        for session in account.sessions() {
            let wants = match request {
                Request::Subscribe => session.priority().is_some(),
                _ => session.has(INTERESTED),
            };
            if wants {
                session.push(Out::stanza(stanza.clone()));
            }
        }
    });
}
