//! What subscribers and publishers ask a service, and its answers (§5 to §7, and creating of §8.1).
//!
//! What must be there and is not has an error of its own for each request, so that nearly everything here may be missing.

use waxwing_wire::Element;

use super::{Affiliation, NS, SubscriptionState, read_elements, write_elements};
use crate::Jid;
use crate::payload::{parts, payload};
use crate::xep::xep_0004_forms::DataForm;
use crate::xep::xep_0059_rsm::ResultSet;
use crate::xep::xep_0413_order_by::Order;

payload! {
    /// One request, of one or two parts whose order counts, or its answer.
    pub struct Pubsub(NS, "pubsub") {
        /// What is asked or answered.
        parts: Vec<Part> = by(Part::read_all, Part::write_all),
    }
}

parts! {
    /// A part of a request or an answer.
    pub enum Part {
        /// One's affiliations (§5.7).
        Affiliations(Affiliations),
        /// With `create`: the node's configuration (§8.1.3).
        Configure(Configure),
        /// Creates a node (§8.1).
        Create(Create),
        /// Options that subscriptions have by default (§6.4).
        Default(Default),
        /// Reads items (§6.5).
        Items(Items),
        /// A subscription's options, alone (§6.3) or with `subscribe` (§6.3.7).
        Options(Options),
        /// With `items`: in which order.
        Order(Order),
        /// Publishes an item (§7.1).
        Publish(Publish),
        /// With `publish`: what must be so (§7.1.5).
        PublishOptions(PublishOptions),
        /// Deletes an item (§7.2).
        Retract(Retract),
        /// With `items`, or another list: which page (XEP-0059).
        Set(ResultSet),
        /// Subscribes (§6.1).
        Subscribe(Subscribe),
        /// The answer to `subscribe`.
        Subscription(Subscription),
        /// One's subscriptions (§5.6).
        Subscriptions(Subscriptions),
        /// Ends a subscription (§6.2).
        Unsubscribe(Unsubscribe),
    }
}

impl Pubsub {
    /// An answer of one part.
    pub fn of(part: impl Into<Part>) -> Pubsub {
        Pubsub {
            parts: vec![part.into()],
        }
    }
}

payload! {
    /// One's affiliations, of all nodes or one.
    pub struct Affiliations(NS, "affiliations") {
        /// The node.
        node: Option<String> = attr("node"),
        /// In the answer, and in the notification of a change (§8.9.4).
        affiliations: Vec<Affiliated> = child(),
    }
}

payload! {
    /// One affiliation.
    pub struct Affiliated(NS, "affiliation") {
        /// With which node.
        node: Option<String> = attr("node"),
        /// Whose, where that is told to somebody else.
        jid: Option<Jid> = attr("jid"),
        /// Which one.
        affiliation: Affiliation = attr("affiliation"),
    }
}

payload! {
    /// The configuration of a node that is being created.
    pub struct Configure(NS, "configure") {
        /// Must not be there.
        node: Option<String> = attr("node"),
        /// The form.
        form: Option<DataForm> = child(),
    }
}

payload! {
    /// Creates a node.
    pub struct Create(NS, "create") {
        /// Its name; without one, the service makes one up (§8.1.1).
        node: Option<String> = attr("node"),
    }
}

payload! {
    /// Options that subscriptions have by default.
    pub struct Default(NS, "default") {
        /// The node; without one, those of the service.
        node: Option<String> = attr("node"),
        /// In the answer.
        form: Option<DataForm> = child(),
    }
}

payload! {
    /// Reads items.
    pub struct Items(NS, "items") {
        /// The node.
        node: Option<String> = attr("node"),
        /// So many of the newest ones (§6.5.7).
        max_items: Option<u64> = attr("max_items"),
        /// For which subscription.
        subid: Option<String> = attr("subid"),
        /// In a question: those of these names (§6.5.8). In the answer: what was found.
        items: Vec<Item> = child(),
    }
}

