//! XEP-0114: Jabber Component Protocol.
//!
//! <https://xmpp.org/extensions/xep-0114.html>
//!
//! The method "accept", which all components speak: `component.rs` and what is below it.

use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Source};

/// How long something waits for a component that is not connected.
pub const WAIT_HOURS: OptionSpec = OptionSpec {
    name: "component_wait_hours_max",
    default: OptionDefault::Number {
        value: 120,
        min: 1,
        max: 8_760,
    },
    unit: "hours",
    doc: "How long messages and subscriptions wait for an external component that is not connected; then they go back to their senders with <remote-server-timeout/>.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(114),
    title: "Jabber Component Protocol",
    version: "1.6",
    options: &[WAIT_HOURS],
    ..Feature::NONE
};
