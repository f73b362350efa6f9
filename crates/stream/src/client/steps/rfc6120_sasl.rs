//! SASL: [RFC 6120 §6](https://www.rfc-editor.org/rfc/rfc6120#section-6), with the choice of
//! mechanism by XEP-0440 and XEP-0474.

use std::fmt;

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0440_channel_binding::{ChannelBinding, SaslChannelBinding};
use waxwing_wire::{Element, Stanza, ns};
use zeroize::Zeroizing;

use super::{Step, xep_0388_sasl2};
use crate::client::{Negotiation, NegotiationError, Output, Settings, Unlisted};
use crate::sasl::{
    BindingFlag, BindingKind, ClientExchange, ClientStep, Failure, Family, Mechanism, Offer,
    PlainClient, SaslError, ScramClient, ScramLogin, Stretched, TlsBinding, base64,
};
use crate::transport::Transport;

pub(super) static STEP: Step = Step {
    name: "sasl",
    wanted: |negotiation, _| !negotiation.login.done,
    begin: |negotiation, features| {
        if let Err(error) = begin(negotiation, features) {
            negotiation.finish(Some(error));
        }
    },
    takes: |_, stanza| {
        stanza.ns() == ns::SASL && matches!(stanza.name(), "challenge" | "success" | "failure")
    },
    handle: |negotiation, stanza| {
        if let Err(error) = handle(negotiation, stanza) {
            abort(negotiation, error);
        }
    },
};

/// The log-in of one stream.
#[derive(Default)]
pub(in crate::client) struct Login {
    pub(super) exchange: Option<Box<dyn ClientExchange>>,
    /// The log-in that goes on, where it is by SASL2.
    pub(super) sasl2: Option<Box<xep_0388_sasl2::Sent>>,
    /// Whether the token was refused, so that it is the password's turn.
    pub(super) token_refused: bool,
    pub(super) done: bool,
}

impl Login {
    /// Whether the log-in was sent ahead, and its answer comes behind the features.
    pub(in crate::client) fn is_ahead(&self) -> bool {
        self.sasl2.as_ref().is_some_and(|sent| sent.is_ahead())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

fn begin(negotiation: &mut Negotiation, features: &Element) -> Result<(), NegotiationError> {
    let list = features.child(ns::SASL, "mechanisms");
    let offer = offer(features, list);
    let (mechanism, mut exchange) = exchange(negotiation, offer, Profile::Sasl)?;
    let auth = Element::new(ns::SASL, "auth")
        .with_attr("mechanism", mechanism.name())
        .with_text(&base64::encode(&Zeroizing::new(exchange.start())));
    negotiation.login.exchange = Some(exchange);
    negotiation.send(auth.to_bytes(ns::CLIENT));
    Ok(())
}

/// Which rules hold where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// RFC 6120.
    Sasl,
    /// XEP-0388.
    Sasl2,
}

/// The log-in by password that an offer makes possible.
pub(super) fn exchange(
    negotiation: &mut Negotiation,
    offer: Offer,
    profile: Profile,
) -> Result<(Mechanism, Box<dyn ClientExchange>), NegotiationError> {
    let settings = &negotiation.settings;
    let user = settings
        .account
        .node()
        .ok_or(NegotiationError::NoName)?
        .to_owned();
    let choice = choose(&offer, settings, &negotiation.transport, profile)?;
    let password = settings.password.clone();
    let exchange: Box<dyn ClientExchange> = match choice.mechanism.family() {
        Family::Plain => Box::new(PlainClient::new(user, password)),
        Family::Anonymous | Family::Token(_) => return Err(NegotiationError::NoMechanism),
        Family::Scram { hash, .. } => Box::new(ScramClient::new(ScramLogin {
            hash,
            flag: choice.flag,
            binding: choice.data,
            user,
            password,
            nonce: negotiation.seed.token(),
            offer,
            offer_hash_required: choice.offer_hash_required,
            tls_version: negotiation.transport.binding().and_then(|tls| tls.version),
            iterations: settings.iterations.clone(),
        })),
    };
    Ok((choice.mechanism, exchange))
}

/// What the server offers, by the list of mechanisms of one profile (XEP-0474 §3.1).
pub(super) fn offer(features: &Element, list: Option<&Element>) -> Offer {
    let mechanisms = list.into_iter().flat_map(|list| {
        let own = list
            .children()
            .filter(|child| child.is(list.ns(), "mechanism"));
        own.map(Element::text)
    });
    let bindings = features.child(SaslChannelBinding::NS, SaslChannelBinding::NAME);
    Offer {
        mechanisms: mechanisms.collect(),
        bindings: bindings.map(|list| {
            let kinds = list.children().filter(|child| ChannelBinding::is(child));
            kinds
                .filter_map(|child| child.attr("type"))
                .map(str::to_owned)
                .collect()
        }),
    }
}

/// How to log in.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    mechanism: Mechanism,
    flag: BindingFlag<'static>,
    data: Vec<u8>,
    /// Whether the offer is only to be believed if its hash proves it.
    offer_hash_required: bool,
}

