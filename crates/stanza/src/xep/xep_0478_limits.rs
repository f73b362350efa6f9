//! [XEP-0478: Stream Limits Advertisement](https://xmpp.org/extensions/xep-0478.html)

use crate::payload::payload;

/// Namespace of limits.
pub const NS: &str = "urn:xmpp:stream-limits:0";

payload! {
    /// Stream feature: what the announcing side accepts (§3.1).
    pub struct StreamLimits(NS, "limits") {
        /// Bytes of a first-level element.
        max_bytes: Option<u32> = text_child("max-bytes"),
        /// Seconds without traffic after which the stream counts as idle.
        idle_seconds: Option<u32> = text_child("idle-seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// Example 1.
    #[test]
    fn example() {
        let limits = written::<StreamLimits>(
            "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes>\
             <idle-seconds>1800</idle-seconds></limits>",
        );
        assert_eq!(
            (limits.max_bytes, limits.idle_seconds),
            (Some(10_000), Some(1_800))
        );
        let none = written::<StreamLimits>("<limits xmlns='urn:xmpp:stream-limits:0'/>");
        assert_eq!((none.max_bytes, none.idle_seconds), (None, None));
        let text = "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>many</max-bytes></limits>";
        assert!(read::<StreamLimits>(text).is_err());
    }
}
