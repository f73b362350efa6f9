//! [XEP-0085: Chat State Notifications](https://xmpp.org/extensions/xep-0085.html)
//!
//! Conversation: `xep_0280_carbons.md`

use waxwing_wire::Stanza;

use crate::payload::keywords;

/// Namespace of chat states, and the name of the feature.
pub const NS: &str = "http://jabber.org/protocol/chatstates";

keywords! {
    /// What its sender does in a conversation (§2): the name of an empty element.
    pub enum ChatState {
        /// Looks at it.
        Active = "active",
        /// Writes.
        Composing = "composing",
        /// Has left it.
        Gone = "gone",
        /// Looks elsewhere.
        Inactive = "inactive",
        /// Has stopped writing.
        Paused = "paused",
    }
}

impl ChatState {
    /// The state that a message tells, if any.
    pub fn of(message: &Stanza) -> Option<ChatState> {
        let mut children = message.children().filter(|child| child.ns() == NS);
        children.find_map(|child| ChatState::from_keyword(child.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::stanza;

    /// Example 1, and a state that there is not.
    #[test]
    fn example() {
        let message = |child: &str| {
            stanza(&format!(
                "<message type='chat'><body>Who's there?</body>{child}</message>"
            ))
        };
        let active = message("<active xmlns='http://jabber.org/protocol/chatstates'/>");
        assert_eq!(ChatState::of(&active), Some(ChatState::Active));
        let asleep = message("<asleep xmlns='http://jabber.org/protocol/chatstates'/>");
        assert_eq!(ChatState::of(&asleep), None);
        assert_eq!(ChatState::of(&message("<active/>")), None);
    }
}
