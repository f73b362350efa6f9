//! XEP-0484: Fast Authentication Streamlining Tokens, version 0.2.0: log-ins by token, and new tokens.
//! <https://xmpp.org/extensions/xep-0484.html>
//!
//! Nothing of TLS's early data is ever taken, so that a log-in without `count` cannot be played again; one
//! with a count has to be higher than those before.

use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0484_fast::{Offer, Token};
use waxwing_stanza::{BareJid, Payload, payload};
use waxwing_wire::Element;

use super::{rfc6120_sasl, xep_0388_sasl2};
use crate::sasl::{
    Attempt, BindingKind, Device, Failure, Family, Initiator, KnownTokens, Mechanism,
    TOKEN_NONCE_BYTES, TokenPolicy, TokenRecord, Tokens, Used,
};
use crate::server::{Negotiation, Output, Question, Sasl2};

/// The mechanisms for which a token is good in this stream.
fn offered(negotiation: &Negotiation) -> Vec<Mechanism> {
    let settings = xep_0388_sasl2::settings(negotiation);
    let Some(policy) = settings.and_then(|settings| settings.tokens.as_ref()) else {
        return Vec::new();
    };
    let is_possible = |mechanism: &Mechanism| match mechanism.family() {
        Family::Token(kind) => binding(negotiation, kind).is_some(),
        _ => false,
    };
    let allowed = Mechanism::TOKENS.into_iter();
    let allowed = allowed.filter(|mechanism| policy.mechanisms.contains(mechanism));
    allowed.filter(is_possible).collect()
}

/// The bytes that a token is bound by: none for none, nothing where TLS gives no such binding.
fn binding(negotiation: &Negotiation, kind: Option<BindingKind>) -> Option<&[u8]> {
    match kind {
        None => Some(&[]),
        Some(kind) => negotiation.transport.binding()?.data(kind),
    }
}

/// What stands in `<inline/>` (§3.1).
pub(super) fn element(negotiation: &Negotiation) -> Option<Element> {
    let offered = offered(negotiation);
    let names = offered.iter().map(|mechanism| mechanism.name().to_owned());
    let offer = Offer {
        tls_0rtt: false,
        mechanisms: names.collect(),
    };
    (!offered.is_empty()).then(|| offer.write())
}

/// A log-in by token begins (§3.4).
pub(super) fn begin(
    negotiation: &mut Negotiation,
    mechanism: Mechanism,
    message: Option<&[u8]>,
) -> Result<(), Failure> {
    if !offered(negotiation).contains(&mechanism) {
        return Err(Failure::InvalidMechanism);
    }
    let initiator = Initiator::parse(message.ok_or(Failure::MalformedRequest)?)?;
    let account = BareJid::from_parts(Some(&initiator.user), &negotiation.domain);
    let account = account.map_err(|_| Failure::NotAuthorized)?;
    if !negotiation.sasl2.may_be(Some(&account), mechanism) {
        return Err(Failure::InvalidAuthzid);
    }
    // §4.1: both have to be there.
    let device = negotiation.sasl2.device(&account);
    let device = device.ok_or(Failure::MalformedRequest)?;
    let request = negotiation.sasl2.request.as_mut();
    let request = request.filter(|request| request.fast.is_some());
    let request = request.ok_or(Failure::MalformedRequest)?;
    request.initiator = Some((mechanism, initiator));
    // There is no password here to upgrade by.
    request.upgrades.clear();
    negotiation.login.candidate = Some(account);
    let output = Output::NeedTokens { device, mechanism };
    negotiation.ask(Question::Tokens, output);
    Ok(())
}

/// Asks for the tokens of who has logged in otherwise and wants one, if it can be given (§3.2).
pub(super) fn ask(negotiation: &mut Negotiation) -> bool {
    let request = negotiation.sasl2.request.as_ref();
    let wanted = request.and_then(|request| request.token_for);
    let Some(mechanism) = wanted.filter(|mechanism| offered(negotiation).contains(mechanism))
    else {
        return false;
    };
    let account = negotiation.account().cloned();
    let Some(device) = account.and_then(|account| negotiation.sasl2.device(&account)) else {
        return false;
    };
    let output = Output::NeedTokens { device, mechanism };
    negotiation.ask(Question::Tokens, output);
    true
}

pub(in crate::server) fn provide_tokens(
    negotiation: &mut Negotiation,
    known: KnownTokens,
    now_secs: u64,
) {
    let Some(request) = &mut negotiation.sasl2.request else {
        return;
    };
    match request.initiator.take() {
        Some((mechanism, initiator)) => {
            let judged = judge(negotiation, mechanism, &initiator, known, now_secs);
            if let Err(failure) = judged {
                rfc6120_sasl::fail(negotiation, failure);
            }
        }
        None => give(negotiation, known, now_secs),
    }
}

