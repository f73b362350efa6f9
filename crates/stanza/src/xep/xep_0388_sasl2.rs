//! [XEP-0388: Extensible SASL Profile](https://xmpp.org/extensions/xep-0388.html)
//!
//! Conversation: `rfc6120_sasl.md`
//!
//! What stream negotiation says by it is in `waxwing_stream`; here is what others keep of it.

use crate::payload::payload;

/// Namespace of SASL2.
pub const NS: &str = "urn:xmpp:sasl:2";

payload! {
    /// Which client it is, of all that an account has (§2.3).
    pub struct UserAgent(NS, "user-agent") {
        /// A UUID that this installation keeps. Never to be shown to others.
        id: Option<String> = attr("id"),
        /// The software.
        software: Option<String> = text_child("software"),
        /// The device that it is installed on.
        device: Option<String> = text_child("device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Example 3.
    #[test]
    fn user_agents() {
        let agent = written::<UserAgent>(
            "<user-agent xmlns='urn:xmpp:sasl:2' id='d4565fa7-4d72-4749-b3d3-740edbf87770'>\
             <software>AwesomeXMPP</software><device>Kiva's Phone</device></user-agent>",
        );
        assert_eq!(
            agent.id.as_deref(),
            Some("d4565fa7-4d72-4749-b3d3-740edbf87770")
        );
        assert_eq!(agent.software.as_deref(), Some("AwesomeXMPP"));
        assert_eq!(agent.device.as_deref(), Some("Kiva's Phone"));
    }
}
