//! Namespaces that the stream itself needs. Those of a feature stand with its payload types.

use crate::name::Name;

/// Stanzas between a client and its server, RFC 6120 §4.8.3.
pub const CLIENT: &str = "jabber:client";
/// Stanzas between servers, RFC 6120 §4.8.3.
pub const SERVER: &str = "jabber:server";
/// Stanzas between a server and an external component that connects to it, XEP-0114.
pub const COMPONENT: &str = "jabber:component:accept";
/// The stream's header, features and errors, RFC 6120 §4.8.1.
pub const STREAMS: &str = "http://etherx.jabber.org/streams";
/// Stream error conditions, RFC 6120 §4.9.2.
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Stanza error conditions, RFC 6120 §8.3.2.
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// STARTTLS negotiation, RFC 6120 §5.
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL negotiation, RFC 6120 §6.
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Resource binding, RFC 6120 §7.
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// WebSocket framing, RFC 7395 §3.3.
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
/// The `<body/>` that carries a stream in HTTP, XEP-0124.
pub const HTTP_BIND: &str = "http://jabber.org/protocol/httpbind";
/// What XEP-0206 adds to that `<body/>`.
pub const XBOSH: &str = "urn:xmpp:xbosh";
/// Server dialback, XEP-0220; bound to `db` by the header of server streams.
pub const DIALBACK: &str = "jabber:server:dialback";
/// What the prefix `xml` always means, Namespaces in XML 1.0 §3.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// What the prefix `xmlns` always means, Namespaces in XML 1.0 §3.
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// A namespace that was read; these here cost no memory.
pub(crate) fn name(ns: &str) -> Name {
    match [
        CLIENT,
        SERVER,
        COMPONENT,
        STREAMS,
        STREAM_ERRORS,
        STANZA_ERRORS,
        TLS,
        SASL,
        BIND,
        FRAMING,
        DIALBACK,
        XML,
    ]
    .into_iter()
    .find(|known| *known == ns)
    {
        Some(known) => Name::fixed(known),
        None => Name::copied(ns),
    }
}
