//! XEP-0388: Extensible SASL Profile: the log-in, and with it all that the server offers to do at once.
//! <https://xmpp.org/extensions/xep-0388.html>

mod outcome;
mod request;

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0388_sasl2::NS;
use waxwing_stanza::xep::xep_0480_upgrade::{Hash as Hashed, Salt, Upgrade};
use waxwing_stanza::xep::xep_0484_fast::{Fast, Offer as Tokens, RequestToken};
use waxwing_stanza::xep::xep_0509_pipelining::ConfigVersion;
use waxwing_wire::{Element, Stanza, ns};
use zeroize::Zeroizing;

use super::Step;
use super::rfc6120_sasl::{self, Profile};
use crate::client::{KnownOffer, Negotiation, NegotiationError, Output, Phase};
use crate::error::{StreamCondition, StreamError};
use crate::sasl::{
    ClientExchange, ClientStep, Failure, Family, Hash, HashedTokenClient, Mechanism, SaslError,
    Stretch, Stretched, base64,
};
use crate::transport::Transport;

pub(super) static STEP: Step = Step {
    name: "sasl2",
    wanted: |negotiation, features| {
        let in_tls = matches!(negotiation.transport, Transport::Tls(_));
        let wanted = negotiation.settings.sasl2.is_some() && !negotiation.login.done;
        wanted && in_tls && features.child(NS, "authentication").is_some()
    },
    begin: |negotiation, features| {
        if let Err(error) = begin(negotiation, features) {
            negotiation.finish(Some(error));
        }
    },
    takes: |_, stanza| {
        stanza.ns() == NS
            && matches!(
                stanza.name(),
                "challenge" | "success" | "failure" | "continue" | "task-data"
            )
    },
    handle: |negotiation, stanza| {
        if let Err(error) = handle(negotiation, stanza) {
            abort(negotiation, error);
        }
    },
};

/// What was sent with the log-in that goes on.
#[derive(Debug, Default)]
pub(in crate::client) struct Sent {
    by_token: bool,
    /// Whether the features were not waited for.
    ahead: bool,
    pub(super) resume: bool,
    pub(super) enable: bool,
    /// What a token was asked for, or the log-in is by.
    pub(super) token_for: Option<Mechanism>,
    /// Whether the server has proved itself already, before its tasks.
    proven: bool,
    upgrades: Vec<Hash>,
    /// The task that goes on.
    task: Option<Hash>,
}

impl Sent {
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead
    }
}

/// Logs in behind the header if a token and the server's offer are known (XEP-0509 §2.2).
pub(in crate::client) fn log_in_ahead(negotiation: &mut Negotiation) {
    let Some(settings) = negotiation.settings.sasl2.clone() else {
        return;
    };
    let in_tls = matches!(negotiation.transport, Transport::Tls(_));
    let is_first = !negotiation.login.done && !negotiation.settings.register;
    let Some(known) = settings.known_offer.filter(|_| in_tls && is_first) else {
        return;
    };
    let Some((mechanism, exchange)) = by_token(negotiation, &known.authentication) else {
        return;
    };
    let sent = Sent {
        by_token: true,
        ahead: true,
        token_for: Some(mechanism),
        ..Sent::default()
    };
    negotiation.step = Some(&STEP);
    send(
        negotiation,
        &known.authentication,
        Some(known.version),
        mechanism,
        exchange,
        sent,
    );
}

/// Tells the owner what is offered, if that is news.
pub(in crate::client) fn note_offer(negotiation: &mut Negotiation, features: &Element) {
    let Some(settings) = negotiation.settings.sasl2.as_ref() else {
        return;
    };
    let version = features.child(ConfigVersion::NS, ConfigVersion::NAME);
    let version = version.and_then(|version| version.attr("value"));
    let authentication = features.child(NS, "authentication");
    if let (Some(version), Some(authentication)) = (version, authentication) {
        let offer = KnownOffer {
            version: version.to_owned(),
            authentication: authentication.clone(),
        };
        if settings.known_offer.as_ref() != Some(&offer) {
            negotiation.outputs.push_back(Output::Offer(offer));
        }
    }
}

