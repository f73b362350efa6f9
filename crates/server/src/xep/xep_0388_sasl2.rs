//! XEP-0388: Extensible SASL Profile: log-in, and all that follows it, in one answer. It is negotiated by
//! `waxwing_stream::server`; what it asks for is looked up in `devices.rs`.
//!
//! <https://xmpp.org/extensions/xep-0388.html>

use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(388),
    title: "Extensible SASL Profile",
    version: "1.0.4",
    ..Feature::NONE
};
