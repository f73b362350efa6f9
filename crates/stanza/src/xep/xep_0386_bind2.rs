//! [XEP-0386: Bind 2](https://xmpp.org/extensions/xep-0386.html)
//!
//! Conversation: `rfc6120_sasl.md`

use crate::payload::payload;

/// Namespace of Bind 2.
pub const NS: &str = "urn:xmpp:bind:0";

payload! {
    /// What stands in `<inline/>` of SASL2's stream feature, without what stands in requests (§3.1).
    pub struct Offer(NS, "bind") {
        /// What can be asked for together with a resource.
        inline: Option<Inline> = child(),
    }
}

payload! {
    /// What can be asked for together with a resource (§3.1).
    pub struct Inline(NS, "inline") {
        /// At least one.
        features: Vec<Feature> = child(),
    }
}

payload! {
    /// One thing that can be asked for (§3.1).
    pub struct Feature(NS, "feature") {
        /// Its name in service discovery, or its namespace.
        var: String = attr("var"),
    }
}

payload! {
    /// The request for a resource, without what is asked for together with it (§3.2).
    pub struct Request(NS, "bind") {
        /// What the client calls itself: others see it in the resource.
        tag: Option<String> = text_child("tag"),
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
            "<bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:carbons:2'/>\
             <feature var='urn:xmpp:csi:0'/><feature var='urn:xmpp:sm:3'/></inline></bind>",
        );
        let features = offer.inline.unwrap().features;
        let features: Vec<_> = features.iter().map(|feature| &feature.var[..]).collect();
        assert_eq!(
            features,
            ["urn:xmpp:carbons:2", "urn:xmpp:csi:0", "urn:xmpp:sm:3"]
        );
    }

    /// Examples 2 and 3.
    #[test]
    fn asking() {
        let request =
            written::<Request>("<bind xmlns='urn:xmpp:bind:0'><tag>AwesomeXMPP</tag></bind>");
        assert_eq!(request.tag.as_deref(), Some("AwesomeXMPP"));
        let more = read::<Request>(
            "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:carbons:2'/></bind>",
        );
        assert_eq!(more, Ok(Request { tag: None }));
    }
}