fn begin(negotiation: &mut Negotiation, features: &Element) -> Result<(), NegotiationError> {
    let Some(authentication) = features.child(NS, "authentication") else {
        return Err(NegotiationError::NoMechanism);
    };
    if let Some((mechanism, exchange)) = by_token(negotiation, authentication) {
        let sent = Sent {
            by_token: true,
            token_for: Some(mechanism),
            ..Sent::default()
        };
        send(negotiation, authentication, None, mechanism, exchange, sent);
        return Ok(());
    }
    let offer = rfc6120_sasl::offer(features, Some(authentication));
    let (mechanism, exchange) = rfc6120_sasl::exchange(negotiation, offer, Profile::Sasl2)?;
    let sent = Sent {
        upgrades: upgrades(negotiation, authentication, mechanism),
        token_for: token_wish(negotiation, authentication),
        ..Sent::default()
    };
    send(negotiation, authentication, None, mechanism, exchange, sent);
    Ok(())
}

/// The log-in by the token that we have, where it is offered and was not refused.
fn by_token(
    negotiation: &Negotiation,
    authentication: &Element,
) -> Option<(Mechanism, Box<dyn ClientExchange>)> {
    let settings = negotiation.settings.sasl2.as_ref()?;
    let token = settings.token.as_ref();
    let token = token.filter(|_| !negotiation.login.token_refused)?;
    settings.user_agent.id.as_ref()?;
    let data = possible(negotiation, authentication, token.mechanism)?;
    let user = negotiation.settings.account.node()?.to_owned();
    let exchange = HashedTokenClient::new(user, token.token.0.clone(), data);
    Some((token.mechanism, Box::new(exchange)))
}

/// The data that a token's mechanism binds to, if it is offered and our TLS gives it.
fn possible(
    negotiation: &Negotiation,
    authentication: &Element,
    mechanism: Mechanism,
) -> Option<Vec<u8>> {
    let inline = authentication.child(NS, "inline")?;
    let offer = Tokens::find(inline).ok().flatten()?;
    let is_offered = offer.mechanisms.iter().any(|name| name == mechanism.name());
    match mechanism.family() {
        Family::Token(None) if is_offered => Some(Vec::new()),
        Family::Token(Some(kind)) if is_offered => negotiation
            .transport
            .binding()?
            .data(kind)
            .map(<[u8]>::to_vec),
        _ => None,
    }
}

/// What a token is asked for: the strongest that is possible (XEP-0484 §6).
fn token_wish(negotiation: &Negotiation, authentication: &Element) -> Option<Mechanism> {
    let settings = negotiation.settings.sasl2.as_ref()?;
    settings
        .user_agent
        .id
        .as_ref()
        .filter(|_| settings.request_token)?;
    let is_possible =
        |mechanism: &Mechanism| possible(negotiation, authentication, *mechanism).is_some();
    Mechanism::TOKENS.into_iter().find(is_possible)
}

/// Tasks that we ask for. What is sent then is as good as the password: not where somebody could be between
/// (XEP-0480 §5).
fn upgrades(
    negotiation: &Negotiation,
    authentication: &Element,
    mechanism: Mechanism,
) -> Vec<Hash> {
    let settings = negotiation.settings.sasl2.as_ref();
    if !settings.is_some_and(|own| own.upgrades) || !mechanism.binds_channel() {
        return Vec::new();
    }
    let offered = authentication.children().filter(|child| Upgrade::is(child));
    let names: Vec<String> = offered.map(Element::text).collect();
    let is_offered = |hash: &Hash| {
        names
            .iter()
            .any(|name| name.trim_ascii() == hash.upgrade_task())
    };
    Hash::ALL.into_iter().filter(is_offered).collect()
}

