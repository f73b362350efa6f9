//! [XEP-0509: Initial Authentication Pipelining](https://xmpp.org/extensions/xep-0509.html)
//!
//! Conversation: `rfc6120_sasl.md`

use crate::payload::payload;

/// Namespace of initial authentication pipelining.
pub const NS: &str = "urn:xmpp:iap:0";

payload! {
    /// What a server offers, in one value; a client that says the same knows it (§2.1, §2.2).
    pub struct ConfigVersion(NS, "config-version") {
        /// How the value is made; clients need not know.
        scheme: Option<String> = attr("scheme"),
        /// The value.
        value: String = attr("value"),
    }
}

payload! {
    /// In a failure: the server offers something else by now (§2.2).
    pub struct Mismatch(NS, "config-version-mismatch") {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Example 1.
    #[test]
    fn versions() {
        let version = written::<ConfigVersion>(
            "<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='V2VsbCwgb2YgY291cnNl'/>",
        );
        assert_eq!(version.scheme.as_deref(), Some("opaque"));
        assert_eq!(version.value, "V2VsbCwgb2YgY291cnNl");
    }
}
