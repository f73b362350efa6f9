//! [XEP-0440: SASL Channel-Binding Type Capability](https://xmpp.org/extensions/xep-0440.html)
//!
//! Conversation: `rfc6120_sasl.md`

use crate::payload::payload;

/// Namespace of the stream feature.
pub const NS: &str = "urn:xmpp:sasl-cb:0";

payload! {
    /// The stream feature: the kinds of channel binding that the server knows (§2).
    pub struct SaslChannelBinding(NS, "sasl-channel-binding") {
        /// At least one.
        kinds: Vec<ChannelBinding> = child(),
    }
}

payload! {
    /// One kind (§2).
    pub struct ChannelBinding(NS, "channel-binding") {
        /// Its registered name: the "channel-binding unique prefix".
        kind: String = attr("type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Example 1.
    #[test]
    fn example() {
        let feature = written::<SaslChannelBinding>(
            "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
             <channel-binding type='tls-server-end-point'/><channel-binding type='tls-exporter'/>\
             </sasl-channel-binding>",
        );
        let kinds: Vec<_> = feature.kinds.iter().map(|kind| &kind.kind[..]).collect();
        assert_eq!(kinds, ["tls-server-end-point", "tls-exporter"]);
    }
}
