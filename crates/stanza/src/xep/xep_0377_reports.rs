//! [XEP-0377: Blocking Command Reports](https://xmpp.org/extensions/xep-0377.html)

use waxwing_wire::Element;

use super::xep_0359_stanza_ids::StanzaId;
use crate::payload::{Payload, PayloadError, payload};

/// Namespace of reports, and the name of the feature.
pub const NS: &str = "urn:xmpp:reporting:1";

/// Why: messages that nobody wants.
pub const SPAM: &str = "urn:xmpp:reporting:spam";
/// Why: any other abuse.
pub const ABUSE: &str = "urn:xmpp:reporting:abuse";

/// Node of our command that lists reports.
pub const LIST: &str = "urn:xmpp:reporting:1#list-reports";
/// Node of our command that shows one.
pub const SHOW: &str = "urn:xmpp:reporting:1#show-report";
/// Node of our command that removes some.
pub const DISMISS: &str = "urn:xmpp:reporting:1#dismiss-reports";

payload! {
    /// Why somebody is blocked, for whoever runs the server ("Payload").
    pub struct Report(NS, "report") {
        /// The reason, as a URN.
        reason: String = attr("reason"),
        /// The messages that it is about, by the ids that the archive gave them.
        messages: Vec<StanzaId> = child(),
        /// What the reporter says of it, in one language or several.
        texts: Vec<Comment> = child(),
        /// Whether it may be sent to the domain that the messages came from.
        report_origin: bool = flag("report-origin"),
        /// Whether it may be sent to others who deal with reports.
        third_party: bool = flag("third-party"),
    }
}

payload! {
    /// What somebody says.
    pub struct Comment(NS, "text") {
        /// In which language.
        lang: Option<String> = attr("xml:lang"),
        /// What.
        text: String = text(),
    }
}

/// The report of an item that is blocked. What cannot be read is none: a block counts with a report as it does without
/// ("Submitting Reports as Part of Blocking").
pub(crate) fn read_report(item: &Element) -> Result<Option<Report>, PayloadError> {
    Ok(Report::find(item).ok().flatten())
}

/// Writes it into the item.
pub(crate) fn write_report(item: &mut Element, report: &Option<Report>) {
    if let Some(report) = report {
        item.push(report.write());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use crate::xep::xep_0191_blocking::Block;

    /// "Payload", "Report Processing Opt-in".
    #[test]
    fn examples() {
        let report = written::<Report>(
            "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>\
             <stanza-id xmlns='urn:xmpp:sid:0' id='28482-98726-73623' by='romeo@example.net'/>\
             <text xml:lang='en'>Never came trouble to my house like this.</text><report-origin/><third-party/></report>",
        );
        assert_eq!(report.reason, SPAM);
        assert_eq!(report.messages[0].id, "28482-98726-73623");
        assert_eq!(report.texts[0].lang.as_deref(), Some("en"));
        assert!(report.report_origin && report.third_party);
        let basic = written::<Report>(
            "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:abuse'/>",
        );
        assert!(basic.texts.is_empty() && !basic.third_party);
    }

    #[test]
    fn a_block_counts_whatever_the_report_is() {
        for (report, is_read) in [
            ("<report xmlns='urn:xmpp:reporting:1' reason='a'/>", true),
            ("<report xmlns='urn:xmpp:reporting:1'/>", false),
            ("<report xmlns='urn:xmpp:reporting:0' reason='a'/>", false),
            (
                "<report xmlns='urn:xmpp:reporting:1' reason='a'><stanza-id xmlns='urn:xmpp:sid:0' id='1'/></report>",
                false,
            ),
        ] {
            let block = format!(
                "<block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'>{report}</item></block>"
            );
            let block = read::<Block>(&block).unwrap();
            assert_eq!(block.items[0].report.is_some(), is_read, "{report}");
        }
    }
}
