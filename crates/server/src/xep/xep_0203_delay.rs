//! XEP-0203: Delayed Delivery: when a message that waited was received. `undelivered.rs` adds it.
//!
//! <https://xmpp.org/extensions/xep-0203.html>
//!
//! Conversation: xep_0160_offline.md

use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(203),
    title: "Delayed Delivery",
    version: "2.0",
    ..Feature::NONE
};
