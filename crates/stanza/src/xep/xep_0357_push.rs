//! [XEP-0357: Push Notifications](https://xmpp.org/extensions/xep-0357.html)

use super::xep_0004_forms::DataForm;
use crate::Jid;
use crate::payload::payload;

/// Namespace of push notifications, and the name of the feature.
pub const NS: &str = "urn:xmpp:push:0";
/// Type of the form that sums up what there is to see (§7).
pub const FORM_SUMMARY: &str = "urn:xmpp:push:summary";
/// In that form: how many messages there are.
pub const MESSAGE_COUNT: &str = "message-count";
/// In that form: who sent the last one.
pub const LAST_SENDER: &str = "last-message-sender";
/// In that form: what it says.
pub const LAST_BODY: &str = "last-message-body";

payload! {
    /// Asks for notifications (§5).
    pub struct Enable(NS, "enable") {
        /// The app server.
        jid: Jid = attr("jid"),
        /// Its node for this client.
        node: Option<String> = attr("node"),
        /// What is to be published with them.
        form: Option<DataForm> = child(),
    }
}

payload! {
    /// Asks for no more notifications (§6).
    pub struct Disable(NS, "disable") {
        /// The app server.
        jid: Jid = attr("jid"),
        /// One node of it; without one, all.
        node: Option<String> = attr("node"),
    }
}

payload! {
    /// There is something to see (§7).
    pub struct Notification(NS, "notification") {
        /// What, as far as it is revealed.
        form: Option<DataForm> = child(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// Examples 6 to 9.
    #[test]
    fn asking() {
        let enable = written::<Enable>(
            "<enable xmlns='urn:xmpp:push:0' jid='push-5.client.example' node='yxs32uqsflafdk3iuqo'>\
             <x xmlns='jabber:x:data' type='submit'><field var='secret'><value>eruio234vzxc2kla-91</value></field>\
             </x></enable>",
        );
        let form = enable.form.unwrap();
        assert_eq!(form.value("secret"), Some("eruio234vzxc2kla-91"));
        let disable =
            written::<Disable>("<disable xmlns='urn:xmpp:push:0' jid='push-5.client.example'/>");
        assert_eq!(disable.node, None);
        assert!(read::<Enable>("<enable xmlns='urn:xmpp:push:0' node='x'/>").is_err());
        assert!(read::<Disable>("<disable xmlns='urn:xmpp:push:0'/>").is_err());
    }

    #[test]
    fn telling() {
        written::<Notification>("<notification xmlns='urn:xmpp:push:0'/>");
        let told = written::<Notification>(
            "<notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data' type='submit'>\
             <field var='message-count'><value>1</value></field></x></notification>",
        );
        assert_eq!(told.form.unwrap().value(MESSAGE_COUNT), Some("1"));
    }
}
