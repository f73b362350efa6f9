//! [XEP-0380: Explicit Message Encryption](https://xmpp.org/extensions/xep-0380.html)
//!
//! Conversation: `xep_0431_fulltext.md`

use waxwing_wire::Stanza;

/// What says that a message is encrypted, and elements that carry what is, with their namespaces: those of §4 that have one, so
/// that a message is known by them too where its client does not say so.
const SIGNS: &[(&str, &str)] = &[
    ("urn:xmpp:eme:0", "encryption"),
    ("jabber:x:encrypted", "x"),
    ("urn:xmpp:openpgp:0", "openpgp"),
    ("eu.siacs.conversations.axolotl", "encrypted"),
    ("urn:xmpp:omemo:1", "encrypted"),
    ("urn:xmpp:omemo:2", "encrypted"),
];

/// What a message of OTR begins with, whose body carries it (XEP-0364).
const OTR: &str = "?OTR";

/// Whether a message says that it is encrypted, or carries what is: what its body says then is for people whose clients cannot
/// read it (§3).
#[must_use]
pub fn is_encrypted(message: &Stanza) -> bool {
    message
        .children()
        .any(|child| SIGNS.contains(&(child.ns(), child.name())))
}

/// Whether a body is a message of OTR, or asks for one.
#[must_use]
pub fn is_otr(body: &str) -> bool {
    body.starts_with(OTR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::stanza;

    #[test]
    fn what_is_encrypted() {
        for (content, encrypted) in [
            ("<body>Hello</body>", false),
            ("<encrypted xmlns='urn:other'/><body>Hello</body>", false),
            (
                "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:new'/>",
                true,
            ),
            ("<encrypted xmlns='urn:xmpp:omemo:2'/>", true),
            ("<encrypted xmlns='eu.siacs.conversations.axolotl'/>", true),
            ("<openpgp xmlns='urn:xmpp:openpgp:0'/>", true),
            ("<x xmlns='jabber:x:encrypted'/>", true),
        ] {
            let message = stanza(&format!("<message>{content}</message>"));
            assert_eq!(is_encrypted(&message), encrypted, "{content}");
        }
    }

    #[test]
    fn what_is_of_otr() {
        assert!(is_otr("?OTR:AAMC") && is_otr("?OTRv3?"));
        assert!(!is_otr("OTR") && !is_otr(""));
    }
}
