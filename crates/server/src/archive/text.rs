//! What of a message is found by its words (XEP-0431).

use waxwing_stanza::xep::rfc6121_message::texts;
use waxwing_stanza::xep::xep_0380_encryption::{is_encrypted, is_otr};

use crate::delivery::StoredMessage;
use crate::server::read_again;

/// What a message says, in every language, and its subject. What is encrypted says nothing here: its body is a sentence for
/// clients that cannot read it, the same in every message. What was taken back has nothing left to say.
pub(crate) fn text(stored: &StoredMessage) -> Option<String> {
    let message = read_again(stored.stanza.clone()).ok()?;
    if is_encrypted(&message) {
        return None;
    }
    let texts = texts(&message);
    if texts.iter().any(|text| is_otr(text)) {
        return None;
    }
    // Words do not go over from one to the next.
    (!texts.is_empty()).then(|| texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_messages_say() {
        for (content, said) in [
            ("<body>Hello</body>", Some("Hello")),
            (
                "<body xml:lang='de'>Hallo</body><subject>Greeting</subject><body>Hello</body>",
                Some("Greeting\nHallo\nHello"),
            ),
            ("<body xmlns='urn:other'>Hello</body>", None),
            (
                "<encrypted xmlns='urn:xmpp:omemo:2'/><body>You cannot read it</body>",
                None,
            ),
            (
                "<body xmlns='urn:other'>?OTR</body><body>a</body>",
                Some("a"),
            ),
            ("<body>?OTR:AAMC</body>", None),
            (
                "<retracted xmlns='urn:xmpp:message-retract:1' id='a'/>",
                None,
            ),
        ] {
            let stanza = format!("<message xmlns='jabber:client'>{content}</message>");
            let stored = StoredMessage {
                stanza: Bytes::from(stanza),
                stranger: false,
                bytes_before: 0,
            };
            assert_eq!(text(&stored).as_deref(), said, "{content}");
        }
        assert_eq!(text(&StoredMessage::default()), None);
    }
}
