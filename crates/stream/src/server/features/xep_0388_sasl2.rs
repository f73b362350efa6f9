//! XEP-0388: Extensible SASL Profile, version 1.0.4: SASL in other words, and with it what a client wants next.
//! <https://xmpp.org/extensions/xep-0388.html>
//!
//! The exchange itself is that of [`rfc6120_sasl`]. When it has succeeded, what was asked for is worked off
//! one by one, in the order of [`advance`], and the client is told of all of it in `<success/>`. The stream
//! is not restarted. What is sent behind `<authenticate/>` without waiting is held meanwhile; white space while
//! the server waits for more of the exchange ends the stream (§2.4), behind an `<authenticate/>` that succeeds it is nothing.

mod request;

use std::fmt;
use std::sync::Arc;

use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;
use waxwing_stanza::{BareJid, Payload};
use waxwing_wire::{Element, Stanza, ns};
use zeroize::Zeroizing;

pub(super) use waxwing_stanza::xep::xep_0388_sasl2::NS;

use super::rfc6120_sasl::{self, Profile};
use super::{Feature, offer, xep_0386_bind2, xep_0480_upgrade, xep_0484_fast, xep_0509_pipelining};
use crate::error::{StreamCondition, StreamError};
use crate::sasl::{Account, Device, Failure, Family, Mechanism, base64};
use crate::server::{Negotiation, Output, Sasl2, Stage, stanzas};
use crate::transport::Transport;
use request::Request;

/// What a client says while it logs in.
const PARTS: [&str; 5] = ["authenticate", "response", "abort", "next", "task-data"];

pub(super) static FEATURE: Feature = Feature {
    stage: Stage::Login,
    element,
    takes: is_part,
    handle,
};

/// SASL2 of one stream.
#[derive(Default)]
pub(in crate::server) struct Sasl2Login {
    /// The account that the stream's header names.
    from: Option<BareJid>,
    /// What was offered, by its version (XEP-0509).
    version: Option<Arc<str>>,
    /// Stream management was enabled together with a resource.
    pub(super) is_managed: bool,
    /// Log-ins for another offer than that.
    pub(super) mismatches: u32,
    user_agent: Option<UserAgent>,
    /// The log-in that goes on.
    pub(super) request: Option<Box<Request>>,
}

impl Sasl2Login {
    pub(in crate::server) fn user_agent(&self) -> Option<&UserAgent> {
        self.user_agent.as_ref()
    }

    pub(in crate::server) fn is_busy(&self) -> bool {
        self.request.is_some()
    }

    pub(in crate::server) fn set_from(&mut self, from: Option<BareJid>) {
        self.from = from;
    }

    pub(in crate::server) fn set_version(&mut self, version: Option<Arc<str>>) {
        self.version = version;
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The log-in failed: nothing that came with it counts (§2.6.2).
    pub(super) fn forget(&mut self) {
        self.request = None;
        self.user_agent = None;
    }

    /// §2.3: whoever says in the stream's header who it is logs in as that, or not at all. A guest's name is
    /// the server's.
    pub(super) fn may_be(&self, account: Option<&BareJid>, mechanism: Mechanism) -> bool {
        let is_free = self.request.is_none() || mechanism == Mechanism::Anonymous;
        is_free || self.from.is_none() || self.from.as_ref() == account
    }

    /// XEP-0480: what an account has needs no task.
    pub(super) fn skip_upgrades(&mut self, account: &Account) {
        if let Some(request) = &mut self.request {
            request.upgrades.retain(|hash| account.lacks(*hash));
        }
    }

    /// The device of the log-in that goes on.
    pub(super) fn device(&self, account: &BareJid) -> Option<Device> {
        let user_agent = self.user_agent.as_ref()?.id.clone()?;
        Some(Device {
            account: account.clone(),
            user_agent,
        })
    }
}

impl fmt::Debug for Sasl2Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl2Login")
            .field("busy", &self.is_busy())
            .finish_non_exhaustive()
    }
}

/// Whether an element may be sent while a log-in goes on.
pub(in crate::server) fn is_part(stanza: &Stanza) -> bool {
    stanza.ns() == NS && PARTS.contains(&stanza.name())
}

