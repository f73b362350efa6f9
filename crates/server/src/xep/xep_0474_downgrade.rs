//! XEP-0474: SASL SCRAM Downgrade Protection: who takes a mechanism out of the offer on its way is found
//! out. Part of SCRAM in stream negotiation.
//!
//! <https://xmpp.org/extensions/xep-0474.html>
//!
//! Conversation: rfc6120_sasl.md

use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(474),
    title: "SASL SCRAM Downgrade Protection",
    version: "0.5.0",
    ..Feature::NONE
};
