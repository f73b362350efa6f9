//! What a service tells of a node, in messages (§7.1.2, §7.2.2, §8).

use waxwing_wire::Element;

use super::{NS_EVENT as NS, SubscriptionState, read_elements, write_elements};
use crate::Jid;
use crate::payload::{parts, payload};
use crate::xep::xep_0004_forms::DataForm;
use crate::xep::xep_0082_datetime::DateTime;

payload! {
    /// Something happened to a node.
    pub struct Event(NS, "event") {
        /// What.
        parts: Vec<Part> = by(Part::read_all, Part::write_all),
    }
}

parts! {
    /// What happened.
    pub enum Part {
        /// The configuration changed (§8.2.5.3).
        Configuration(Configuration),
        /// The node was deleted (§8.4.2).
        Delete(Delete),
        /// Items were published or retracted.
        Items(Items),
        /// All items were removed (§8.5.2).
        Purge(Purge),
        /// A subscription changed (§12.16), or ends soon (§12.18).
        Subscription(Subscription),
    }
}

impl Event {
    /// An event of one part.
    pub fn of(part: impl Into<Part>) -> Event {
        Event {
            parts: vec![part.into()],
        }
    }
}

payload! {
    /// The configuration changed.
    pub struct Configuration(NS, "configuration") {
        /// Of which node.
        node: String = attr("node"),
        /// What it is now, where the node tells payloads.
        form: Option<DataForm> = child(),
    }
}

payload! {
    /// The node was deleted.
    pub struct Delete(NS, "delete") {
        /// Which one.
        node: String = attr("node"),
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
    /// Items were published or retracted.
    pub struct Items(NS, "items") {
        /// At which node.
        node: String = attr("node"),
        /// What was published.
        items: Vec<Item> = child(),
        /// What was retracted.
        retracted: Vec<Retract> = child(),
    }
}

payload! {
    /// A published item.
    pub struct Item(NS, "item") {
        /// Its name.
        id: Option<String> = attr("id"),
        /// Who published it.
        publisher: Option<Jid> = attr("publisher"),
        /// Its payload, where the node tells it.
        payload: Vec<Element> = by(read_elements, write_elements),
    }
}

payload! {
    /// A retracted item.
    pub struct Retract(NS, "retract") {
        /// Its name.
        id: String = attr("id"),
    }
}

payload! {
    /// All items were removed.
    pub struct Purge(NS, "purge") {
        /// From which node.
        node: String = attr("node"),
    }
}

payload! {
    /// A subscription changed, or ends soon.
    pub struct Subscription(NS, "subscription") {
        /// To which node.
        node: String = attr("node"),
        /// Whose.
        jid: Jid = attr("jid"),
        /// Which one of several.
        subid: Option<String> = attr("subid"),
        /// How far it has come.
        subscription: SubscriptionState = attr("subscription"),
        /// When it ends.
        expiry: Option<DateTime> = attr("expiry"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// §7.1.2, §7.2.2 and §12.18.
    #[test]
    fn examples() {
        written::<Event>(
            "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='princely_musings'>\
             <item id='ae890ac52d0df67ed7cfdf51b644e901'><entry xmlns='http://www.w3.org/2005/Atom'/>\
             </item></items></event>",
        );
        let retracted = written::<Event>(
            "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='princely_musings'>\
             <retract id='ae890ac52d0df67ed7cfdf51b644e901'/></items></event>",
        );
        assert!(matches!(retracted.parts.as_slice(), [Part::Items(_)]));
        written::<Event>(
            "<event xmlns='http://jabber.org/protocol/pubsub#event'>\
             <subscription node='princely_musings' jid='francisco@denmark.lit' \
             subid='ba49252aaa4f5d320c24d3766f0bdcade78c78d3' subscription='subscribed' \
             expiry='2006-02-28T23:59:59Z'/></event>",
        );
    }
}
