//! [XEP-0030: Service Discovery](https://xmpp.org/extensions/xep-0030.html), with the forms of
//! [XEP-0128: Service Discovery Extensions](https://xmpp.org/extensions/xep-0128.html)

use super::xep_0004_forms::DataForm;
use super::xep_0059_rsm::ResultSet;
use crate::Jid;
use crate::payload::payload;

/// Namespace of what an entity is and can, and the name of the feature.
pub const NS_INFO: &str = "http://jabber.org/protocol/disco#info";

/// Namespace of what belongs to an entity, and the name of the feature.
pub const NS_ITEMS: &str = "http://jabber.org/protocol/disco#items";

payload! {
    /// What an entity is and can (§3). A question has none but perhaps a node.
    pub struct DiscoInfo(NS_INFO, "query") {
        /// The part of the entity that is meant.
        node: Option<String> = attr("node"),
        /// What it is; at least one in a result.
        identities: Vec<Identity> = child(),
        /// What it can; at least [`NS_INFO`] in a result.
        features: Vec<Feature> = child(),
        /// More about it (XEP-0128).
        forms: Vec<DataForm> = child(),
    }
}

payload! {
    /// What an entity is, by the registry at <https://xmpp.org/registrar/disco-categories.html> (§3.1).
    pub struct Identity(NS_INFO, "identity") {
        /// Like `server`, `client`, `conference`.
        category: String = attr("category"),
        /// Like `im`, `pc`, `text`.
        kind: String = attr("type"),
        /// Language of the name.
        lang: Option<String> = attr("xml:lang"),
        /// What people call it.
        name: Option<String> = attr("name"),
    }
}

payload! {
    /// What an entity can (§3.1).
    pub struct Feature(NS_INFO, "feature") {
        /// The feature's name, mostly a namespace.
        var: String = attr("var"),
    }
}

payload! {
    /// What belongs to an entity (§4). A question has none but perhaps a node.
    pub struct DiscoItems(NS_ITEMS, "query") {
        /// The part of the entity that is meant.
        node: Option<String> = attr("node"),
        /// What belongs to it.
        items: Vec<Item> = child(),
        /// Which page (XEP-0059).
        set: Option<ResultSet> = child(),
    }
}

payload! {
    /// Something that belongs to an entity (§4.1).
    pub struct Item(NS_ITEMS, "item") {
        /// Its address.
        jid: Jid = attr("jid"),
        /// The part of that address that is meant.
        node: Option<String> = attr("node"),
        /// What people call it.
        name: Option<String> = attr("name"),
    }
}

impl DiscoInfo {
    /// A question.
    pub fn question(node: Option<&str>) -> DiscoInfo {
        let node = node.map(str::to_owned);
        DiscoInfo {
            node,
            identities: Vec::new(),
            features: Vec::new(),
            forms: Vec::new(),
        }
    }

    /// Whether it can this.
    pub fn has_feature(&self, var: &str) -> bool {
        self.features.iter().any(|feature| feature.var == var)
    }

    /// Whether it is this.
    pub fn has_identity(&self, category: &str, kind: &str) -> bool {
        self.identities
            .iter()
            .any(|it| it.category == category && it.kind == kind)
    }
}

impl Identity {
    /// An identity without language.
    pub fn new(category: &str, kind: &str, name: Option<&str>) -> Identity {
        Identity {
            category: category.to_owned(),
            kind: kind.to_owned(),
            lang: None,
            name: name.map(str::to_owned),
        }
    }
}

impl Feature {
    /// A feature.
    pub fn new(var: &str) -> Feature {
        Feature {
            var: var.to_owned(),
        }
    }
}

impl DiscoItems {
    /// A question.
    pub fn question(node: Option<&str>) -> DiscoItems {
        DiscoItems {
            set: None,
            node: node.map(str::to_owned),
            items: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::PayloadError;
    use crate::payload::testing::{read, written};

    /// Examples 1 and 2, shortened.
    #[test]
    fn info() {
        let question =
            written::<DiscoInfo>("<query xmlns='http://jabber.org/protocol/disco#info'/>");
        assert_eq!(question, DiscoInfo::question(None));
        let answer = written::<DiscoInfo>(
            "<query xmlns='http://jabber.org/protocol/disco#info'>\
             <identity category='conference' type='text' name='Play-Specific Chatrooms'/>\
             <identity category='directory' type='chatroom' xml:lang='en' name='Play'/>\
             <feature var='http://jabber.org/protocol/disco#info'/>\
             <feature var='jabber:iq:register'/></query>",
        );
        let name = Some("Play-Specific Chatrooms");
        assert_eq!(
            answer.identities[0],
            Identity::new("conference", "text", name)
        );
        assert_eq!(answer.identities[1].lang.as_deref(), Some("en"));
        assert_eq!(answer.features[1], Feature::new("jabber:iq:register"));
        assert!(answer.has_feature(NS_INFO) && !answer.has_feature(NS_ITEMS));
        assert!(answer.has_identity("directory", "chatroom"));
        assert!(!answer.has_identity("directory", "text"));
    }

    /// XEP-0128, example 2: contact addresses of a server, shortened.
    #[test]
    fn extended_info() {
        let answer = written::<DiscoInfo>(
            "<query xmlns='http://jabber.org/protocol/disco#info'>\
             <identity category='server' type='im'/>\
             <x xmlns='jabber:x:data' type='result'>\
             <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>\
             <field var='c2s_port'><value>5222</value></field></x></query>",
        );
        assert_eq!(
            answer.forms[0].form_type(),
            Some("http://jabber.org/network/serverinfo")
        );
    }

    /// Examples 16 and 17, shortened.
    #[test]
    fn items() {
        let question = written::<DiscoItems>(
            "<query xmlns='http://jabber.org/protocol/disco#items' node='music'/>",
        );
        assert_eq!(question, DiscoItems::question(Some("music")));
        let answer = written::<DiscoItems>(
            "<query xmlns='http://jabber.org/protocol/disco#items'>\
             <item jid='catalog.shakespeare.lit' node='books' name='Books by and about Shakespeare'/>\
             <item jid='people.shakespeare.lit'/></query>",
        );
        assert_eq!(answer.items[0].node.as_deref(), Some("books"));
        assert_eq!(answer.items[1].jid, "people.shakespeare.lit");
    }

    #[test]
    fn what_lacks_something() {
        let identity =
            "<identity xmlns='http://jabber.org/protocol/disco#info' category='client'/>";
        assert_eq!(
            read::<Identity>(identity),
            Err(PayloadError::NoAttribute {
                element: "identity",
                attribute: "type"
            })
        );
        let feature = "<feature xmlns='http://jabber.org/protocol/disco#info'/>";
        assert_eq!(
            read::<Feature>(feature),
            Err(PayloadError::NoAttribute {
                element: "feature",
                attribute: "var"
            })
        );
    }
}
