//! STARTTLS: [RFC 6120 §5](https://www.rfc-editor.org/rfc/rfc6120#section-5).

use waxwing_wire::{Element, Stanza, ns};

use super::Feature;
use crate::server::{Negotiation, Output, Phase, Stage};

pub(super) static FEATURE: Feature = Feature {
    stage: Stage::Tls,
    element: |_| {
        let required = Element::new(ns::TLS, "required");
        Some(Element::new(ns::TLS, "starttls").with_child(required))
    },
    takes: |stanza| stanza.ns() == ns::TLS,
    handle,
};

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) {
    if stanza.name() != "starttls" || negotiation.stage() != Stage::Tls {
        // RFC 6120 §5.4.2.2: what cannot be done ends the stream.
        let failure = Element::new(ns::TLS, "failure");
        negotiation.send(failure.to_bytes(ns::CLIENT));
        return negotiation.finish();
    }
    negotiation.send(Element::new(ns::TLS, "proceed").to_bytes(ns::CLIENT));
    negotiation.phase = Phase::Handshake;
    negotiation.outputs.push_back(Output::StartTls);
}
