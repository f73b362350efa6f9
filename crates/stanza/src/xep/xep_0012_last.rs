//! [XEP-0012: Last Activity](https://xmpp.org/extensions/xep-0012.html)

use crate::payload::payload;

/// Namespace of last activity, and the name of the feature.
pub const NS: &str = "jabber:iq:last";

payload! {
    /// A question (empty), or how long it has been.
    pub struct Last(NS, "query") {
        /// Seconds since the account was left (§3), since somebody used the client (§4), or since the
        /// server was started (§5). There in a result.
        seconds: Option<u64> = attr("seconds"),
        /// What the account's last presence said; often empty.
        status: String = text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use crate::payload::{PayloadError, TextFault};

    /// Examples 1, 2 and 5.
    #[test]
    fn examples() {
        let question = written::<Last>("<query xmlns='jabber:iq:last'/>");
        assert_eq!((question.seconds, question.status.as_str()), (None, ""));
        let left =
            written::<Last>("<query xmlns='jabber:iq:last' seconds='903'>Heading Home</query>");
        assert_eq!(
            (left.seconds, left.status.as_str()),
            (Some(903), "Heading Home")
        );
    }

    #[test]
    fn seconds_are_a_number() {
        assert_eq!(
            read::<Last>("<query xmlns='jabber:iq:last' seconds='-1'/>"),
            Err(PayloadError::Attribute {
                element: "query",
                attribute: "seconds",
                fault: TextFault::Number
            })
        );
    }
}
