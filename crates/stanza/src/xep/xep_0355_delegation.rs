//! [XEP-0355: Namespace Delegation](https://xmpp.org/extensions/xep-0355.html)

use super::xep_0297_forward::Forwarded;
use crate::payload::payload;

/// Namespace of delegation, and the name of the feature.
pub const NS: &str = "urn:xmpp:delegation:2";

/// Between [`NS`] and a namespace: the node of disco#info that says what of the server the managing entity has (§7.2.1).
pub const OF_SERVER: &str = "::";
/// Between [`NS`] and a namespace: the same of the server's accounts (§7.2.2).
pub const OF_ACCOUNTS: &str = ":bare:";

/// Stands for what disco#info asks about nodes of accounts that the server does not know (§7.2.4).
pub const ANY_INFO: &str = "urn:xmpp:delegation:2:bare:disco#info:*";
/// Stands for what disco#items asks of accounts, and of nodes that the server does not know (§7.2.5).
pub const ANY_ITEMS: &str = "urn:xmpp:delegation:2:bare:disco#items:*";

payload! {
    /// Which namespaces an entity manages (§4.2), or a stanza that it is to handle, or its answer (§4.3).
    pub struct Delegation(NS, "delegation") {
        /// The namespaces.
        delegated: Vec<Delegated> = child(),
        /// What was forwarded.
        forwarded: Option<Forwarded> = child(),
    }
}

payload! {
    /// A namespace that an entity manages (§4.2).
    pub struct Delegated(NS, "delegated") {
        /// The namespace.
        namespace: String = attr("namespace"),
        /// Attributes that the payload must have.
        attributes: Vec<Attribute> = child(),
    }
}

payload! {
    /// An attribute that the payload must have (§4.2).
    pub struct Attribute(NS, "attribute") {
        /// Its name.
        name: String = attr("name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// §4.2 and §4.3.
    #[test]
    fn examples() {
        let said = written::<Delegation>(
            "<delegation xmlns='urn:xmpp:delegation:2'>\
             <delegated namespace='urn:xmpp:mam:2'><attribute name='node'/></delegated>\
             <delegated namespace='http://jabber.org/protocol/pubsub'/></delegation>",
        );
        assert_eq!(said.delegated[0].attributes[0].name, "node");
        assert!(said.delegated[1].attributes.is_empty());
        let answer = written::<Delegation>(
            "<delegation xmlns='urn:xmpp:delegation:2'><forwarded xmlns='urn:xmpp:forward:0'>\
             <iq xmlns='jabber:client' to='juliet@capulet.lit/balcony' id='pep1' type='result'>\
             <pubsub xmlns='http://jabber.org/protocol/pubsub'/></iq></forwarded></delegation>",
        );
        let stanza = answer.forwarded.unwrap().stanza.unwrap();
        assert_eq!(stanza.attr("id"), Some("pep1"));
        let wrong = "<delegation xmlns='urn:xmpp:delegation:2'><delegated/></delegation>";
        assert!(read::<Delegation>(wrong).is_err());
    }
}