/// §2.4: nothing but the elements of the log-in is sent while it goes on.
pub(in crate::server) fn work_whitespace(negotiation: &mut Negotiation) {
    if negotiation.sasl2.is_busy() {
        let text = "no white space may be sent while a log-in goes on";
        negotiation.close(StreamError::new(StreamCondition::PolicyViolation, text));
    }
}

/// The settings, where SASL2 is offered: inside TLS only (§3).
pub(super) fn settings(negotiation: &Negotiation) -> Option<&Sasl2> {
    let in_tls = matches!(negotiation.transport, Transport::Tls(_));
    negotiation.settings.sasl2.as_ref().filter(|_| in_tls)
}

/// Whether it is offered: with at least one mechanism (§2.1).
pub(super) fn is_offered(negotiation: &Negotiation) -> bool {
    settings(negotiation).is_some() && !rfc6120_sasl::offered(negotiation).is_empty()
}

fn element(negotiation: &mut Negotiation) -> Option<Element> {
    let settings = settings(negotiation).filter(|_| is_offered(negotiation))?;
    let offered = rfc6120_sasl::offered(negotiation);
    let mechanism =
        |mechanism: Mechanism| Element::new(NS, "mechanism").with_text(mechanism.name());
    let list = offered.into_iter().map(mechanism);
    let list = list.fold(Element::new(NS, "authentication"), Element::with_child);
    let inline = xep_0386_bind2::elements(settings);
    let inline = inline
        .into_iter()
        .chain(xep_0484_fast::element(negotiation));
    let list = list.with_child(inline.fold(Element::new(NS, "inline"), Element::with_child));
    let upgrades = xep_0480_upgrade::elements(settings);
    Some(upgrades.into_iter().fold(list, Element::with_child))
}

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) {
    if negotiation.settings.sasl2.is_none() {
        return stanzas::refuse(negotiation, stanza);
    }
    let stage = negotiation.stage();
    let is_again = negotiation.sasl2.is_busy() && stanza.name() == "authenticate";
    if stage >= Stage::Bind || is_again {
        // §2.4, §4.8: one log-in at a time, and none after one that succeeded.
        let text = "you are logged in, or about to be";
        let error = StreamError::new(StreamCondition::PolicyViolation, text);
        return negotiation.close(error);
    }
    // Whatever SASL had begun is over: it is failed, if this is not what it waits for.
    let is_mixed = negotiation.login.exchange.is_some() && !negotiation.sasl2.is_busy();
    negotiation.login.profile = Profile::Sasl2;
    if settings(negotiation).is_none() {
        return rfc6120_sasl::fail(negotiation, Failure::EncryptionRequired);
    }
    let element = stanza.element();
    match stanza.name() {
        "abort" => rfc6120_sasl::fail(negotiation, Failure::Aborted),
        _ if is_mixed => rfc6120_sasl::fail(negotiation, Failure::MalformedRequest),
        "authenticate" => authenticate(negotiation, &element),
        "response" => respond(negotiation, &element),
        _ => xep_0480_upgrade::handle(negotiation, &element),
    }
}

fn authenticate(negotiation: &mut Negotiation, element: &Element) {
    if xep_0509_pipelining::is_refused(negotiation, element) {
        return;
    }
    if let Err(failure) = begin(negotiation, element) {
        rfc6120_sasl::fail(negotiation, failure);
    }
}

fn begin(negotiation: &mut Negotiation, element: &Element) -> Result<(), Failure> {
    let settings = settings(negotiation).ok_or(Failure::EncryptionRequired)?;
    let (request, user_agent) = Request::read(element, settings)?;
    let is_by_token = request.fast.is_some();
    negotiation.sasl2.request = Some(Box::new(request));
    negotiation.sasl2.user_agent = user_agent;
    let name = element.attr("mechanism");
    let initial = element.child(NS, "initial-response").map(decoded);
    let initial = initial.transpose()?;
    let initial = initial.as_deref().map(Vec::as_slice);
    if let Some(mechanism) = name.and_then(Mechanism::from_name)
        && matches!(mechanism.family(), Family::Token(_))
    {
        return xep_0484_fast::begin(negotiation, mechanism, initial);
    }
    let mechanism = rfc6120_sasl::chosen(negotiation, name)?;
    // XEP-0484 §3.4: a token goes with the mechanisms that take one.
    if is_by_token {
        return Err(Failure::MalformedRequest);
    }
    if let Some(request) = &mut negotiation.sasl2.request
        && mechanism == Mechanism::Anonymous
    {
        // A guest has no password, and no device to come back with.
        request.upgrades.clear();
        request.token_for = None;
    }
    let step = rfc6120_sasl::start(negotiation, mechanism, initial)?;
    rfc6120_sasl::go_on(negotiation, Ok(step));
    Ok(())
}

