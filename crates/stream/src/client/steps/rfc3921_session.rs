//! The session request of old servers:
//! [RFC 3921 §3](https://www.rfc-editor.org/rfc/rfc3921#section-3).

use waxwing_wire::{Element, ns};

use super::Step;
use super::rfc6120_bind::{is_answer, request};

pub(super) const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
const ID: &str = "session";

pub(super) static STEP: Step = Step {
    name: "session",
    wanted: |negotiation, features| {
        let offer = features.child(SESSION, "session");
        let needed = offer.is_some_and(|offer| offer.child(SESSION, "optional").is_none());
        needed && negotiation.session.jid.is_some() && !negotiation.session.session_done
    },
    begin: |negotiation, _| {
        negotiation.send(request(ID, Element::new(SESSION, "session")).to_bytes(ns::CLIENT));
    },
    takes: |_, stanza| is_answer(stanza, ID),
    // An error changes nothing: the resource is bound, and RFC 6121 knows no sessions.
    handle: |negotiation, _| {
        negotiation.session.session_done = true;
        negotiation.advance();
    },
};
