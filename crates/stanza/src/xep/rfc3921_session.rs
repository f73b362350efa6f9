//! [RFC 3921 §3: Session Establishment](https://www.rfc-editor.org/rfc/rfc3921#section-3)
//!
//! Obsolete since RFC 6121, and it never did anything; but old clients stop where a server does not
//! offer it.
//!
//! Conversation: `rfc6120_bind.md`

use crate::payload::payload;

/// Namespace of sessions.
pub const NS: &str = "urn:ietf:params:xml:ns:xmpp-session";

payload! {
    /// Stream feature, and the request of a client that takes it up.
    pub struct Session(NS, "session") {
        /// In the feature: clients can do without (draft-cridland-xmpp-session).
        optional: bool = flag("optional"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    #[test]
    fn feature_and_request() {
        let feature = written::<Session>(
            "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>",
        );
        assert!(feature.optional);
        let request = written::<Session>("<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>");
        assert!(!request.optional);
    }
}
