//! What the ways to the server implement. They are built of `stream` and the daemon and register nothing; tables and
//! the DOAP file have them from here.

use crate::registry::{Feature, Source};

/// Specifications of transports.
pub const TRANSPORTS: &[&Feature] = &[
    &Feature {
        source: Source::Rfc(7395, "WebSocket"),
        title: "XMPP Subprotocol for WebSocket",
        ..Feature::NONE
    },
    &Feature {
        source: Source::Xep(124),
        title: "Bidirectional-streams Over Synchronous HTTP (BOSH)",
        version: "1.11.2",
        ..Feature::NONE
    },
    &Feature {
        source: Source::Xep(156),
        title: "Discovering Alternative XMPP Connection Methods",
        version: "1.4.0",
        ..Feature::NONE
    },
    &Feature {
        source: Source::Xep(206),
        title: "XMPP Over BOSH",
        version: "1.4",
        ..Feature::NONE
    },
];
