//! XEP-0480: SASL Upgrade Tasks: an account that has keys of one hash only gets those of a stronger one at a log-in.
//!
//! <https://xmpp.org/extensions/xep-0480.html>
//!
//! Conversation: xep_0388_sasl2.md

use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(480),
    title: "SASL Upgrade Tasks",
    version: "0.2.0",
    ..Feature::NONE
};
