//! [XEP-0092: Software Version](https://xmpp.org/extensions/xep-0092.html)

use crate::payload::payload;

/// Namespace of software versions, and the name of the feature.
pub const NS: &str = "jabber:iq:version";

payload! {
    /// A question (empty), or what runs there. Name and version are there in a result.
    pub struct Version(NS, "query") {
        /// The software.
        name: Option<String> = text_child("name"),
        /// Its version.
        version: Option<String> = text_child("version"),
        /// What it runs on; can tell an attacker something.
        os: Option<String> = text_child("os"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Examples 1 and 2.
    #[test]
    fn examples() {
        let question = written::<Version>("<query xmlns='jabber:iq:version'/>");
        assert_eq!(
            question,
            Version {
                name: None,
                version: None,
                os: None
            }
        );
        let answer = written::<Version>(
            "<query xmlns='jabber:iq:version'><name>Exodus</name><version>0.7.0.4</version>\
             <os>Windows-XP 5.01.2600</os></query>",
        );
        assert_eq!(answer.name.as_deref(), Some("Exodus"));
        assert_eq!(answer.version.as_deref(), Some("0.7.0.4"));
        assert_eq!(answer.os.as_deref(), Some("Windows-XP 5.01.2600"));
    }
}
