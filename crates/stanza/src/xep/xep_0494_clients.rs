//! [XEP-0494: Client Access Management](https://xmpp.org/extensions/xep-0494.html)

use super::xep_0082_datetime::DateTime;
use crate::payload::{keywords, payload};

/// Namespace of client access management.
pub const NS: &str = "urn:xmpp:cam:0";
/// The application's own condition of a client that only another password keeps out (§3.2).
pub const PASSWORD_RESET_REQUIRED: &str = "password-reset-required";

payload! {
    /// Asks which clients there are (§3.1).
    pub struct List(NS, "list") {}
}

payload! {
    /// The clients of an account (§3.1).
    pub struct Clients(NS, "clients") {
        /// Each of them.
        clients: Vec<Client> = child(),
    }
}

payload! {
    /// Takes a client's access away (§3.2).
    pub struct Revoke(NS, "revoke") {
        /// Which, as [`Client::id`] has it.
        id: String = attr("id"),
    }
}

payload! {
    /// A client with access to an account (§3.1).
    pub struct Client(NS, "client") {
        /// Whether it has a session, which may be without a stream at the moment.
        connected: bool = attr("connected"),
        /// By which it is named in [`Revoke`]; it says nothing to people.
        id: String = attr("id"),
        /// Whether it ever had a session.
        kind: Kind = attr("type"),
        /// When it was first given access.
        first_seen: Option<DateTime> = text_child("first-seen"),
        /// When it last used it.
        last_seen: Option<DateTime> = text_child("last-seen"),
        /// How it has got in.
        auth: Auth = child(),
        /// What it may do.
        permission: Permission = child(),
        /// What it calls itself.
        user_agent: Option<UserAgent> = child(),
    }
}

keywords! {
    /// What a client has of an account (§3.1).
    pub enum Kind {
        /// It has, or had, a session.
        Session = "session",
        /// It was given access, and never had a session.
        Access = "access",
    }
}

payload! {
    /// How a client got in (§3.1).
    pub struct Auth(NS, "auth") {
        /// It showed the password.
        password: bool = flag("password"),
        /// It was given access by a service.
        grant: bool = flag("grant"),
        /// It has tokens (XEP-0484).
        fast: bool = flag("fast"),
    }
}

payload! {
    /// What a client may do (§3.1).
    pub struct Permission(NS, "permission") {
        /// How much.
        status: Status = attr("status"),
    }
}

keywords! {
    /// How much a client may do (§3.1).
    pub enum Status {
        /// Everything.
        Unrestricted = "unrestricted",
        /// All but what is about access itself.
        Normal = "normal",
        /// Less than that.
        Restricted = "restricted",
    }
}

payload! {
    /// What a client calls itself (§3.1).
    pub struct UserAgent(NS, "user-agent") {
        /// The software.
        software: Option<String> = text_child("software"),
        /// Its home.
        uri: Option<String> = text_child("uri"),
        /// The device that it is installed on.
        device: Option<String> = text_child("device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// Example 2.
    #[test]
    fn listing() {
        let clients = written::<Clients>(
            "<clients xmlns='urn:xmpp:cam:0'>\
             <client connected='true' id='zeiP41HLglIu' type='session'>\
             <first-seen>2023-04-06T14:26:08Z</first-seen><last-seen>2023-04-06T14:37:25Z</last-seen>\
             <auth><password/></auth><permission status='unrestricted'/>\
             <user-agent><software>Gajim</software><uri>https://gajim.org/</uri>\
             <device>Juliet's laptop</device></user-agent></client>\
             <client connected='false' id='HjEEr45_LQr' type='access'>\
             <auth><grant/></auth><permission status='normal'/></client></clients>",
        );
        let [gajim, other] = &clients.clients[..] else {
            panic!("two clients");
        };
        assert!(gajim.connected && gajim.auth.password && !gajim.auth.fast);
        assert_eq!(
            (other.kind, other.permission.status),
            (Kind::Access, Status::Normal)
        );
    }

    /// Examples 1 and 3.
    #[test]
    fn asking() {
        written::<List>("<list xmlns='urn:xmpp:cam:0'/>");
        let revoke = written::<Revoke>("<revoke xmlns='urn:xmpp:cam:0' id='HjEEr45_LQr'/>");
        assert_eq!(revoke.id, "HjEEr45_LQr");
        assert!(read::<Revoke>("<revoke xmlns='urn:xmpp:cam:0'/>").is_err());
    }
}
