//! [XEP-0191: Blocking Command](https://xmpp.org/extensions/xep-0191.html)

use waxwing_wire::Element;

use super::xep_0377_reports::{Report, read_report, write_report};
use crate::payload::payload;
use crate::{Condition, ErrorType, Jid, StanzaError};

/// Namespace of blocking, and the name of the feature.
pub const NS: &str = "urn:xmpp:blocking";

/// Namespace of its error condition.
pub const NS_ERRORS: &str = "urn:xmpp:blocking:errors";

payload! {
    /// A question (empty), or everybody who is blocked (§3.2).
    pub struct BlockList(NS, "blocklist") {
        /// Who is blocked.
        items: Vec<Item> = child(),
    }
}

payload! {
    /// Blocks these, or says that they were blocked (§3.3).
    pub struct Block(NS, "block") {
        /// At least one.
        items: Vec<Item> = child(),
    }
}

payload! {
    /// Unblocks these, or says that they were unblocked (§3.4). Without items: everybody (§3.5).
    pub struct Unblock(NS, "unblock") {
        /// Whom.
        items: Vec<Item> = child(),
    }
}

payload! {
    /// One address.
    pub struct Item(NS, "item") {
        /// A full address, an account, a domain, or a resource of a domain (§5).
        jid: Jid = attr("jid"),
        /// Why it is blocked, for whoever runs the server (XEP-0377).
        report: Option<Report> = by(read_report, write_report),
    }
}

/// What somebody gets who writes to whom they have blocked (§3.3).
pub fn blocked() -> StanzaError {
    StanzaError::new(Condition::NotAcceptable)
        .with_type(ErrorType::Cancel)
        .with_app(Element::new(NS_ERRORS, "blocked"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use waxwing_wire::ns;

    /// Examples 3 to 6.
    #[test]
    fn examples() {
        let list = written::<BlockList>(
            "<blocklist xmlns='urn:xmpp:blocking'><item jid='romeo@montague.net'/>\
             <item jid='iago@shakespeare.lit'/></blocklist>",
        );
        assert_eq!(list.items[1].jid, "iago@shakespeare.lit");
        let block = written::<Block>(
            "<block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.net'/></block>",
        );
        assert_eq!(block.items.len(), 1);
        let everybody = written::<Unblock>("<unblock xmlns='urn:xmpp:blocking'/>");
        assert!(everybody.items.is_empty());
    }

    #[test]
    fn an_item_has_an_address() {
        for item in ["<item/>", "<item jid='@'/>"] {
            let block = format!("<block xmlns='urn:xmpp:blocking'>{item}</block>");
            assert!(read::<Block>(&block).is_err());
        }
    }

    /// Example 9.
    #[test]
    fn error() {
        assert_eq!(
            blocked().to_element(ns::CLIENT).to_bytes(ns::CLIENT),
            "<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <blocked xmlns='urn:xmpp:blocking:errors'/></error>"
        );
    }
}