fn send(
    negotiation: &mut Negotiation,
    authentication: &Element,
    version: Option<String>,
    mechanism: Mechanism,
    mut exchange: Box<dyn ClientExchange>,
    mut sent: Sent,
) {
    let initial = base64::encode(&Zeroizing::new(exchange.start()));
    let mut element = Element::new(NS, "authenticate")
        .with_attr("mechanism", mechanism.name())
        .with_child(Element::new(NS, "initial-response").with_text(&initial));
    let Some(settings) = &negotiation.settings.sasl2 else {
        return;
    };
    element.push(settings.user_agent.write());
    for hash in &sent.upgrades {
        let task = hash.upgrade_task().to_owned();
        element.push(Upgrade { task }.write());
    }
    request::inline(
        &mut element,
        &negotiation.settings,
        authentication,
        &mut sent,
    );
    match settings.token.as_ref().filter(|_| sent.by_token) {
        Some(token) => element.push(
            Fast {
                count: Some(token.count),
                invalidate: token.invalidate,
            }
            .write(),
        ),
        None => {
            if let Some(mechanism) = sent.token_for {
                let mechanism = mechanism.name().to_owned();
                element.push(RequestToken { mechanism }.write());
            }
        }
    }
    if let Some(value) = version {
        let scheme = Some("opaque".to_owned());
        element.push(ConfigVersion { scheme, value }.write());
    }
    negotiation.login.exchange = Some(exchange);
    negotiation.login.sasl2 = Some(Box::new(sent));
    negotiation.send(element.to_bytes(ns::CLIENT));
}

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) -> Result<(), NegotiationError> {
    let element = stanza.element();
    match stanza.name() {
        "challenge" => challenge(negotiation, &element),
        "continue" => go_on(negotiation, &element),
        "task-data" => task_data(negotiation, &element),
        "success" => {
            prove(negotiation, &element)?;
            outcome::succeed(negotiation, &element)
        }
        _ => {
            fail(negotiation, &element);
            Ok(())
        }
    }
}

fn decoded(text: &str) -> Result<Zeroizing<Vec<u8>>, SaslError> {
    let data = base64::decode(text.trim_ascii()).map(Zeroizing::new);
    data.ok_or(SaslError::Malformed)
}

fn challenge(negotiation: &mut Negotiation, element: &Element) -> Result<(), NegotiationError> {
    let data = decoded(&element.text())?;
    let exchange = negotiation.login.exchange.as_mut();
    match exchange.ok_or(SaslError::Malformed)?.challenge(&data)? {
        ClientStep::Response(data) => respond(negotiation, &data),
        ClientStep::Stretch(stretch) => negotiation.outputs.push_back(Output::Stretch(stretch)),
    }
    Ok(())
}

/// The server's proof: in what comes first of `<continue/>` and `<success/>`.
fn prove(negotiation: &mut Negotiation, element: &Element) -> Result<(), NegotiationError> {
    let login = &mut negotiation.login;
    let (Some(exchange), Some(sent)) = (&mut login.exchange, &mut login.sasl2) else {
        return Err(SaslError::Malformed.into());
    };
    if !std::mem::replace(&mut sent.proven, true) {
        let data = element.child(NS, "additional-data").map(Element::text);
        let data = data.as_deref().map(decoded).transpose()?;
        exchange.success(data.as_deref().map(Vec::as_slice))?;
    }
    Ok(())
}

/// `<continue/>`: only what we asked for is done.
fn go_on(negotiation: &mut Negotiation, element: &Element) -> Result<(), NegotiationError> {
    prove(negotiation, element)?;
    let tasks = element
        .child(NS, "tasks")
        .into_iter()
        .flat_map(Element::children);
    let names: Vec<String> = tasks.map(Element::text).collect();
    let Some(sent) = &mut negotiation.login.sasl2 else {
        return Err(SaslError::Malformed.into());
    };
    let is_named = |hash: &Hash| {
        names
            .iter()
            .any(|name| name.trim_ascii() == hash.upgrade_task())
    };
    let Some(at) = sent.upgrades.iter().position(is_named) else {
        let text = "a task of log-in is not known here";
        let error = StreamError::new(StreamCondition::UnsupportedFeature, text);
        return Err(NegotiationError::Protocol(error));
    };
    let hash = sent.upgrades.remove(at);
    sent.task = Some(hash);
    let next = Element::new(NS, "next").with_attr("task", hash.upgrade_task());
    negotiation.send(next.to_bytes(ns::CLIENT));
    Ok(())
}

