//! [XEP-0356: Privileged Entity](https://xmpp.org/extensions/xep-0356.html)

use waxwing_wire::Element;

use super::xep_0297_forward::{Forwarded, read_stanza, write_stanza};
use crate::payload::{PayloadError, keywords, payload};

/// Namespace of privileges, and the name of the feature.
pub const NS: &str = "urn:xmpp:privilege:2";

payload! {
    /// What an entity may do, or a message that it sends for another (§4.2, §5.3).
    pub struct Privilege(NS, "privilege") {
        /// What is granted.
        perms: Vec<Perm> = child(),
        /// What was forwarded.
        forwarded: Option<Forwarded> = child(),
    }
}

payload! {
    /// One permission.
    pub struct Perm(NS, "perm") {
        /// To what.
        access: Access = attr("access"),
        /// How far, where that is one word.
        kind: Option<String> = attr("type"),
        /// Whether roster pushes come (§4.2).
        push: Option<bool> = attr("push"),
        /// The namespaces of IQ requests (§6.2).
        namespaces: Vec<Namespace> = child(),
    }
}

payload! {
    /// A namespace in which an entity may send requests for others (§6.2).
    pub struct Namespace(NS, "namespace") {
        /// Of the request's payload.
        ns: String = attr("ns"),
        /// Which requests.
        kind: Requests = attr("type"),
    }
}

payload! {
    /// A request on behalf of an account (§6.3).
    pub struct PrivilegedIq(NS, "privileged_iq") {
        /// A stanza in the namespace `jabber:client`: whether it is a request is for who reads it to see.
        iq: Option<Element> = by(read_only_stanza, write_stanza),
    }
}

/// The one stanza: where there are more, nothing says which was meant.
fn read_only_stanza(privileged: &Element) -> Result<Option<Element>, PayloadError> {
    let is_alone = privileged.children().nth(1).is_none();
    Ok(read_stanza(privileged)?.filter(|_| is_alone))
}

keywords! {
    /// To what a permission gives access.
    pub enum Access {
        /// Rosters of accounts (§4).
        Roster = "roster",
        /// Messages on behalf of the server and of accounts (§5).
        Message = "message",
        /// Requests on behalf of accounts (§6).
        Iq = "iq",
        /// Presence of accounts (§7).
        Presence = "presence",
    }
}

keywords! {
    /// Which requests are allowed.
    pub enum Requests {
        /// None.
        None = "none",
        /// Those of type `get`.
        Get = "get",
        /// Those of type `set`.
        Set = "set",
        /// Those of either type.
        Both = "both",
    }
}

keywords! {
    /// What is told of presence.
    pub enum Shown {
        /// Nothing.
        None = "none",
        /// That of the server's accounts (§7.1).
        ManagedEntity = "managed_entity",
        /// That of their contacts too (§7.4).
        Roster = "roster",
    }
}

/// The word for the permission to send messages (§5.1).
pub const OUTGOING: &str = "outgoing";

impl Requests {
    /// Whether requests of type `get` are among them.
    pub fn has_get(self) -> bool {
        matches!(self, Requests::Get | Requests::Both)
    }

    /// Whether requests of type `set` are among them.
    pub fn has_set(self) -> bool {
        matches!(self, Requests::Set | Requests::Both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// §7.5, and §6.2.
    #[test]
    fn what_is_advertised() {
        let privilege = written::<Privilege>(
            "<privilege xmlns='urn:xmpp:privilege:2'>\
             <perm access='roster' type='both' push='true'/>\
             <perm access='message' type='none'/>\
             <perm access='iq'><namespace ns='http://jabber.org/protocol/pubsub' type='set'/></perm>\
             <perm access='presence' type='roster'/></privilege>",
        );
        let [roster, message, iq, presence] = &privilege.perms[..] else {
            panic!("{privilege:?}");
        };
        assert_eq!((roster.access, roster.push), (Access::Roster, Some(true)));
        assert_eq!(message.kind.as_deref(), Some("none"));
        assert_eq!(iq.namespaces[0].kind, Requests::Set);
        assert_eq!(presence.kind.as_deref(), Some(Shown::Roster.as_str()));
        let wrong = "<privilege xmlns='urn:xmpp:privilege:2'><perm access='all'/></privilege>";
        assert!(read::<Privilege>(wrong).is_err());
    }

    /// §6.3: a request in another namespace is none.
    #[test]
    fn a_request_is_in_the_namespace_of_clients() {
        let asked = written::<PrivilegedIq>(
            "<privileged_iq xmlns='urn:xmpp:privilege:2'>\
             <iq xmlns='jabber:client' type='set' to='romeo@montaigu.lit' id='sub_1'/></privileged_iq>",
        );
        assert_eq!(asked.iq.unwrap().attr("id"), Some("sub_1"));
        let wrong = "<privileged_iq xmlns='urn:xmpp:privilege:2'><iq id='1'/></privileged_iq>";
        assert_eq!(read::<PrivilegedIq>(wrong).unwrap().iq, None);
        let two = "<privileged_iq xmlns='urn:xmpp:privilege:2'><iq xmlns='jabber:client' id='1'/>\
            <iq xmlns='jabber:client' id='2'/></privileged_iq>";
        assert_eq!(read::<PrivilegedIq>(two).unwrap().iq, None);
    }
}
