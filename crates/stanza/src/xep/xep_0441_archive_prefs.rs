//! [XEP-0441: Message Archive Management Preferences](https://xmpp.org/extensions/xep-0441.html)

use super::xep_0313_archive::NS;
use crate::Jid;
use crate::payload::{keywords, payload};

payload! {
    /// What of somebody's messages is archived (§2.1).
    pub struct Prefs(NS, "prefs") {
        /// What is done where neither list says it.
        default: ByDefault = attr("default"),
        /// With whom always.
        always: Option<Always> = child(),
        /// With whom never.
        never: Option<Never> = child(),
    }
}

payload! {
    /// Asks for them (§2.1).
    pub struct AskPrefs(NS, "prefs") {}
}

keywords! {
    /// What is done where neither list says it (§2.1.1).
    pub enum ByDefault {
        /// All messages are archived.
        Always = "always",
        /// None is.
        Never = "never",
        /// Those exchanged with contacts are.
        Roster = "roster",
    }
}

payload! {
    /// With whom messages are archived in any case (§2.1.2).
    pub struct Always(NS, "always") {
        /// Whole accounts, or single sessions.
        jids: Vec<Jid> = text_child("jid"),
    }
}

payload! {
    /// With whom messages are archived in no case (§2.1.3).
    pub struct Never(NS, "never") {
        /// Whole accounts, or single sessions.
        jids: Vec<Jid> = text_child("jid"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// §2.1.
    #[test]
    fn examples() {
        let prefs = written::<Prefs>(
            "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>romeo@montague.lit</jid></always>\
             <never><jid>montague@montague.lit</jid></never></prefs>",
        );
        assert_eq!(prefs.default, ByDefault::Roster);
        assert_eq!(prefs.always.unwrap().jids[0].as_str(), "romeo@montague.lit");
        let empty = "<prefs xmlns='urn:xmpp:mam:2' default='never'><always/><never/></prefs>";
        assert_eq!(
            written::<Prefs>(empty).never,
            Some(Never { jids: Vec::new() })
        );
        for wrong in ["", " default='often'"] {
            let prefs = format!("<prefs xmlns='urn:xmpp:mam:2'{wrong}/>");
            assert!(read::<Prefs>(&prefs).is_err());
        }
        let wrong =
            "<prefs xmlns='urn:xmpp:mam:2' default='never'><always><jid>@</jid></always></prefs>";
        assert!(read::<Prefs>(wrong).is_err());
    }
}
