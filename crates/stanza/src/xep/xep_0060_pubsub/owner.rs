//! What owners of a node ask a service, and its answers (§8).

use super::{Affiliation, NS_OWNER as NS, SubscriptionState};
use crate::Jid;
use crate::payload::{parts, payload};
use crate::xep::xep_0004_forms::DataForm;
use crate::xep::xep_0059_rsm::ResultSet;

payload! {
    /// One request, or its answer.
    pub struct PubsubOwner(NS, "pubsub") {
        /// What is asked or answered.
        parts: Vec<Part> = by(Part::read_all, Part::write_all),
    }
}

parts! {
    /// A part of a request or an answer.
    pub enum Part {
        /// Who is affiliated (§8.9).
        Affiliations(Affiliations),
        /// The node's configuration (§8.2).
        Configure(Configure),
        /// The configuration that nodes have by default (§8.3).
        Default(Default),
        /// Deletes a node (§8.4).
        Delete(Delete),
        /// Removes all items (§8.5).
        Purge(Purge),
        /// With a list: which page (XEP-0059).
        Set(ResultSet),
        /// Who is subscribed (§8.8).
        Subscriptions(Subscriptions),
    }
}

impl PubsubOwner {
    /// An answer of one part.
    pub fn of(part: impl Into<Part>) -> PubsubOwner {
        PubsubOwner {
            parts: vec![part.into()],
        }
    }
}

payload! {
    /// Who is affiliated with a node.
    pub struct Affiliations(NS, "affiliations") {
        /// The node.
        node: Option<String> = attr("node"),
        /// All of them, or those that are to change.
        affiliations: Vec<Affiliated> = child(),
    }
}

payload! {
    /// One affiliation.
    pub struct Affiliated(NS, "affiliation") {
        /// Whose.
        jid: Option<Jid> = attr("jid"),
        /// Which one; as it is where it is missing (§8.9.2.1).
        affiliation: Option<Affiliation> = attr("affiliation"),
    }
}

payload! {
    /// A node's configuration.
    pub struct Configure(NS, "configure") {
        /// The node.
        node: Option<String> = attr("node"),
        /// The form.
        form: Option<DataForm> = child(),
    }
}

payload! {
    /// The configuration that nodes have by default.
    pub struct Default(NS, "default") {
        /// For which type of node.
        kind: Option<String> = attr("type"),
        /// In the answer.
        form: Option<DataForm> = child(),
    }
}

payload! {
    /// Deletes a node.
    pub struct Delete(NS, "delete") {
        /// The node.
        node: Option<String> = attr("node"),
        /// Where it has gone.
        redirect: Option<Redirect> = child(),
    }
}

payload! {
    /// Where a node has gone.
    pub struct Redirect(NS, "redirect") {
        /// A URI.
        uri: String = attr("uri"),
    }
}

payload! {
    /// Removes all items.
    pub struct Purge(NS, "purge") {
        /// The node.
        node: Option<String> = attr("node"),
    }
}

payload! {
    /// Who is subscribed to a node.
    pub struct Subscriptions(NS, "subscriptions") {
        /// The node.
        node: Option<String> = attr("node"),
        /// All of them, or those that are to change.
        subscriptions: Vec<Subscribed> = child(),
    }
}

payload! {
    /// One subscription.
    pub struct Subscribed(NS, "subscription") {
        /// Whose.
        jid: Option<Jid> = attr("jid"),
        /// How far it has come; as it is where it is missing (§8.8.2.1).
        subscription: Option<SubscriptionState> = attr("subscription"),
        /// Which one of several.
        subid: Option<String> = attr("subid"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// §8.4.1 and §8.9.2.
    #[test]
    fn examples() {
        let delete = written::<PubsubOwner>(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete node='princely_musings'>\
             <redirect uri='xmpp:hamlet@denmark.lit?;node=blog'/></delete></pubsub>",
        );
        assert!(matches!(delete.parts.as_slice(), [Part::Delete(_)]));
        let change = written::<PubsubOwner>(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>\
             <affiliations node='princely_musings'>\
             <affiliation jid='bard@shakespeare.lit' affiliation='publisher'/></affiliations></pubsub>",
        );
        let [Part::Affiliations(affiliations)] = change.parts.as_slice() else {
            panic!("{change:?}");
        };
        let first = &affiliations.affiliations[0];
        assert_eq!(first.affiliation, Some(Affiliation::Publisher));
    }
}
