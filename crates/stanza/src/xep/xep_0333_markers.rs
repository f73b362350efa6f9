//! [XEP-0333: Displayed Markers](https://xmpp.org/extensions/xep-0333.html)
//!
//! Conversation: `xep_0280_carbons.md`

use crate::payload::payload;

/// Namespace of markers, and the name of the feature.
pub const NS: &str = "urn:xmpp:chat-markers:0";

payload! {
    /// The sender wishes to be told when the message has been displayed (§4.1).
    pub struct Markable(NS, "markable") {}
}

payload! {
    /// Everything up to a message has been displayed (§4.2).
    pub struct Displayed(NS, "displayed") {
        /// The message's id.
        id: String = attr("id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    #[test]
    fn examples() {
        written::<Markable>("<markable xmlns='urn:xmpp:chat-markers:0'/>");
        let displayed =
            written::<Displayed>("<displayed xmlns='urn:xmpp:chat-markers:0' id='the-msg-1'/>");
        assert_eq!(displayed.id, "the-msg-1");
    }
}
