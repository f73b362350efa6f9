//! [XEP-0334: Message Processing Hints](https://xmpp.org/extensions/xep-0334.html)
//!
//! Conversation: `xep_0160_offline.md`

use waxwing_wire::{Element, Stanza};

use crate::MessageType;
use crate::payload::keywords;

/// Namespace of hints.
pub const NS: &str = "urn:xmpp:hints";

keywords! {
    /// What the sender wishes to be done with a message (§4): the name of an empty element.
    pub enum Hint {
        /// Do not copy it to other sessions.
        NoCopy = "no-copy",
        /// Do not archive it; keeping it until it is delivered is fine.
        NoPermanentStore = "no-permanent-store",
        /// Do not keep it at all.
        NoStore = "no-store",
        /// Keep it, even if it does not look worth it.
        Store = "store",
    }
}

impl Hint {
    /// Whether a message carries the hint. One of type *error* carries none, whatever stands in it: it
    /// may be a copy of what it answers (§5).
    pub fn is_in(self, message: &Stanza) -> bool {
        message.has_child(NS, self.as_str()) && MessageType::of(message) != MessageType::Error
    }

    /// The hint's element.
    pub fn to_element(self) -> Element {
        Element::new(NS, self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::stanza;

    /// Example 1.
    #[test]
    fn example() {
        let message = stanza(
            "<message from='romeo@montague.lit/laptop' to='juliet@capulet.lit/laptop'>
               <body>V unir avtug'f pybnx gb uvqr zr sebz gurve fvtug</body>
               <no-copy xmlns=\"urn:xmpp:hints\"/>
               <no-store xmlns=\"urn:xmpp:hints\"/>
               <store xmlns='urn:other'/>
             </message>",
        );
        let carried = Hint::ALL.map(|hint| hint.is_in(&message));
        assert_eq!(carried, [true, false, true, false]);
    }

    #[test]
    fn errors_carry_none() {
        let error = stanza("<message type='error'><store xmlns='urn:xmpp:hints'/></message>");
        assert!(!Hint::Store.is_in(&error));
    }

    #[test]
    fn written() {
        assert_eq!(
            Hint::NoStore.to_element().to_bytes(""),
            "<no-store xmlns='urn:xmpp:hints'/>"
        );
    }
}
