//! [XEP-0485: PubSub Server Information](https://xmpp.org/extensions/xep-0485.html)
//!
//! Conversation: `xep_0485_server_info.md`

use super::xep_0092_version::Version;
use crate::payload::payload;

/// Namespace of what a server says of itself, and the name of the feature: an operator's consent.
pub const NS: &str = "urn:xmpp:serverinfo:0";

/// The node where it stands.
pub const NODE: &str = "serverinfo";

payload! {
    /// What a server says of itself.
    pub struct ServerInfo(NS, "serverinfo") {
        /// The domains that it serves.
        domains: Vec<Domain> = child(),
        /// What it runs.
        version: Option<Version> = child(),
    }
}

payload! {
    /// A domain.
    pub struct Domain(NS, "domain") {
        /// Its name.
        name: String = attr("name"),
        /// With whom it federates, as far as they agree to be named.
        federation: Option<Federation> = child(),
    }
}

payload! {
    /// Other domains.
    pub struct Federation(NS, "federation") {
        /// Each of them.
        domains: Vec<RemoteDomain> = child(),
    }
}

payload! {
    /// Another domain.
    pub struct RemoteDomain(NS, "remote-domain") {
        /// Its name, if it agrees.
        name: Option<String> = attr("name"),
        /// Each connection to it.
        connections: Vec<Connection> = child(),
    }
}

payload! {
    /// A connection.
    pub struct Connection(NS, "connection") {
        /// `incoming`, `outgoing` or `bidi`.
        kind: Option<String> = attr("type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// The examples of the data format.
    #[test]
    fn examples() {
        let minimal = written::<ServerInfo>(
            "<serverinfo xmlns='urn:xmpp:serverinfo:0'><domain name='shakespeare.lit'/></serverinfo>",
        );
        assert_eq!(minimal.domains[0].name, "shakespeare.lit");
        let whole = written::<ServerInfo>(
            "<serverinfo xmlns='urn:xmpp:serverinfo:0'><domain name='shakespeare.lit'><federation>\
             <remote-domain name='denmark.lit'><connection type='incoming'/><connection type='outgoing'/>\
             </remote-domain><remote-domain><connection type='bidi'/></remote-domain></federation></domain>\
             <query xmlns='jabber:iq:version'><name>Openfire</name><version>4.8.0</version>\
             </query></serverinfo>",
        );
        let federation = whole.domains[0].federation.as_ref().unwrap();
        assert_eq!(federation.domains[0].name.as_deref(), Some("denmark.lit"));
        assert_eq!(federation.domains[1].name, None);
        assert_eq!(
            federation.domains[1].connections[0].kind.as_deref(),
            Some("bidi")
        );
        assert_eq!(whole.version.unwrap().name.as_deref(), Some("Openfire"));
    }
}