payload! {
    /// An item.
    pub struct Item(NS, "item") {
        /// Its name; in a publication without one, the service makes one up.
        id: Option<String> = attr("id"),
        /// Who published it; only the service says so (§7.1.2.3).
        publisher: Option<Jid> = attr("publisher"),
        /// Its payload; more than one element is an error.
        payload: Vec<Element> = by(read_elements, write_elements),
    }
}

impl Item {
    /// An item of this name and nothing else.
    pub fn named(id: &str) -> Item {
        Item {
            id: Some(id.to_owned()),
            publisher: None,
            payload: Vec::new(),
        }
    }
}

payload! {
    /// A subscription's options.
    pub struct Options(NS, "options") {
        /// The node; not there with `subscribe`.
        node: Option<String> = attr("node"),
        /// Who is subscribed; not there with `subscribe`.
        jid: Option<Jid> = attr("jid"),
        /// Which subscription.
        subid: Option<String> = attr("subid"),
        /// The form.
        form: Option<DataForm> = child(),
    }
}

payload! {
    /// Publishes an item.
    pub struct Publish(NS, "publish") {
        /// The node.
        node: Option<String> = attr("node"),
        /// One at most.
        items: Vec<Item> = child(),
    }
}

payload! {
    /// What must be so for an item to be published.
    pub struct PublishOptions(NS, "publish-options") {
        /// The form.
        form: Option<DataForm> = child(),
    }
}

payload! {
    /// Deletes an item.
    pub struct Retract(NS, "retract") {
        /// The node.
        node: Option<String> = attr("node"),
        /// Whether subscribers are told.
        notify: Option<bool> = attr("notify"),
        /// One, with its name.
        items: Vec<Item> = child(),
    }
}

payload! {
    /// Subscribes.
    pub struct Subscribe(NS, "subscribe") {
        /// The node.
        node: Option<String> = attr("node"),
        /// Who is to be subscribed.
        jid: Option<Jid> = attr("jid"),
    }
}

payload! {
    /// A subscription.
    pub struct Subscription(NS, "subscription") {
        /// The node.
        node: Option<String> = attr("node"),
        /// Who is subscribed.
        jid: Jid = attr("jid"),
        /// Which one of several.
        subid: Option<String> = attr("subid"),
        /// How far it has come.
        subscription: SubscriptionState = attr("subscription"),
        /// That there are options.
        options: Option<SubscribeOptions> = child(),
    }
}

payload! {
    /// That a subscription has options (§6.1.5).
    pub struct SubscribeOptions(NS, "subscribe-options") {
        /// Whether they must be given first.
        required: bool = flag("required"),
    }
}

payload! {
    /// One's subscriptions, to all nodes or one.
    pub struct Subscriptions(NS, "subscriptions") {
        /// The node.
        node: Option<String> = attr("node"),
        /// In the answer.
        subscriptions: Vec<Subscription> = child(),
    }
}

payload! {
    /// Ends a subscription.
    pub struct Unsubscribe(NS, "unsubscribe") {
        /// The node.
        node: Option<String> = attr("node"),
        /// Who is subscribed.
        jid: Option<Jid> = attr("jid"),
        /// Which one of several.
        subid: Option<String> = attr("subid"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// §8.1.3.
    #[test]
    fn parts_stand_in_their_order() {
        let request = written::<Pubsub>(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'>\
             <create node='princely_musings'/><configure/></pubsub>",
        );
        assert!(matches!(
            request.parts.as_slice(),
            [Part::Create(_), Part::Configure(_)]
        ));
        let other = read::<Pubsub>(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'>\
             <configure/><unknown/><create node='princely_musings'/></pubsub>",
        );
        assert!(matches!(
            other.unwrap().parts.as_slice(),
            [Part::Configure(_), Part::Create(_)]
        ));
    }

    /// §7.1.1.
    #[test]
    fn a_publication() {
        let request = written::<Pubsub>(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='princely_musings'>\
             <item id='bnd81g37d61f49fgn581'><entry xmlns='http://www.w3.org/2005/Atom'>\
             <title>Soliloquy</title></entry></item></publish></pubsub>",
        );
        let [Part::Publish(publish)] = request.parts.as_slice() else {
            panic!("{request:?}");
        };
        assert_eq!(publish.items[0].payload[0].name(), "entry");
    }
}
