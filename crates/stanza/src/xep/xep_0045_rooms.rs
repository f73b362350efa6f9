//! [XEP-0045: Multi-User Chat](https://xmpp.org/extensions/xep-0045.html)
//!
//! Conversation: `xep_0280_carbons.md`

use crate::Jid;
use crate::payload::payload;

/// Namespace of what a room says to its occupants and to who is invited.
pub const NS_USER: &str = "http://jabber.org/protocol/muc#user";

payload! {
    /// What a room adds to a stanza; here, who is invited by it (§7.8.2).
    pub struct RoomUser(NS_USER, "x") {
        /// Invitations that go through the room.
        invites: Vec<Invite> = child(),
    }
}

payload! {
    /// An invitation that goes through the room (§7.8.2).
    pub struct Invite(NS_USER, "invite") {
        /// Who invites, as the room says.
        from: Option<Jid> = attr("from"),
        /// Who is invited, as the room is told.
        to: Option<Jid> = attr("to"),
        /// Why.
        reason: Option<String> = text_child("reason"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    #[test]
    fn a_mediated_invitation() {
        let user = written::<RoomUser>(
            "<x xmlns='http://jabber.org/protocol/muc#user'>\
             <invite from='crone1@shakespeare.lit/desktop'><reason>Hey Hecate!</reason></invite></x>",
        );
        assert_eq!(user.invites.len(), 1);
        assert_eq!(user.invites[0].reason.as_deref(), Some("Hey Hecate!"));
    }
}