/// Judges a log-in by token, and has stored what it changes before anybody learns that it succeeded.
fn judge(
    negotiation: &mut Negotiation,
    mechanism: Mechanism,
    initiator: &Initiator,
    known: KnownTokens,
    now_secs: u64,
) -> Result<(), Failure> {
    let (before, verdict) = known.verdict()?;
    let account = negotiation.login.candidate.clone();
    let device = account.and_then(|account| negotiation.sasl2.device(&account));
    let device = device.ok_or(Failure::MalformedRequest)?;
    let Family::Token(kind) = mechanism.family() else {
        return Err(Failure::InvalidMechanism);
    };
    let bound_by = binding(negotiation, kind).ok_or(Failure::InvalidMechanism)?;
    let request = negotiation.sasl2.request.as_ref();
    let fast = request.and_then(|request| request.fast.as_ref());
    let attempt = Attempt {
        mechanism,
        hashed: &initiator.hashed,
        binding: bound_by,
        count: fast.and_then(|fast| fast.count),
        now_secs,
    };
    let settings = xep_0388_sasl2::settings(negotiation).ok_or(Failure::InvalidMechanism)?;
    let used = before.used(&settings.key, &device, &attempt)?;
    verdict?;
    let is_last = fast.is_some_and(|fast| fast.invalidate);
    let wish = request.and_then(|request| request.token_for);
    let wanted = wanted(settings, wish, &used, mechanism, is_last, now_secs);
    let wanted = wanted.filter(|mechanism| offered(negotiation).contains(mechanism));
    // §3.6: who logs out leaves nothing that could be found.
    let mut after = match is_last {
        true => Tokens::default(),
        false => used.after,
    };
    let token = wanted.and_then(|mechanism| issue(negotiation, &device, mechanism, now_secs));
    let (record, element) = token.unzip();
    after.newest = record.or(after.newest);
    if let Some(request) = &mut negotiation.sasl2.request {
        request.token_for = None;
        request.token = element;
        request.proven_by = Some(mechanism);
        request.data = Some(used.responder.bytes().to_vec());
    }
    store(negotiation, device, before, after);
    Ok(())
}

/// What a new token is given for: what the client asks for; or the same as before, if its token ends soon
/// and is not to end now (§3.5, §3.6).
fn wanted(
    settings: &Sasl2,
    wish: Option<Mechanism>,
    used: &Used,
    mechanism: Mechanism,
    is_last: bool,
    now_secs: u64,
) -> Option<Mechanism> {
    let rotate_secs = settings.tokens.as_ref()?.rotate_secs;
    let ends_soon = used.expires_secs <= now_secs.saturating_add(rotate_secs);
    wish.or_else(|| (ends_soon && !is_last).then_some(mechanism))
}

/// Gives a token to who has logged in otherwise.
fn give(negotiation: &mut Negotiation, known: KnownTokens, now_secs: u64) {
    let request = negotiation.sasl2.request.as_mut();
    let mechanism = request.and_then(|request| request.token_for.take());
    let account = negotiation.account().cloned();
    let device = account.and_then(|account| negotiation.sasl2.device(&account));
    let tokens = known.verdict().ok().filter(|(_, verdict)| verdict.is_ok());
    if let (Some(mechanism), Some(device), Some((before, _))) = (mechanism, device, tokens)
        && let Some((record, element)) = issue(negotiation, &device, mechanism, now_secs)
    {
        if let Some(request) = &mut negotiation.sasl2.request {
            request.token = Some(element);
        }
        let after = Tokens {
            current: before.current.clone(),
            newest: Some(record),
        };
        return store(negotiation, device, before, after);
    }
    // XEP-0484 has no words for a token that cannot be given.
    xep_0388_sasl2::advance(negotiation);
}

/// A new token: what is stored of it, and how the client is told (§3.3).
fn issue(
    negotiation: &mut Negotiation,
    device: &Device,
    mechanism: Mechanism,
    now_secs: u64,
) -> Option<(TokenRecord, Element)> {
    let mut nonce = [0; TOKEN_NONCE_BYTES];
    negotiation.seed.fill(&mut nonce);
    let settings = xep_0388_sasl2::settings(negotiation)?;
    let TokenPolicy { token_secs, .. } = settings.tokens.as_ref()?;
    let record = TokenRecord {
        mechanism,
        nonce,
        expires_secs: now_secs.saturating_add(*token_secs),
        count: 0,
    };
    let token = settings.key.token(device, &record);
    let expires_micros = record.expires_secs.saturating_mul(1_000_000);
    let token = Token {
        expiry: DateTime::from_unix_micros(expires_micros),
        token: payload::Secret(token.to_string()),
    };
    Some((record, token.write()))
}

fn store(negotiation: &mut Negotiation, device: Device, before: Tokens, after: Tokens) {
    if before == after {
        return stored(negotiation);
    }
    let output = Output::StoreTokens {
        device,
        before,
        after,
    };
    negotiation.ask(Question::Store, output);
}

pub(in crate::server) fn tokens_stored(negotiation: &mut Negotiation, is_stored: bool) {
    if is_stored {
        return stored(negotiation);
    }
    let Some(request) = &mut negotiation.sasl2.request else {
        return;
    };
    request.token = None;
    let is_log_in = request.proven_by.is_some();
    if is_log_in {
        return rfc6120_sasl::fail(negotiation, Failure::TemporaryAuthFailure);
    }
    xep_0388_sasl2::advance(negotiation);
}

fn stored(negotiation: &mut Negotiation) {
    if let Some(request) = &mut negotiation.sasl2.request {
        request.results.extend(request.token.take());
    }
    xep_0388_sasl2::advance(negotiation);
}
