//! [XEP-0059: Result Set Management](https://xmpp.org/extensions/xep-0059.html)
//!
//! Conversation: `xep_0059_rsm.md`

use crate::payload::payload;

/// Namespace of result sets, and the name of the feature.
pub const NS: &str = "http://jabber.org/protocol/rsm";

payload! {
    /// Which page of a result is wanted, or which one this is (§2).
    pub struct ResultSet(NS, "set") {
        /// In a question: what follows this one (§2.2), or, empty, the first page.
        after: Option<String> = text_child("after"),
        /// In a question: what comes before this one (§2.3), or, empty, the last page (§2.5).
        before: Option<String> = text_child("before"),
        /// How many there are in all (§2.7).
        count: Option<u64> = text_child("count"),
        /// In an answer: the first of the page.
        first: Option<First> = child(),
        /// In a question: the page that begins with the item of this number, from 0 on (§2.6).
        index: Option<u64> = text_child("index"),
        /// In an answer: the last of the page.
        last: Option<String> = text_child("last"),
        /// In a question: how many at most; 0 for their number alone (§2.7).
        max: Option<u64> = text_child("max"),
    }
}

payload! {
    /// The first item of a page.
    pub struct First(NS, "first") {
        /// Its number in the whole result, from 0 on.
        index: Option<u64> = attr("index"),
        /// Its name.
        id: String = text(),
    }
}

impl ResultSet {
    /// A set that says nothing.
    pub const NONE: ResultSet = ResultSet {
        after: None,
        before: None,
        count: None,
        first: None,
        index: None,
        last: None,
        max: None,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// §2.2, §2.5.
    #[test]
    fn examples() {
        let question = written::<ResultSet>(
            "<set xmlns='http://jabber.org/protocol/rsm'><after>peterpan@neverland.lit</after>\
             <max>10</max></set>",
        );
        assert_eq!((question.max, question.before), (Some(10), None));
        let answer = written::<ResultSet>(
            "<set xmlns='http://jabber.org/protocol/rsm'><count>800</count>\
             <first index='10'>stpeter@jabber.org</first><last>peterpan@neverland.lit</last></set>",
        );
        assert_eq!(answer.first.and_then(|first| first.index), Some(10));
        let last = read::<ResultSet>(
            "<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><before/></set>",
        );
        assert_eq!(last.unwrap().before.as_deref(), Some(""));
    }
}
