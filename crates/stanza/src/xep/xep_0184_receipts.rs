//! [XEP-0184: Message Delivery Receipts](https://xmpp.org/extensions/xep-0184.html)
//!
//! Conversation: `xep_0280_carbons.md`

use crate::payload::payload;

/// Namespace of receipts, and the name of the feature.
pub const NS: &str = "urn:xmpp:receipts";

payload! {
    /// The sender wishes to be told when a client has the message (§5.1).
    pub struct Request(NS, "request") {}
}

payload! {
    /// A client has the message (§5.1).
    pub struct Received(NS, "received") {
        /// The message's id.
        id: String = attr("id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Examples 3 and 4.
    #[test]
    fn examples() {
        written::<Request>("<request xmlns='urn:xmpp:receipts'/>");
        let received =
            written::<Received>("<received xmlns='urn:xmpp:receipts' id='richard2-4.1.247'/>");
        assert_eq!(received.id, "richard2-4.1.247");
    }
}
