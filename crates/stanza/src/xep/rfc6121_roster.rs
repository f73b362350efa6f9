//! [RFC 6121 §2: Managing the Roster](https://www.rfc-editor.org/rfc/rfc6121#section-2)

use crate::BareJid;
use crate::payload::{keywords, payload};

/// Namespace of roster queries.
pub const NS: &str = "jabber:iq:roster";

/// Namespace of the stream feature by which a server offers roster versions (§2.6.1).
pub const NS_VERSIONING: &str = "urn:xmpp:features:rosterver";

/// Namespace of the stream feature by which a server offers pre-approval of subscriptions (§3.4.1).
pub const NS_PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";

payload! {
    /// A roster, whole (result of a get) or one item of it (set and push).
    pub struct Roster(NS, "query") {
        /// Version that the client has, or that the roster or the push has (§2.6). Empty in a request:
        /// the client can cache versions, but has none.
        ver: Option<String> = attr("ver"),
        /// The contacts; exactly one in a set.
        items: Vec<Item> = child(),
    }
}

payload! {
    /// A contact (§2.1.2). A server ignores what a set says of subscription, ask and approval, but for
    /// [`Subscription::Remove`] (§2.1.2); so unknown values are no errors. It shows the subscription always.
    pub struct Item(NS, "item") {
        /// The contact. Clients may send an address with resource; servers refuse it.
        jid: BareJid = attr("jid"),
        /// What the user calls the contact.
        name: Option<String> = attr("name"),
        /// Who receives whose presence.
        subscription: Option<Subscription> = known_attr("subscription"),
        /// Whether the user asked for a subscription and has no answer yet.
        ask: Option<Ask> = known_attr("ask"),
        /// Whether the user approved a subscription that the contact has not asked for yet (§3.4).
        approved: bool = known_attr("approved"),
        /// Names of the groups that the user put the contact in.
        groups: Vec<String> = text_child("group"),
    }
}

keywords! {
    /// Who receives whose presence (§2.1.2.5).
    #[derive(Default)]
    pub enum Subscription {
        /// Nobody.
        #[default]
        None = "none",
        /// The user that of the contact.
        To = "to",
        /// The contact that of the user.
        From = "from",
        /// Each that of the other.
        Both = "both",
        /// In a set: the item shall be removed. In a push: it was.
        Remove = "remove",
    }
}

keywords! {
    /// What the user has asked of the contact (§2.1.2.2).
    pub enum Ask {
        /// A subscription to the contact's presence.
        Subscribe = "subscribe",
    }
}

payload! {
    /// Stream feature: the server knows roster versions (§2.6.1).
    pub struct Versioning(NS_VERSIONING, "ver") {}
}

payload! {
    /// Stream feature: users can approve subscriptions before they are asked for (§3.4.1).
    pub struct PreApproval(NS_PRE_APPROVAL, "sub") {}
}

impl Subscription {
    /// Whether the contact receives the user's presence.
    pub fn has_from(self) -> bool {
        matches!(self, Subscription::From | Subscription::Both)
    }

    /// Whether the user receives the contact's presence.
    pub fn has_to(self) -> bool {
        matches!(self, Subscription::To | Subscription::Both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use crate::{JidError, PayloadError, payload::TextFault};

    /// §2.1.4: result.
    #[test]
    fn result() {
        let roster = written::<Roster>(
            "<query xmlns='jabber:iq:roster' ver='ver11'>\
             <item jid='romeo@example.net' name='Romeo' subscription='both'>\
             <group>Friends</group></item>\
             <item jid='mercutio@example.com' name='Mercutio' subscription='from'/>\
             <item jid='benvolio@example.net' name='Benvolio' ask='subscribe' approved='true'/>\
             </query>",
        );
        assert_eq!(roster.ver.as_deref(), Some("ver11"));
        assert_eq!(roster.items[0].groups, ["Friends"]);
        assert_eq!(roster.items[1].subscription, Some(Subscription::From));
        assert_eq!(roster.items[2].ask, Some(Ask::Subscribe));
        assert!(roster.items[2].approved);
    }

    /// §2.1.3, §2.6.2: get, without and with knowledge of versions.
    #[test]
    fn get() {
        assert_eq!(
            written::<Roster>("<query xmlns='jabber:iq:roster'/>").ver,
            None
        );
        let bootstrap = written::<Roster>("<query xmlns='jabber:iq:roster' ver=''/>");
        assert_eq!(bootstrap.ver.as_deref(), Some(""));
    }

    /// §2.5.1, and the values that a server ignores in a set.
    #[test]
    fn set() {
        let remove = written::<Roster>(
            "<query xmlns='jabber:iq:roster'>\
             <item jid='nurse@example.com' subscription='remove'/></query>",
        );
        assert_eq!(remove.items[0].subscription, Some(Subscription::Remove));
        let odd = read::<Roster>(
            "<query xmlns='jabber:iq:roster'>
               <item jid='Nurse@example.com' subscription='' ask='nicely' approved='perhaps'/>
             </query>",
        )
        .unwrap();
        assert_eq!(odd.items[0].jid, "nurse@example.com");
        assert_eq!(odd.items[0].subscription, None);
        assert_eq!((odd.items[0].ask, odd.items[0].approved), (None, false));
    }

    #[test]
    fn wrong_items() {
        let item = |xml: &str| read::<Item>(xml);
        assert_eq!(
            item("<item xmlns='jabber:iq:roster'/>"),
            Err(PayloadError::NoAttribute {
                element: "item",
                attribute: "jid"
            })
        );
        let full = item("<item xmlns='jabber:iq:roster' jid='a@b/c'/>").unwrap_err();
        assert_eq!(
            full,
            PayloadError::Attribute {
                element: "item",
                attribute: "jid",
                fault: TextFault::Jid(JidError::ResourcePresent),
            }
        );
        assert_eq!(full.condition(), crate::Condition::JidMalformed);
        assert_eq!(
            full.to_string(),
            "attribute 'jid' of <item/> is no address: the address has a resource"
        );
    }

    #[test]
    fn stream_features() {
        let sub = "<sub xmlns='urn:xmpp:features:pre-approval'/>";
        assert_eq!(written::<PreApproval>(sub), PreApproval {});
        assert_eq!(
            written::<Versioning>("<ver xmlns='urn:xmpp:features:rosterver'/>"),
            Versioning {}
        );
    }

    #[test]
    fn who_receives() {
        let table = Subscription::ALL.map(|it| (it.has_to(), it.has_from()));
        let expected = [
            (false, false),
            (true, false),
            (false, true),
            (true, true),
            (false, false),
        ];
        assert_eq!(table, expected);
    }
}
