//! [XEP-0313: Message Archive Management](https://xmpp.org/extensions/xep-0313.html)

use bytes::Bytes;
use waxwing_wire::{Stanza, Writer};

use super::xep_0004_forms::DataForm;
use super::xep_0059_rsm::ResultSet;
use super::xep_0082_datetime::DateTime;
use super::xep_0203_delay::Delay;
use super::xep_0297_forward::{Forwarded, forward};
use crate::payload::payload;

/// Namespace of archives, the name of the feature, and that of the form.
pub const NS: &str = "urn:xmpp:mam:2";

/// Name of the feature: ids in queries, pages that are flipped, metadata (§7).
pub const FEATURE_EXTENDED: &str = "urn:xmpp:mam:2#extended";

/// Name of the feature: messages of rooms can be asked for, and left out, whether there are any (§7).
pub const FEATURE_GROUPCHAT_FIELD: &str = "urn:xmpp:mam:2#groupchat-field";

payload! {
    /// Asks for messages (§4), or, as a `get`, for the fields by which they can be chosen (§4.1.5).
    pub struct Query(NS, "query") {
        /// Comes back with each result.
        query_id: Option<String> = attr("queryid"),
        /// Which node's archive, where it is one of nodes.
        node: Option<String> = attr("node"),
        /// Which messages.
        form: Option<DataForm> = child(),
        /// Which page of them.
        set: Option<ResultSet> = child(),
        /// Whether the page is to be sent in reverse (§4.3.4).
        is_flipped: bool = flag("flip-page"),
    }
}

payload! {
    /// One message of the archive (§4.2).
    pub struct Found(NS, "result") {
        /// Its name in the archive.
        id: String = attr("id"),
        /// What the query was called.
        query_id: Option<String> = attr("queryid"),
        /// The message.
        forwarded: Forwarded = child(),
    }
}

payload! {
    /// All results have been sent (§4).
    pub struct Fin(NS, "fin") {
        /// Whether nothing is behind this page (§4.3.2).
        is_complete: bool = attr("complete", false),
        /// Which page that was.
        set: Option<ResultSet> = child(),
    }
}

payload! {
    /// How far an archive reaches (§5): asked for empty.
    pub struct Metadata(NS, "metadata") {
        /// The oldest message.
        start: Option<Start> = child(),
        /// The newest message.
        end: Option<End> = child(),
    }
}

payload! {
    /// The oldest message of an archive.
    pub struct Start(NS, "start") {
        /// Its name.
        id: String = attr("id"),
        /// When it came.
        timestamp: DateTime = attr("timestamp"),
    }
}

payload! {
    /// The newest message of an archive.
    pub struct End(NS, "end") {
        /// Its name.
        id: String = attr("id"),
        /// When it came.
        timestamp: DateTime = attr("timestamp"),
    }
}

/// Writes `<result/>` around a message without changing a byte of its payloads.
pub fn found(message: &Stanza, id: &str, query_id: Option<&str>, delay: &Delay) -> Bytes {
    let mut writer = Writer::new("");
    writer.start(NS, "result");
    writer.attr("id", id);
    if let Some(query_id) = query_id {
        writer.attr("queryid", query_id);
    }
    writer.raw(&forward(message, Some(delay)));
    writer.end();
    writer.finish()
}

#[cfg(test)]
mod tests {
    use waxwing_wire::Element;

    use super::*;
    use crate::Payload;
    use crate::payload::testing::{read, stanza, written};

    /// §4, §4.3.1.
    #[test]
    fn queries() {
        let query = written::<Query>("<query xmlns='urn:xmpp:mam:2' queryid='f27'/>");
        assert_eq!(query.query_id.as_deref(), Some("f27"));
        let query = read::<Query>(
            "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>\
             <field var='start'><value>2010-08-07T00:00:00Z</value></field></x>\
             <set xmlns='http://jabber.org/protocol/rsm'><max>10</max><before/></set><flip-page/></query>",
        );
        let query = query.unwrap();
        assert!(query.is_flipped);
        assert_eq!(query.set.unwrap().max, Some(10));
        let form = query.form.unwrap();
        assert_eq!(form.form_type(), Some(NS));
        assert_eq!(form.value("start"), Some("2010-08-07T00:00:00Z"));
    }

    /// §4.3.2: who says nothing says that there is more.
    #[test]
    fn ends() {
        let fin = "<fin xmlns='urn:xmpp:mam:2' complete='true'><set xmlns='http://jabber.org/protocol/rsm'>\
             <count>16</count><first index='0'>23452-4534-1</first><last>390-2342-22</last></set></fin>";
        assert!(read::<Fin>(fin).unwrap().is_complete);
        assert!(
            !read::<Fin>("<fin xmlns='urn:xmpp:mam:2'/>")
                .unwrap()
                .is_complete
        );
    }

    /// §5.
    #[test]
    fn metadata() {
        let metadata = written::<Metadata>(
            "<metadata xmlns='urn:xmpp:mam:2'><start id='YWxwaGEg' timestamp='2008-08-22T21:09:04Z'/>\
             <end id='b21lZ2Eg' timestamp='2020-04-20T14:34:21Z'/></metadata>",
        );
        assert_eq!(metadata.end.unwrap().id, "b21lZ2Eg");
        assert_eq!(
            written::<Metadata>("<metadata xmlns='urn:xmpp:mam:2'/>").start,
            None
        );
    }

    /// §4.2.
    #[test]
    fn results() {
        let message = stanza("<message from='a@b/c' to='d@e' id='1'><x  xmlns='urn:x'/></message>");
        let delay = Delay {
            from: None,
            stamp: "2010-07-10T23:08:25Z".parse().unwrap(),
            reason: String::new(),
        };
        let bytes = found(&message, "28482", Some("f27"), &delay);
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(text.contains("<x  xmlns='urn:x'/>"), "{text}");
        let found = Found::read(&Element::parse(&bytes).unwrap()).unwrap();
        assert_eq!(
            (found.id.as_str(), found.query_id.as_deref()),
            ("28482", Some("f27"))
        );
        assert_eq!(found.forwarded.delay, Some(delay));
        assert_eq!(found.forwarded.stanza, Some(message.element()));
    }
}
