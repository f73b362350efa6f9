//! XEP-0440: SASL Channel-Binding Type Capability: which bindings of log-in and TLS there are. Offered by
//! stream negotiation where TLS gives one.
//!
//! <https://xmpp.org/extensions/xep-0440.html>
//!
//! Conversation: rfc6120_sasl.md

use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(440),
    title: "SASL Channel-Binding Type Capability",
    version: "1.0.0",
    ..Feature::NONE
};
