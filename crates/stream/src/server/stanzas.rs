//! Where a top-level element goes.

use waxwing_stanza::{BareJid, Condition, StanzaError};
use waxwing_wire::{Stanza, ns};

use super::settings::is_request;
use super::{Negotiation, Output, Stage, features};
use crate::error::{StreamCondition, StreamError};

/// To the server's own features first, then to ours, else it is refused.
pub(super) fn work(negotiation: &mut Negotiation, stanza: Stanza) {
    if stanza.ns() == ns::STREAMS && stanza.name() == "error" {
        // The client tells us why it goes.
        return negotiation.finish();
    }
    if negotiation.sasl2.is_busy() && !features::is_part(&stanza) {
        // XEP-0388 §2.4: nothing else until the log-in is over.
        let text = "a log-in goes on";
        return negotiation.close(StreamError::new(StreamCondition::PolicyViolation, text));
    }
    let stage = negotiation.stage();
    if stage == Stage::Bind && !is_from_account(negotiation, &stanza) {
        let text = "'from' is not who logged in";
        return negotiation.close(StreamError::new(StreamCondition::InvalidFrom, text));
    }
    let extra = negotiation
        .settings
        .features
        .iter()
        .filter(|feature| feature.is_at(stage, &negotiation.domain))
        .any(|feature| feature.takes(&stanza));
    if stage == Stage::Bound || extra {
        return negotiation.outputs.push_back(Output::Element(stanza));
    }
    match features::that_takes(&stanza) {
        Some(feature) => (feature.handle)(negotiation, &stanza),
        None => refuse(negotiation, &stanza),
    }
}

/// Whether the sender is who logged in, as far as it says: a nameless session has no other address
/// (RFC 6120 §8.1.2.1).
fn is_from_account(negotiation: &Negotiation, stanza: &Stanza) -> bool {
    let is_account = |from: BareJid| Some(&from) == negotiation.account();
    let from = stanza.from().filter(|_| stanza.ns() == ns::CLIENT);
    from.is_none_or(|from| BareJid::new(&from).is_ok_and(is_account))
}

/// Answers what nobody takes at this stage.
pub(super) fn refuse(negotiation: &mut Negotiation, stanza: &Stanza) {
    let error = |condition, text| StreamError::new(condition, text);
    match (stanza.ns(), stanza.name()) {
        (ns::CLIENT, "iq" | "message" | "presence") => {}
        (ns::SERVER, "iq" | "message" | "presence") => {
            let text = "stanzas of clients are in jabber:client";
            return negotiation.close(error(StreamCondition::InvalidNamespace, text));
        }
        _ => {
            let text = "this element is not known here";
            return negotiation.close(error(StreamCondition::UnsupportedStanzaType, text));
        }
    }
    if stanza.name() == "iq" && (stanza.id().is_none() || stanza.kind().is_none()) {
        let text = "an IQ needs the attributes 'id' and 'type'";
        return negotiation.close(error(StreamCondition::InvalidXml, text));
    }
    // RFC 6120 §7.1: without a resource, an account may talk to its server alone.
    if negotiation.stage() < Stage::Bind || !negotiation.is_for_us(stanza.to().as_deref()) {
        let text = "log in and bind a resource first";
        return negotiation.close(error(StreamCondition::NotAuthorized, text));
    }
    if is_request(stanza) {
        reply_error(negotiation, stanza, &Condition::UnexpectedRequest.into());
    }
}

/// Answers an IQ with an error, as the server to the nameless session.
pub(super) fn reply_error(negotiation: &mut Negotiation, stanza: &Stanza, error: &StanzaError) {
    if let Some(bytes) = waxwing_stanza::error_reply(stanza, error) {
        negotiation.send(bytes);
    }
}
