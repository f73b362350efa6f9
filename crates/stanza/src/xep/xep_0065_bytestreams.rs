//! [XEP-0065: SOCKS5 Bytestreams](https://xmpp.org/extensions/xep-0065.html)

use crate::jid::Jid;
use crate::payload::payload;

/// Namespace of byte streams, and the name of the feature.
pub const NS: &str = "http://jabber.org/protocol/bytestreams";

payload! {
    /// A question for a relay's address (§4), that address, or the order to relay ("Activation of Bytestream"). What goes from
    /// one client to another is theirs.
    pub struct Query(NS, "query") {
        /// What the two clients call their stream.
        sid: Option<String> = attr("sid"),
        /// Where the relay is.
        hosts: Vec<StreamHost> = child(),
        /// The address of the other client, whose stream and the asker's are to be one.
        activate: Option<String> = text_child("activate"),
    }
}

payload! {
    /// Where a relay is (§4).
    pub struct StreamHost(NS, "streamhost") {
        /// Its name in DNS, or its address.
        host: String = attr("host"),
        /// By whom it is asked for things.
        jid: Jid = attr("jid"),
        /// The port for SOCKS5.
        port: u16 = attr("port"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// "Proxy Informs Requester of Network Address", "Requester Requests Activation of Bytestream".
    #[test]
    fn an_address_and_an_order() {
        let told = written::<Query>(
            "<query xmlns='http://jabber.org/protocol/bytestreams'>\
             <streamhost host='24.24.24.1' jid='streamer.example.com' port='7625'/></query>",
        );
        assert_eq!(told.hosts[0].port, 7625);
        let order = "<query xmlns='http://jabber.org/protocol/bytestreams' sid='vxf9n471bn46'>\
                     <activate>target@example.org/bar</activate></query>";
        let order = read::<Query>(order).unwrap();
        assert_eq!(order.sid.as_deref(), Some("vxf9n471bn46"));
        assert_eq!(order.activate.as_deref(), Some("target@example.org/bar"));
        assert!(read::<StreamHost>("<streamhost xmlns='http://jabber.org/protocol/bytestreams' host='a' jid='b' port='65536'/>").is_err());
    }
}
