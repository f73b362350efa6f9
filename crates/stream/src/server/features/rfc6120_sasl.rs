//! SASL: [RFC 6120 §6](https://www.rfc-editor.org/rfc/rfc6120#section-6).

use std::fmt;
use std::sync::Arc;

use waxwing_stanza::BareJid;
use waxwing_wire::{Element, Stanza, ns};
use zeroize::Zeroizing;

use super::{Feature, xep_0388_sasl2, xep_0440_channel_binding};
use crate::error::{StreamCondition, StreamError};
use crate::sasl::{
    Account, AnonymousServer, Failure, Family, Mechanism, Offer, PlainServer, ScramServer,
    ServerExchange, Step, Stretched, base64,
};
use crate::server::{Negotiation, Output, Question, Stage};
use crate::transport::Transport;

pub(super) static FEATURE: Feature = Feature {
    stage: Stage::Login,
    element,
    takes: |stanza| {
        stanza.ns() == ns::SASL && matches!(stanza.name(), "auth" | "response" | "abort")
    },
    handle,
};

/// Log-ins of one stream.
#[derive(Default)]
pub(in crate::server) struct Login {
    /// What was offered, for XEP-0474: the same names in both profiles.
    offer: Arc<Offer>,
    pub(super) profile: Profile,
    pub(super) exchange: Option<(Mechanism, Box<dyn ServerExchange>)>,
    /// Who tries to log in.
    pub(super) candidate: Option<BareJid>,
    account: Option<BareJid>,
    failures: u32,
}

/// In which words the log-in that goes on is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Profile {
    /// RFC 6120.
    #[default]
    Sasl,
    /// XEP-0388.
    Sasl2,
}

impl Login {
    pub(in crate::server) fn account(&self) -> Option<&BareJid> {
        self.account.as_ref()
    }

    /// Whoever tried to log in has.
    pub(super) fn enter(&mut self) -> Option<BareJid> {
        self.exchange = None;
        self.account = self.candidate.take();
        self.account.clone()
    }

    pub(in crate::server) fn offer(&self) -> Arc<Offer> {
        self.offer.clone()
    }

