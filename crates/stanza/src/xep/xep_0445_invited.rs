//! [XEP-0445: Pre-Authenticated In-Band Registration](https://xmpp.org/extensions/xep-0445.html)
//!
//! The token is shown by what XEP-0379 has for it.

use crate::payload::payload;

/// Namespace of the stream feature.
pub const NS: &str = "urn:xmpp:ibr-token:0";

/// Namespace of the same feature before it had that one: clients look for it still.
pub const NS_FORMER: &str = "urn:xmpp:invite";

payload! {
    /// The same under its former name.
    pub struct FormerTokenFeature(NS_FORMER, "register") {}
}

payload! {
    /// Stream feature: whoever has a token of an invitation can register ("Discovery").
    pub struct TokenFeature(NS, "register") {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    #[test]
    fn it_is_another_element_than_that_of_registration() {
        let feature = written::<TokenFeature>("<register xmlns='urn:xmpp:ibr-token:0'/>");
        assert_eq!(feature, TokenFeature {});
    }
}
