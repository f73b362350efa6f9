//! XEP-0334: Message Processing Hints: what its sender would like to become of a message. `keep.rs`
//! listens to those about storing, carbons to the one about copies.
//!
//! <https://xmpp.org/extensions/xep-0334.html>
//!
//! Conversation: xep_0160_offline.md

use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(334),
    title: "Message Processing Hints",
    version: "1.0.0",
    ..Feature::NONE
};
