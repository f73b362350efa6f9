//! STARTTLS: [RFC 6120 §5](https://www.rfc-editor.org/rfc/rfc6120#section-5).

use waxwing_wire::{Element, ns};

use super::Step;
use crate::client::{NegotiationError, Output, Phase};
use crate::error::{StreamCondition, StreamError};
use crate::transport::Transport;

pub(super) static STEP: Step = Step {
    name: "starttls",
    wanted: |negotiation, features| match negotiation.transport {
        Transport::Open => true,
        Transport::Tls(_) => false,
        // The server insists where we were told that it would not.
        Transport::Loopback => {
            let offer = features.child(ns::TLS, "starttls");
            offer.is_some_and(|offer| offer.child(ns::TLS, "required").is_some())
        }
    },
    begin: |negotiation, features| match negotiation.transport {
        Transport::Open if features.child(ns::TLS, "starttls").is_some() => {
            negotiation.send(Element::new(ns::TLS, "starttls").to_bytes(ns::CLIENT));
        }
        Transport::Open => negotiation.finish(Some(NegotiationError::TlsMissing)),
        _ => {
            let text = "this connection does without TLS";
            let error = StreamError::new(StreamCondition::UnsupportedFeature, text);
            let words = negotiation.framing.error(&error);
            negotiation.end(words, Some(NegotiationError::TlsInsisted));
        }
    },
    takes: |_, stanza| stanza.ns() == ns::TLS && matches!(stanza.name(), "proceed" | "failure"),
    handle: |negotiation, stanza| match stanza.name() {
        "proceed" => {
            negotiation.step = None;
            negotiation.features = None;
            negotiation.phase = Phase::Handshake;
            negotiation.outputs.push_back(Output::StartTls);
        }
        _ => negotiation.finish(Some(NegotiationError::TlsRefused)),
    },
};
