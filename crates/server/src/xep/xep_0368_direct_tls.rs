//! XEP-0368: SRV records for XMPP over TLS: streams with TLS from the first byte, in which STARTTLS is
//! not offered. The sockets and ALPN are the daemon's; [`Security::Tls`](crate::Security) says so here.
//!
//! <https://xmpp.org/extensions/xep-0368.html>
//!
//! Conversation: rfc6120_streams.md

use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(368),
    title: "SRV records for XMPP over TLS",
    version: "1.1.0",
    ..Feature::NONE
};
