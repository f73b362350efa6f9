//! [XEP-0066: Out of Band Data](https://xmpp.org/extensions/xep-0066.html)
//!
//! Conversation: `xep_0077_registration.md`

use crate::payload::payload;

/// Namespace of a link that goes with something else.
pub const NS_X: &str = "jabber:x:oob";

/// Namespace of a link that is offered by an IQ.
pub const NS_IQ: &str = "jabber:iq:oob";

payload! {
    /// A link that goes with a message, or with a form (§3).
    pub struct Link(NS_X, "x") {
        /// Where it is.
        url: String = text_child("url"),
        /// What it is.
        desc: Option<String> = text_child("desc"),
    }
}

payload! {
    /// An offer to fetch a file from somewhere (§2).
    pub struct Offer(NS_IQ, "query") {
        /// The stream that is being negotiated by other means.
        sid: Option<String> = attr("sid"),
        /// Where it is.
        url: String = text_child("url"),
        /// What it is.
        desc: Option<String> = text_child("desc"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::PayloadError;
    use crate::payload::testing::{read, written};

    /// Examples 1 and 5.
    #[test]
    fn examples() {
        let offer = written::<Offer>(
            "<query xmlns='jabber:iq:oob' sid='a0'>\
             <url>http://www.jabber.org/images/psa-license.jpg</url>\
             <desc>A license to Jabber!</desc></query>",
        );
        assert_eq!(offer.sid.as_deref(), Some("a0"));
        let link = written::<Link>(
            "<x xmlns='jabber:x:oob'><url>http://www.jabber.org/images/psa-license.jpg</url></x>",
        );
        assert_eq!((link.url, link.desc), (offer.url, None));
        assert_eq!(
            read::<Link>("<x xmlns='jabber:x:oob'/>"),
            Err(PayloadError::NoChild {
                element: "x",
                child: "url"
            })
        );
    }
}
