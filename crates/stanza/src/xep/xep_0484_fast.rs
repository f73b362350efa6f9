//! [XEP-0484: Fast Authentication Streamlining Tokens](https://xmpp.org/extensions/xep-0484.html)
//!
//! Conversation: `rfc6120_sasl.md`

use super::xep_0082_datetime::DateTime;
use crate::payload::{Secret, payload};

/// Namespace of FAST.
pub const NS: &str = "urn:xmpp:fast:0";

payload! {
    /// What stands in `<inline/>` of SASL2's stream feature (§3.1).
    pub struct Offer(NS, "fast") {
        /// Whether a log-in may come in TLS's early data.
        tls_0rtt: bool = attr("tls-0rtt", false),
        /// The mechanisms that take a token.
        mechanisms: Vec<String> = text_child("mechanism"),
    }
}

payload! {
    /// In a log-in: it is by a token (§3.4).
    pub struct Fast(NS, "fast") {
        /// Which log-in by this token it is: higher each time.
        count: Option<u32> = attr("count"),
        /// Whether the token is to be good for nothing afterwards (§3.6).
        invalidate: bool = attr("invalidate", false),
    }
}

payload! {
    /// In a log-in: asks for a token (§3.2).
    pub struct RequestToken(NS, "request-token") {
        /// What it shall be for.
        mechanism: String = attr("mechanism"),
    }
}

payload! {
    /// A token for the next log-ins (§3.3).
    pub struct Token(NS, "token") {
        /// When it ends.
        expiry: DateTime = attr("expiry"),
        /// The token: as good as the password.
        token: Secret = attr("token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// Example 1.
    #[test]
    fn offering() {
        let offer = written::<Offer>(
            "<fast xmlns='urn:xmpp:fast:0' tls-0rtt='true'>\
             <mechanism>HT-SHA-256-ENDP</mechanism><mechanism>HT-SHA-256-EXPR</mechanism>\
             <mechanism>HT-SHA-256-NONE</mechanism></fast>",
        );
        assert!(offer.tls_0rtt && offer.mechanisms.len() == 3);
    }

    /// The examples of §3.2 to §3.6.
    #[test]
    fn asking_and_using() {
        let request = written::<RequestToken>(
            "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-ENDP'/>",
        );
        assert_eq!(request.mechanism, "HT-SHA-256-ENDP");
        let token = written::<Token>(
            "<token xmlns='urn:xmpp:fast:0' expiry='2020-03-12T14:36:15Z' \
             token='WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm'/>",
        );
        assert!(!format!("{token:?}").contains("WXZzciBw"));
        let fast = read::<Fast>("<fast xmlns='urn:xmpp:fast:0' count='123' invalidate='1'/>");
        assert_eq!(
            fast,
            Ok(Fast {
                count: Some(123),
                invalidate: true
            })
        );
        for wrong in ["count='-1'", "count='x'", "invalidate='perhaps'"] {
            assert!(read::<Fast>(&format!("<fast xmlns='urn:xmpp:fast:0' {wrong}/>")).is_err());
        }
    }
}
