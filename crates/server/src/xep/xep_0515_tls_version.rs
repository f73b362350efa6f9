//! XEP-0515: TLS Channel-Binding Downgrade Protection: who ends TLS between client and server, in another version on one
//! side, is found out. Part of SCRAM in stream negotiation.
//!
//! <https://xmpp.org/extensions/xep-0515.html>
//!
//! Conversation: rfc6120_sasl.md

use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(515),
    title: "TLS Channel-Binding Downgrade Protection",
    version: "0.1.0",
    ..Feature::NONE
};
