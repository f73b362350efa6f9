//! [XEP-0249: Direct MUC Invitations](https://xmpp.org/extensions/xep-0249.html)
//!
//! Conversation: `xep_0280_carbons.md`

use crate::BareJid;
use crate::payload::payload;

/// Namespace of invitations, and the name of the feature.
pub const NS: &str = "jabber:x:conference";

payload! {
    /// An invitation into a room, past the room (§2).
    pub struct Invitation(NS, "x") {
        /// The room.
        jid: BareJid = attr("jid"),
        /// What the room asks for.
        password: Option<String> = attr("password"),
        /// Why.
        reason: Option<String> = attr("reason"),
        /// The one-to-one conversation that the room continues.
        thread: Option<String> = attr("thread"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Example 1.
    #[test]
    fn example() {
        let invitation = written::<Invitation>(
            "<x xmlns='jabber:x:conference' jid='darkcave@macbeth.shakespeare.lit' \
             password='cauldronburn' reason='Hey Hecate!'/>",
        );
        assert_eq!(invitation.jid.as_ref(), "darkcave@macbeth.shakespeare.lit");
        assert_eq!(invitation.password.as_deref(), Some("cauldronburn"));
    }
}
