//! XEP-0466: Ephemeral Messages, as far as a server can see to it that they disappear (`archive/timers.rs`).
//!
//! <https://xmpp.org/extensions/xep-0466.html>

use crate::archive::TIMERS;
use crate::registry::{Feature, Source, Status};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(466),
    title: "Ephemeral Messages",
    version: "0.1.0",
    status: Status::Partial("in archives, from when they came on"),
    shapes: || vec![TIMERS.shape()],
    ..Feature::NONE
};