/// §2.2: base64. Blanks around it stand in every example; `=` for an empty one does not.
fn decoded(element: &Element) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let text = Zeroizing::new(element.text());
    let data = base64::decode(text.trim_ascii()).map(Zeroizing::new);
    data.ok_or(Failure::IncorrectEncoding)
}

fn respond(negotiation: &mut Negotiation, element: &Element) {
    let step = match &mut negotiation.login.exchange {
        Some((_, exchange)) => decoded(element).and_then(|data| exchange.receive(&data)),
        None => Err(Failure::MalformedRequest),
    };
    rfc6120_sasl::go_on(negotiation, step);
}

/// The client has proved who it is.
pub(super) fn proven(negotiation: &mut Negotiation, mechanism: Mechanism, data: Option<&[u8]>) {
    negotiation.login.exchange = None;
    if let Some(request) = &mut negotiation.sasl2.request {
        request.proven_by = Some(mechanism);
        request.data = data.map(<[u8]>::to_vec);
    }
    advance(negotiation);
}

/// Takes the next step that the client asked for and that is not taken yet: tasks, which belong to the
/// log-in; a token; then resumption, and a resource unless that succeeds (XEP-0386 §3.2).
pub(super) fn advance(negotiation: &mut Negotiation) {
    let Some(request) = &mut negotiation.sasl2.request else {
        return;
    };
    if let Some(hash) = request.upgrades.pop_front() {
        return xep_0480_upgrade::ask(negotiation, hash);
    }
    if let Some(mechanism) = request.proven_by.take() {
        let Some(jid) = negotiation.login.enter() else {
            return;
        };
        let output = Output::Authenticated { jid, mechanism };
        negotiation.outputs.push_back(output);
    }
    let steps = [
        xep_0484_fast::ask,
        xep_0386_bind2::ask_resume,
        xep_0386_bind2::ask_bind,
    ];
    if !steps.into_iter().any(|step| step(negotiation)) {
        succeed(negotiation);
    }
}

/// What a log-in has come to, besides being one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    #[default]
    LoggedIn,
    Resumed,
    Bound,
}

fn succeed(negotiation: &mut Negotiation) {
    let Some(request) = negotiation.sasl2.request.take() else {
        return;
    };
    let mut success = Element::new(NS, "success");
    if let Some(data) = &request.data {
        success.push(data_element(data));
    }
    let jid = negotiation.bind.jid().cloned();
    let bare = negotiation.account().map(BareJid::as_str);
    let id = jid.as_ref().map(|jid| jid.as_str()).or(bare);
    success.push(Element::new(NS, "authorization-identifier").with_text(id.unwrap_or_default()));
    let success = request
        .results
        .into_iter()
        .fold(success, Element::with_child);
    negotiation.send(success.to_bytes(ns::CLIENT));
    match (request.end, jid) {
        // XEP-0198: the stream goes on as the former, without features.
        (End::Resumed, Some(jid)) => negotiation.outputs.push_back(Output::Resumed(jid)),
        (End::Bound, Some(jid)) => {
            offer(negotiation);
            negotiation.outputs.push_back(Output::Bound(jid));
        }
        _ => offer(negotiation),
    }
}

/// `<additional-data/>`: what the mechanism says last.
pub(super) fn data_element(data: &[u8]) -> Element {
    Element::new(NS, "additional-data").with_text(&base64::encode(data))
}

/// Reads a payload that may stand once.
pub(super) fn once<P: Payload>(parent: &Element) -> Result<Option<P>, Failure> {
    let found = request::single(parent, P::NS, P::NAME)?.map(P::read);
    found.transpose().map_err(|_| Failure::MalformedRequest)
}
