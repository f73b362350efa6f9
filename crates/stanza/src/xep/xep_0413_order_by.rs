//! [XEP-0413: Order-By](https://xmpp.org/extensions/xep-0413.html)
//!
//! Conversation: `xep_0413_order_by.md`

use crate::payload::{keywords, payload};

/// Namespace of orders, and the name of the feature.
pub const NS: &str = "urn:xmpp:order-by:1";

payload! {
    /// In which order a result is wanted (§4).
    pub struct Order(NS, "order") {
        /// By what.
        by: OrderField = attr("by"),
        /// Whether the greatest comes first.
        desc: bool = attr("desc", false),
    }
}

keywords! {
    /// What a result is ordered by (§3).
    pub enum OrderField {
        /// When an item of this name was published for the first time.
        Creation = "creation",
        /// When it was published last.
        Modification = "modification",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// §4.1.
    #[test]
    fn example() {
        let order =
            written::<Order>("<order xmlns='urn:xmpp:order-by:1' by='creation' desc='true'/>");
        assert_eq!(order.by, OrderField::Creation);
    }
}
