//! XEP-0509: Initial Authentication Pipelining: a client that knows what is offered does not wait to be told.
//!
//! <https://xmpp.org/extensions/xep-0509.html>
//!
//! Conversation: xep_0388_sasl2.md

use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(509),
    title: "Initial Authentication Pipelining",
    version: "0.2.0",
    ..Feature::NONE
};
