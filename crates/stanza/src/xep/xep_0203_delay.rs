//! [XEP-0203: Delayed Delivery](https://xmpp.org/extensions/xep-0203.html)
//!
//! Conversation: `xep_0160_offline.md`

use super::xep_0082_datetime::DateTime;
use crate::Jid;
use crate::payload::payload;

/// Namespace of delays, and the name of the feature.
pub const NS: &str = "urn:xmpp:delay";

payload! {
    /// When a stanza was sent that is delivered late.
    pub struct Delay(NS, "delay") {
        /// Who sent the stanza, or who kept it. What is no address is read as none: the time is what
        /// matters.
        from: Option<Jid> = known_attr("from"),
        /// When it was sent.
        stamp: DateTime = attr("stamp"),
        /// Why it was kept, for people. Often empty.
        reason: String = text(),
    }
}

impl Delay {
    /// A delay without reason.
    pub fn new(from: impl Into<Jid>, stamp: DateTime) -> Delay {
        Delay {
            from: Some(from.into()),
            stamp,
            reason: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use crate::payload::{PayloadError, TextFault};

    /// Examples 1 and 2.
    #[test]
    fn examples() {
        let kept = written::<Delay>(
            "<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2002-09-10T23:08:25Z'>\
             Offline Storage</delay>",
        );
        assert_eq!(kept.from.as_ref().unwrap(), &"capulet.com");
        assert_eq!(kept.stamp.to_string(), "2002-09-10T23:08:25Z");
        assert_eq!(kept.reason, "Offline Storage");
        let last = written::<Delay>(
            "<delay xmlns='urn:xmpp:delay' from='juliet@capulet.com/balcony' \
             stamp='2002-09-10T23:41:07Z'/>",
        );
        assert_eq!(last, Delay::new(last.from.clone().unwrap(), last.stamp));
    }

    #[test]
    fn the_time_is_what_matters() {
        let odd = "<delay xmlns='urn:xmpp:delay' from='@' stamp='2002-09-10T23:08:25Z'/>";
        assert_eq!(read::<Delay>(odd).unwrap().from, None);
        let legacy = "<delay xmlns='urn:xmpp:delay' stamp='20020910T23:08:25'/>";
        assert_eq!(
            read::<Delay>(legacy),
            Err(PayloadError::Attribute {
                element: "delay",
                attribute: "stamp",
                fault: TextFault::DateTime
            })
        );
        assert_eq!(
            read::<Delay>("<delay xmlns='urn:xmpp:delay'/>"),
            Err(PayloadError::NoAttribute {
                element: "delay",
                attribute: "stamp"
            })
        );
    }
}
