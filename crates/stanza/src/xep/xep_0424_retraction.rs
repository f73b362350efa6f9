//! [XEP-0424: Message Retraction](https://xmpp.org/extensions/xep-0424.html)

use super::xep_0082_datetime::DateTime;
use crate::Jid;
use crate::payload::payload;

/// Namespace of retractions, and the name of the feature.
pub const NS: &str = "urn:xmpp:message-retract:1";

/// Name of the feature: what is retracted is replaced in the archive (§5).
pub const FEATURE_TOMBSTONE: &str = "urn:xmpp:message-retract:1#tombstone";

payload! {
    /// Takes a message back (§4).
    pub struct Retract(NS, "retract") {
        /// The message's `id`; of a room's message, the id that the room gave it (§6.1).
        id: String = attr("id"),
    }
}

payload! {
    /// Stands where a message was (§5).
    pub struct Retracted(NS, "retracted") {
        /// Who has taken it back, where that was somebody else.
        by: Option<Jid> = attr("by"),
        /// The `id` of the message that took it back.
        id: String = attr("id"),
        /// When that was.
        stamp: Option<DateTime> = attr("stamp"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Examples 5 and 8.
    #[test]
    fn examples() {
        let retract = "<retract id='wrong-recipient-1' xmlns='urn:xmpp:message-retract:1'/>";
        assert_eq!(written::<Retract>(retract).id, "wrong-recipient-1");
        let retracted = written::<Retracted>(
            "<retracted stamp='2019-09-20T23:09:32Z' xmlns='urn:xmpp:message-retract:1' id='retract-message-1'/>",
        );
        assert_eq!(retracted.id, "retract-message-1");
        assert!(retracted.stamp.is_some() && retracted.by.is_none());
    }
}