/// The salt for keys of another hash (XEP-0480 §3).
fn task_data(negotiation: &mut Negotiation, element: &Element) -> Result<(), NegotiationError> {
    let sent = negotiation.login.sasl2.as_ref();
    let hash = sent
        .and_then(|sent| sent.task)
        .ok_or(SaslError::Malformed)?;
    let salt = Salt::find(element)
        .ok()
        .flatten()
        .ok_or(SaslError::Malformed)?;
    let (iterations, limits) = (salt.iterations, &negotiation.settings.iterations);
    if iterations < *limits.start() {
        return Err(SaslError::IterationsTooFew(iterations).into());
    }
    if iterations > *limits.end() {
        return Err(SaslError::IterationsTooMany(iterations).into());
    }
    let salt = decoded(&salt.salt)?;
    if salt.is_empty() || salt.len() > crate::sasl::SALT_BYTES_MAX {
        return Err(SaslError::Malformed.into());
    }
    negotiation.outputs.push_back(Output::Stretch(Stretch {
        hash,
        password: negotiation.settings.password.clone(),
        salt: salt.to_vec(),
        iterations,
    }));
    Ok(())
}

pub(super) fn handle_stretched(negotiation: &mut Negotiation, stretched: Stretched) {
    let sent = negotiation.login.sasl2.as_mut();
    if sent.and_then(|sent| sent.task.take()).is_some() {
        let Stretched(salted) = stretched;
        let hash = Hashed {
            hash: waxwing_stanza::payload::Secret(base64::encode(salted.bytes())),
        };
        let data = Element::new(NS, "task-data").with_child(hash.write());
        return negotiation.send(data.to_bytes(ns::CLIENT));
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
    let response = Element::new(NS, "response").with_text(&base64::encode(data));
    negotiation.send(response.to_bytes(ns::CLIENT));
}

/// The log-in failed: what was sent ahead is tried again by what is known now, after a token comes the
/// password, and that is the end.
fn fail(negotiation: &mut Negotiation, element: &Element) {
    let Some(sent) = negotiation.login.sasl2.take() else {
        return;
    };
    negotiation.login.exchange = None;
    let error = rfc6120_sasl::refusal(element);
    let is_outdated = element
        .children()
        .any(|child| child.ns() == ConfigVersion::NS);
    if !sent.by_token || negotiation.features.is_none() {
        return negotiation.finish(Some(error));
    }
    if !(sent.ahead && is_outdated) {
        negotiation.login.token_refused = true;
        let reason = match error {
            NegotiationError::LoginRefused { reason, .. } => reason,
            _ => Failure::NotAuthorized,
        };
        negotiation.outputs.push_back(Output::TokenRefused(reason));
    }
    negotiation.advance();
}

/// Tells the server that the log-in is given up, and goes.
fn abort(negotiation: &mut Negotiation, error: NegotiationError) {
    if negotiation.phase == Phase::Open && !negotiation.login.done {
        negotiation.send(Element::new(NS, "abort").to_bytes(ns::CLIENT));
    }
    match error {
        NegotiationError::Protocol(error) => negotiation.complain(error),
        error => negotiation.finish(Some(error)),
    }
}

#[cfg(test)]
impl Negotiation {
    /// As if that task had been asked for, and begun.
    pub(in crate::client) fn begin_task(&mut self, hash: Hash) {
        if let Some(sent) = &mut self.login.sasl2 {
            sent.task = Some(hash);
        }
    }
}
