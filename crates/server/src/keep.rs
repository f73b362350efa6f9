//! What the server keeps of a message until its recipient has it: one function, one table.
//!
//! | type | content | kept |
//! |---|---|---|
//! | `chat`, `normal` | anything but chat states alone | yes |
//! | `chat`, `normal` | only chat states (XEP-0085), with or without thread and hints | no |
//! | `headline`, `groupchat`, `error` | anything, `<store/>` too: who is not there does not get it (RFC 6121 §8.5.2.2.1) | no |
//! | any | `<no-store/>` without `<store/>` (XEP-0334 §4.2) | no |
//! | `chat`, `normal` | `<no-permanent-store/>`: it may wait, not be archived (XEP-0334 §4.1) | as without |
//! | `chat`, `normal` | `<store/>` | yes |
//!
//! Source: XEP-0160 §3, XEP-0334 §4.

use waxwing_stanza::MessageType;
use waxwing_stanza::xep::xep_0085_chat_states::NS as CHAT_STATES;
use waxwing_stanza::xep::xep_0334_hints as hints;
use waxwing_wire::Stanza;

/// Whether the account's log keeps the message as undelivered.
pub fn decide(kind: MessageType, stanza: &Stanza) -> bool {
    if !matches!(kind, MessageType::Chat | MessageType::Normal) {
        return false;
    }
    let hint = |name| stanza.has_child(hints::NS, name);
    hint("store") || says_something(kind, stanza) && !hint("no-store")
}

/// Whether a message is more than a sign of typing: its sender wants to know if nobody gets it
/// (RFC 6121 §8.5.2.2.1).
pub fn says_something(kind: MessageType, stanza: &Stanza) -> bool {
    let is_content =
        |ns: &str, name: &str| ns != hints::NS && ns != CHAT_STATES && name != "thread";
    matches!(kind, MessageType::Chat | MessageType::Normal)
        && stanza
            .children()
            .any(|child| is_content(child.ns(), child.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_wire::{Limits, ns};

    fn decide_on(kind: MessageType, children: &str) -> bool {
        let xml = format!("<message>{children}</message>");
        let stanza = Stanza::parse(xml.into_bytes().into(), ns::CLIENT, &Limits::CLIENT).unwrap();
        decide(kind, &stanza)
    }

    #[test]
    fn every_row_of_the_table() {
        let body = "<body>x</body>";
        let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/><thread>1</thread>";
        let no_store = "<no-store xmlns='urn:xmpp:hints'/>";
        let store = "<store xmlns='urn:xmpp:hints'/>";
        for kind in [MessageType::Chat, MessageType::Normal] {
            assert!(decide_on(kind, body));
            assert!(decide_on(kind, "<x xmlns='urn:example'/>"));
            assert!(!decide_on(kind, state));
            assert!(!decide_on(kind, ""));
            assert!(!decide_on(kind, &format!("{body}{no_store}")));
            assert!(decide_on(
                kind,
                &format!("{body}<no-permanent-store xmlns='urn:xmpp:hints'/>")
            ));
            assert!(decide_on(kind, &format!("{state}{store}")));
        }
        for kind in [
            MessageType::Headline,
            MessageType::Groupchat,
            MessageType::Error,
        ] {
            assert!(!decide_on(kind, body));
            assert!(!decide_on(kind, &format!("{body}{store}")));
        }
    }
}
