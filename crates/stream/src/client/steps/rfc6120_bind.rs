//! Resource binding: [RFC 6120 §7](https://www.rfc-editor.org/rfc/rfc6120#section-7).

use waxwing_stanza::xep::rfc6120_bind::Bind;
use waxwing_stanza::{Condition, Payload, StanzaError};
use waxwing_wire::{Element, Stanza, ns};

use super::Step;
use crate::client::{Negotiation, NegotiationError};
use crate::error::{StreamCondition, StreamError};

const ID: &str = "bind";

pub(super) static STEP: Step = Step {
    name: "bind",
    wanted: |negotiation, _| negotiation.session.jid.is_none() && !negotiation.session.resumed,
    begin,
    takes: |_, stanza| is_answer(stanza, ID),
    handle,
};

/// Whether this is the answer to the request of that id.
pub(super) fn is_answer(stanza: &Stanza, id: &str) -> bool {
    stanza.ns() == ns::CLIENT
        && stanza.name() == "iq"
        && stanza.id().as_deref() == Some(id)
        && matches!(stanza.kind().as_deref(), Some("result" | "error"))
}

/// A request of stream negotiation to the server.
pub(super) fn request(id: &'static str, payload: Element) -> Element {
    Element::new(ns::CLIENT, "iq")
        .with_attr("type", "set")
        .with_attr("id", id)
        .with_child(payload)
}

fn begin(negotiation: &mut Negotiation, features: &Element) {
    if features.child(Bind::NS, Bind::NAME).is_none() {
        let text = "resource binding is not offered";
        return negotiation.complain(StreamError::new(StreamCondition::UnsupportedFeature, text));
    }
    let bind = Bind {
        resource: negotiation.settings.resource.clone(),
        jid: None,
    };
    negotiation.send(request(ID, bind.write()).to_bytes(ns::CLIENT));
}

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) {
    if stanza.kind().as_deref() == Some("error") {
        let error = StanzaError::find_in(stanza).unwrap_or(Condition::UndefinedCondition.into());
        return negotiation.finish(Some(NegotiationError::BindRefused(error.into())));
    }
    let jid = Bind::find_in(stanza)
        .ok()
        .flatten()
        .and_then(|bind| bind.jid);
    // Whatever resource we asked for, the server decides; the account is the one that logged in.
    match jid.filter(|jid| jid.bare() == negotiation.settings.account) {
        Some(jid) => {
            negotiation.session.jid = Some(jid);
            negotiation.advance();
        }
        None => {
            let text = "the bound address is missing or not of this account";
            negotiation.complain(StreamError::new(StreamCondition::InvalidXml, text));
        }
    }
}
