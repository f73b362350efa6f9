//! [XEP-0379: Pre-Authenticated Roster Subscription](https://xmpp.org/extensions/xep-0379.html)

use crate::payload::{Secret, payload};

/// Namespace of tokens.
pub const NS: &str = "urn:xmpp:pars:0";

payload! {
    /// Shows the token of an invitation: in a request for a subscription, and before a registration (XEP-0445).
    pub struct Preauth(NS, "preauth") {
        /// The token.
        token: Secret = attr("token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    #[test]
    fn a_token_is_shown_and_never_written_to_a_log() {
        let preauth =
            written::<Preauth>("<preauth xmlns='urn:xmpp:pars:0' token='1tMFqYDdKhfe2pwp'/>");
        assert_eq!(preauth.token, Secret("1tMFqYDdKhfe2pwp".into()));
        assert!(!format!("{preauth:?}").contains("1tMF"));
        assert!(read::<Preauth>("<preauth xmlns='urn:xmpp:pars:0'/>").is_err());
    }
}