/// The strongest mechanism that both sides have, bound to the channel where that is possible.
fn choose(
    offer: &Offer,
    settings: &Settings,
    transport: &Transport,
    profile: Profile,
) -> Result<Choice, NegotiationError> {
    let allowed = &settings.mechanisms;
    let is_offered =
        |mechanism: &Mechanism| offer.mechanisms.iter().any(|name| name == mechanism.name());
    let offers_plus = offer.mechanisms.iter().any(|name| name.ends_with("-PLUS"));
    // XEP-0440, rule 5: somebody has taken the mechanisms out.
    if offer.bindings.is_some() && !offers_plus {
        return Err(SaslError::Downgraded.into());
    }
    // Rule 4: the kinds were taken out. With SASL the caller says what that means.
    if offer.bindings.is_none() && offers_plus && profile == Profile::Sasl2 {
        return Err(SaslError::Downgraded.into());
    }
    let can_bind = allowed.iter().any(|mechanism| mechanism.binds_channel());
    let binding = transport.binding().filter(|_| can_bind);
    let is_unbound = offer.bindings.is_none() && settings.unlisted == Unlisted::Unbound;
    let kind = binding
        .and_then(|binding| common_kind(offer, binding))
        .filter(|_| offers_plus && !is_unbound);
    let is_possible = |mechanism: &Mechanism| match mechanism.family() {
        Family::Scram { plus, .. } => kind.is_some() || !plus,
        Family::Plain => matches!(transport, Transport::Tls(_)),
        // An account is not a guest, and a password no token.
        Family::Anonymous | Family::Token(_) => false,
    };
    let mechanism = Mechanism::ALL
        .into_iter()
        .find(|mechanism| {
            allowed.contains(mechanism) && is_offered(mechanism) && is_possible(mechanism)
        })
        .ok_or(NegotiationError::NoMechanism)?;
    let bound = kind.filter(|_| mechanism.binds_channel());
    let has_any = binding.is_some_and(|binding| binding.kinds().next().is_some());
    let flag = match bound {
        Some(kind) => BindingFlag::of(kind),
        None if has_any && !offers_plus => BindingFlag::NotOffered,
        None => BindingFlag::Unsupported,
    };
    Ok(Choice {
        mechanism,
        flag,
        data: bound
            .zip(binding)
            .and_then(|(kind, binding)| binding.data(kind))
            .unwrap_or_default()
            .to_vec(),
        offer_hash_required: has_any
            && offers_plus
            && kind.is_none()
            && !is_unbound
            && !lists_end_point(offer),
    })
}

/// The strongest kind that both sides have. A server that does not say which it has (no XEP-0440)
/// has the one that every server must have, if any.
fn common_kind(offer: &Offer, binding: &TlsBinding) -> Option<BindingKind> {
    binding.kinds().find(|kind| match &offer.bindings {
        Some(listed) => listed.iter().any(|name| name == kind.name()),
        None => *kind == BindingKind::TlsServerEndPoint,
    })
}

/// XEP-0440, rule 6, as XEP-0474 changes it: a list without the kind that every server must have is
/// suspicious.
fn lists_end_point(offer: &Offer) -> bool {
    let name = BindingKind::TlsServerEndPoint.name();
    offer
        .bindings
        .as_ref()
        .is_some_and(|listed| listed.iter().any(|listed| listed == name))
}

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) -> Result<(), NegotiationError> {
    let element = stanza.element();
    let Some(exchange) = &mut negotiation.login.exchange else {
        return Err(SaslError::Malformed.into());
    };
    match stanza.name() {
        "challenge" => {
            let data = base64::response(&element.text()).map_err(|_| SaslError::Malformed)?;
            match exchange.challenge(&data)? {
                ClientStep::Response(data) => respond(negotiation, &data),
                ClientStep::Stretch(stretch) => {
                    negotiation.outputs.push_back(Output::Stretch(stretch));
                }
            }
        }
        "success" => {
            let data =
                base64::initial_response(&element.text()).map_err(|_| SaslError::Malformed)?;
            exchange.success(data.as_ref().map(|data| data.as_slice()))?;
            negotiation.login = Login {
                done: true,
                ..Login::default()
            };
            negotiation.outputs.push_back(Output::Authenticated);
            negotiation.restart();
        }
        _ => {
            let error = refusal(&element);
            negotiation.finish(Some(error));
        }
    }
    Ok(())
}

/// Why the server refused a log-in.
pub(super) fn refusal(failure: &Element) -> NegotiationError {
    let mut children = failure.children();
    let reason = children.find_map(|child| Failure::from_name(child.name()));
    NegotiationError::LoginRefused {
        reason: reason.unwrap_or(Failure::NotAuthorized),
        text: failure.child(failure.ns(), "text").map(Element::text),
    }
}

pub(in crate::client) fn handle_stretched(negotiation: &mut Negotiation, stretched: Stretched) {
    if negotiation.login.sasl2.is_some() {
        return xep_0388_sasl2::handle_stretched(negotiation, stretched);
    }
    let Some(exchange) = &mut negotiation.login.exchange else {
        return;
    };
    match exchange.stretched(stretched) {
        Ok(data) => respond(negotiation, &data),
        Err(error) => abort(negotiation, error.into()),
    }
}

fn respond(negotiation: &mut Negotiation, data: &[u8]) {
    let response = Element::new(ns::SASL, "response").with_text(&base64::encode(data));
    negotiation.send(response.to_bytes(ns::CLIENT));
}

/// Tells the server that the log-in is given up, and goes.
fn abort(negotiation: &mut Negotiation, error: NegotiationError) {
    negotiation.send(Element::new(ns::SASL, "abort").to_bytes(ns::CLIENT));
    negotiation.finish(Some(error));
}
