//! [XEP-0280: Message Carbons](https://xmpp.org/extensions/xep-0280.html)

use bytes::Bytes;
use waxwing_wire::{Stanza, Writer};

use super::xep_0297_forward::{Forwarded, forward};
use crate::payload::{Payload, payload};

/// Namespace of carbons, and the name of the feature.
pub const NS: &str = "urn:xmpp:carbons:2";

/// Name of the feature: the server copies by the rules of §6.1, all of them (§6.2).
pub const FEATURE_RULES: &str = "urn:xmpp:carbons:rules:0";

payload! {
    /// Asks for copies (§4).
    pub struct Enable(NS, "enable") {}
}

payload! {
    /// Asks for no more copies (§5).
    pub struct Disable(NS, "disable") {}
}

payload! {
    /// In a message: do not copy it (§9).
    pub struct Private(NS, "private") {}
}

payload! {
    /// A copy of a message that another session received (§7).
    pub struct Received(NS, "received") {
        /// The message.
        forwarded: Forwarded = child(),
    }
}

payload! {
    /// A copy of a message that another session sent (§8).
    pub struct Sent(NS, "sent") {
        /// The message.
        forwarded: Forwarded = child(),
    }
}

/// Whether the account whose session gets a copy received or sent the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was to another session.
    Received,
    /// It was from another session.
    Sent,
}

/// Writes `<received/>` or `<sent/>` around a message without changing a byte of its payloads.
pub fn copy(message: &Stanza, direction: Direction) -> Bytes {
    let mut writer = Writer::new("");
    let name = match direction {
        Direction::Received => Received::NAME,
        Direction::Sent => Sent::NAME,
    };
    writer.start(NS, name);
    writer.raw(&forward(message, None));
    writer.end();
    writer.finish()
}

#[cfg(test)]
mod tests {
    use waxwing_wire::Element;

    use super::*;
    use crate::payload::PayloadError;
    use crate::payload::testing::{read, stanza, written};

    #[test]
    fn orders() {
        assert_eq!(
            written::<Enable>("<enable xmlns='urn:xmpp:carbons:2'/>"),
            Enable {}
        );
        assert_eq!(
            written::<Disable>("<disable xmlns='urn:xmpp:carbons:2'/>"),
            Disable {}
        );
        assert_eq!(
            written::<Private>("<private xmlns='urn:xmpp:carbons:2'/>"),
            Private {}
        );
    }

    /// Example 9.
    #[test]
    fn received() {
        let received = written::<Received>(
            "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
             <message xmlns='jabber:client' from='juliet@capulet.example/balcony' \
             to='romeo@montague.example/garden' type='chat'>\
             <body>What man art thou that, thus bescreen'd in night, so stumblest on my counsel?</body>\
             <thread>0e3141cd80894871a68e6fe6b1ec56fa</thread></message></forwarded></received>",
        );
        let message = received.forwarded.stanza.unwrap();
        assert_eq!(message.attr("to"), Some("romeo@montague.example/garden"));
    }

    #[test]
    fn copies() {
        let message = stanza("<message from='a@b/c' to='d@e' id='1'><x xmlns='urn:x'/></message>");
        assert_eq!(
            copy(&message, Direction::Sent),
            "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
             <message xmlns='jabber:client' from='a@b/c' to='d@e' id='1'><x xmlns='urn:x'/></message>\
             </forwarded></sent>"
        );
        let received = Element::parse(copy(&message, Direction::Received)).unwrap();
        let received = Received::read(&received).unwrap();
        assert_eq!(received.forwarded.stanza, Some(message.element()));
    }

    #[test]
    fn nothing_inside() {
        assert_eq!(
            read::<Sent>("<sent xmlns='urn:xmpp:carbons:2'/>"),
            Err(PayloadError::NoChild {
                element: "sent",
                child: "forwarded"
            })
        );
    }
}
