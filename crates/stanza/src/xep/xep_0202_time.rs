//! [XEP-0202: Entity Time](https://xmpp.org/extensions/xep-0202.html)

use super::xep_0082_datetime::DateTime;
use crate::payload::payload;

/// Namespace of entity time, and the name of the feature.
pub const NS: &str = "urn:xmpp:time";

payload! {
    /// A question (empty), or what the clock there shows. Both fields are there in a result.
    pub struct Time(NS, "time") {
        /// How far local time is from UTC: `Z` or `±hh:mm` (XEP-0082 §3.4).
        tzo: Option<String> = text_child("tzo"),
        /// The time, in UTC.
        utc: Option<DateTime> = text_child("utc"),
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
        let question = written::<Time>("<time xmlns='urn:xmpp:time'/>");
        assert_eq!((question.tzo, question.utc), (None, None));
        let answer = written::<Time>(
            "<time xmlns='urn:xmpp:time'><tzo>-06:00</tzo><utc>2006-12-19T17:58:35Z</utc></time>",
        );
        assert_eq!(answer.tzo.as_deref(), Some("-06:00"));
        assert_eq!(answer.utc.unwrap().to_string(), "2006-12-19T17:58:35Z");
    }

    #[test]
    fn a_time_that_is_none() {
        let odd = "<time xmlns='urn:xmpp:time'><tzo>Z</tzo><utc>noon</utc></time>";
        assert_eq!(
            read::<Time>(odd),
            Err(PayloadError::Text {
                element: "utc",
                fault: TextFault::DateTime
            })
        );
    }
}