    pub(in crate::server) fn set_offer(&mut self, offer: Arc<Offer>) {
        self.offer = offer;
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field(
                "mechanism",
                &self.exchange.as_ref().map(|(mechanism, _)| mechanism),
            )
            .field("account", &self.account)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

fn element(negotiation: &mut Negotiation) -> Option<Element> {
    let offered = offered(negotiation);
    let kinds = xep_0440_channel_binding::kinds(negotiation);
    negotiation.login.offer = Arc::new(Offer {
        mechanisms: offered
            .iter()
            .map(|mechanism| mechanism.name().to_owned())
            .collect(),
        bindings: (!kinds.is_empty())
            .then(|| kinds.iter().map(|kind| kind.name().to_owned()).collect()),
    });
    let mechanism =
        |mechanism: Mechanism| Element::new(ns::SASL, "mechanism").with_text(mechanism.name());
    let list = Element::new(ns::SASL, "mechanisms");
    Some(
        offered
            .into_iter()
            .map(mechanism)
            .fold(list, Element::with_child),
    )
}

/// The mechanisms that this stream offers, strongest first.
pub(super) fn offered(negotiation: &Negotiation) -> Vec<Mechanism> {
    let bindings = !xep_0440_channel_binding::kinds(negotiation).is_empty();
    let plain = match &negotiation.transport {
        Transport::Open => false,
        Transport::Tls(_) => true,
        Transport::Loopback => negotiation.settings.plain_without_tls,
    };
    let is_possible = |mechanism: &Mechanism| match mechanism.family() {
        Family::Scram { plus, .. } => bindings || !plus,
        Family::Plain => plain,
        Family::Anonymous => negotiation.settings.guests.contains(&negotiation.domain),
        // Those are offered elsewhere (XEP-0484).
        Family::Token(_) => false,
    };
    let is_allowed = |mechanism: &Mechanism| negotiation.settings.mechanisms.contains(mechanism);
    Mechanism::ALL
        .into_iter()
        .filter(is_allowed)
        .chain([Mechanism::Anonymous])
        .filter(is_possible)
        .collect()
}

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) {
    match negotiation.stage() {
        Stage::Tls => return fail(negotiation, Failure::EncryptionRequired),
        Stage::Login => {}
        Stage::Bind | Stage::Bound => {
            let error = StreamError::new(
                StreamCondition::PolicyViolation,
                "you are logged in already",
            );
            return negotiation.close(error);
        }
    }
    negotiation.login.profile = Profile::Sasl;
    let text = Zeroizing::new(stanza.element().text());
    let step = match stanza.name() {
        "auth" => begin(negotiation, stanza, &text),
        "response" => match &mut negotiation.login.exchange {
            Some((_, exchange)) => base64::response(&text).and_then(|data| exchange.receive(&data)),
            None => Err(Failure::MalformedRequest),
        },
        _ => Err(Failure::Aborted),
    };
    go_on(negotiation, step);
}

fn begin(negotiation: &mut Negotiation, stanza: &Stanza, text: &str) -> Result<Step, Failure> {
    if negotiation.login.exchange.is_some() {
        return Err(Failure::MalformedRequest);
    }
    let element = stanza.element();
    let mechanism = chosen(negotiation, element.attr("mechanism"))?;
    let initial = base64::initial_response(text)?;
    start(
        negotiation,
        mechanism,
        initial.as_deref().map(Vec::as_slice),
    )
}

/// Begins an exchange, perhaps with the client's first message.
pub(super) fn start(
    negotiation: &mut Negotiation,
    mechanism: Mechanism,
    initial: Option<&[u8]>,
) -> Result<Step, Failure> {
    let exchange = exchange(mechanism, negotiation);
    let exchange = negotiation.login.exchange.insert((mechanism, exchange));
    match initial {
        Some(data) => exchange.1.receive(data),
        // A guest has nothing to say (XEP-0175 §4).
        None if mechanism == Mechanism::Anonymous => exchange.1.receive(&[]),
        // In all others the client speaks first: an empty challenge lets it (RFC 4422 §5).
        None => Ok(Step::Challenge(Vec::new())),
    }
}

/// The mechanism that the client names, if it may.
pub(super) fn chosen(negotiation: &Negotiation, name: Option<&str>) -> Result<Mechanism, Failure> {
    let name = name.ok_or(Failure::InvalidMechanism)?;
    let mechanism = Mechanism::from_name(name).ok_or(Failure::InvalidMechanism)?;
    if offered(negotiation).contains(&mechanism) {
        return Ok(mechanism);
    }
    match mechanism.family() {
        Family::Scram { .. } | Family::Plain
            if !negotiation.settings.mechanisms.contains(&mechanism) =>
        {
            Err(Failure::MechanismTooWeak)
        }
        Family::Plain => Err(Failure::EncryptionRequired),
        Family::Scram { .. } | Family::Anonymous | Family::Token(_) => {
            Err(Failure::InvalidMechanism)
        }
    }
}

fn exchange(mechanism: Mechanism, negotiation: &mut Negotiation) -> Box<dyn ServerExchange> {
    match mechanism.family() {
        Family::Scram { hash, plus } => {
            let bindings = match &negotiation.transport {
                Transport::Tls(binding) => binding.all(),
                Transport::Open | Transport::Loopback => Vec::new(),
            };
            let offer = negotiation.login.offer.clone();
            let nonce = negotiation.seed.token();
            let server = ScramServer::new(hash, plus, bindings, offer, nonce);
            let version = negotiation.transport.binding().and_then(|tls| tls.version);
            Box::new(server.in_tls(version))
        }
        Family::Plain => Box::new(PlainServer::default()),
        // No token is let through to here.
        Family::Anonymous | Family::Token(_) => {
            Box::new(AnonymousServer::new(negotiation.seed.uuid()))
        }
    }
}

pub(in crate::server) fn provide_credentials(negotiation: &mut Negotiation, account: Account) {
    negotiation.sasl2.skip_upgrades(&account);
    let login = &mut negotiation.login;
    let (Some((_, exchange)), Some(candidate)) = (&mut login.exchange, &login.candidate) else {
        return;
    };
    let step = exchange.account(
        candidate.as_str(),
        account,
        &negotiation.settings.fake_salts,
    );
    go_on(negotiation, step);
}

pub(in crate::server) fn handle_stretched(negotiation: &mut Negotiation, stretched: Stretched) {
    let Some((_, exchange)) = &mut negotiation.login.exchange else {
        return;
    };
    let step = exchange.stretched(stretched);
    go_on(negotiation, step);
}

pub(super) fn go_on(negotiation: &mut Negotiation, step: Result<Step, Failure>) {
    match step {
        Ok(Step::Challenge(data)) => send(negotiation, "challenge", &data),
        Ok(Step::Account { user, authzid }) => find_account(negotiation, &user, authzid.as_deref()),
        Ok(Step::Stretch(stretch)) => negotiation.ask(Question::Stretch, Output::Stretch(stretch)),
        Ok(Step::Success(data)) => succeed(negotiation, data.as_deref()),
        Err(failure) => fail(negotiation, failure),
    }
}

fn find_account(negotiation: &mut Negotiation, user: &str, authzid: Option<&str>) {
    let account = BareJid::from_parts(Some(user), &negotiation.domain).ok();
    let Some(mechanism) = negotiation
        .login
        .exchange
        .as_ref()
        .map(|(mechanism, _)| *mechanism)
    else {
        return;
    };
    // RFC 6120 §6.3.8: who acts for nobody else need not say so, but may.
    let is_own =
        |authzid: &str| BareJid::new(authzid).is_ok_and(|authzid| Some(authzid) == account);
    if !authzid.is_none_or(is_own) {
        return fail(negotiation, Failure::InvalidAuthzid);
    }
    if !negotiation.sasl2.may_be(account.as_ref(), mechanism) {
        return fail(negotiation, Failure::InvalidAuthzid);
    }
    negotiation.login.candidate.clone_from(&account);
    match account {
        Some(account) => negotiation.ask(
            Question::Credentials,
            Output::NeedCredentials { account, mechanism },
        ),
        // A name that no account can have: as any other that none has.
        None => {
            let Some((_, exchange)) = &mut negotiation.login.exchange else {
                return;
            };
            let step = exchange.account(user, Account::Missing, &negotiation.settings.fake_salts);
            go_on(negotiation, step);
        }
    }
}

fn succeed(negotiation: &mut Negotiation, data: Option<&[u8]>) {
    let login = &mut negotiation.login;
    let Some(mechanism) = login.exchange.as_ref().map(|(mechanism, _)| *mechanism) else {
        return;
    };
    if login.profile == Profile::Sasl2 {
        return xep_0388_sasl2::proven(negotiation, mechanism, data);
    }
    let Some(jid) = login.enter() else {
        return;
    };
    send(negotiation, "success", data.unwrap_or_default());
    negotiation.opened = false;
    negotiation
        .outputs
        .push_back(Output::Authenticated { jid, mechanism });
    negotiation.outputs.push_back(Output::RestartReader);
}

pub(super) fn fail(negotiation: &mut Negotiation, reason: Failure) {
    let login = &mut negotiation.login;
    login.exchange = None;
    login.failures += 1;
    let over = login.failures >= negotiation.settings.login_failures_max;
    let account = login.candidate.take();
    let condition = Element::new(ns::SASL, reason.name());
    let failure = element_of(login.profile, "failure").with_child(condition);
    negotiation.sasl2.forget();
    negotiation.send(failure.to_bytes(ns::CLIENT));
    negotiation
        .outputs
        .push_back(Output::LoginFailed { account, reason });
    if over {
        let text = "too many log-ins have failed";
        negotiation.close(StreamError::new(StreamCondition::PolicyViolation, text));
    }
}

fn send(negotiation: &mut Negotiation, name: &'static str, data: &[u8]) {
    let element = element_of(negotiation.login.profile, name).with_text(&base64::encode(data));
    negotiation.send(element.to_bytes(ns::CLIENT));
}

fn element_of(profile: Profile, name: &'static str) -> Element {
    match profile {
        Profile::Sasl => Element::new(ns::SASL, name),
        Profile::Sasl2 => Element::new(xep_0388_sasl2::NS, name),
    }
}
