//! Making the account in the stream that logs in to it: [XEP-0077 §3.1](https://xmpp.org/extensions/xep-0077.html#usecases-register).

use waxwing_stanza::payload::Secret;
use waxwing_stanza::xep::xep_0077_registration::{Registration, StreamFeature};
use waxwing_stanza::{Condition, Payload, StanzaError};
use waxwing_wire::{Element, Stanza, ns};

use super::Step;
use super::rfc6120_bind::{is_answer, request};
use crate::client::{Negotiation, NegotiationError};

const ID: &str = "register";

pub(super) static STEP: Step = Step {
    name: "register",
    // Servers that do not announce it may have it (§8).
    wanted: |negotiation, features| {
        let offered = matches!(StreamFeature::find(features), Ok(Some(_)));
        let before_login = features.child(ns::SASL, "mechanisms").is_some();
        let settings = &negotiation.settings;
        settings.register && !negotiation.session.register_tried && (offered || before_login)
    },
    begin,
    takes: |_, stanza| is_answer(stanza, ID),
    handle,
};

fn begin(negotiation: &mut Negotiation, _: &Element) {
    negotiation.session.register_tried = true;
    let name = negotiation.settings.account.node().map(str::to_owned);
    let registration = Registration {
        username: name,
        password: Some(Secret(negotiation.settings.password.text().to_owned())),
        ..Registration::default()
    };
    negotiation.send(request(ID, registration.write()).to_bytes(ns::CLIENT));
}

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) {
    if stanza.kind().as_deref() == Some("error") {
        let error = StanzaError::find_in(stanza).unwrap_or(Condition::UndefinedCondition.into());
        // That the account is there is what was wanted; whether it is ours shows at the log-in.
        if error.condition != Condition::Conflict {
            let refused = NegotiationError::RegistrationRefused(error.into());
            return negotiation.finish(Some(refused));
        }
    }
    negotiation.advance();
}
