//! [XEP-0131: Stanza Headers and Internet Metadata](https://xmpp.org/extensions/xep-0131.html)
//!
//! Conversation: `xep_0060_pubsub.md`

use crate::payload::payload;

/// Namespace of headers, and the name of the feature.
pub const NS: &str = "http://jabber.org/protocol/shim";

/// Which subscription a notification is sent for (XEP-0060 §15.6).
pub const SUBID: &str = "SubID";

payload! {
    /// Headers of a stanza (§2).
    pub struct Headers(NS, "headers") {
        /// One at least.
        headers: Vec<Header> = child(),
    }
}

payload! {
    /// One header.
    pub struct Header(NS, "header") {
        /// Its name, by the registry at <https://xmpp.org/registrar/shim.html>.
        name: String = attr("name"),
        /// Its value.
        value: String = text(),
    }
}

impl Headers {
    /// Headers that all have one name.
    pub fn named<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Headers {
        let header = |value: &str| Header {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        Headers {
            headers: values.into_iter().map(header).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// XEP-0060 §7.1.2.4.
    #[test]
    fn example() {
        let headers = written::<Headers>(
            "<headers xmlns='http://jabber.org/protocol/shim'><header name='SubID'>123-abc</header>\
             <header name='SubID'>004-yyy</header></headers>",
        );
        assert_eq!(headers, Headers::named(SUBID, ["123-abc", "004-yyy"]));
    }
}
