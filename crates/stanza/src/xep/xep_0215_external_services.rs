//! [XEP-0215: External Service Discovery](https://xmpp.org/extensions/xep-0215.html)

use super::xep_0082_datetime::DateTime;
use crate::payload::{Secret, keywords, payload};

/// Namespace of external services, and the name of the feature.
pub const NS: &str = "urn:xmpp:extdisco:2";

keywords! {
    /// Services that calls need. The registry of types has two of them; clients know all four, by the schemes of RFC 7064 and
    /// RFC 7065.
    pub enum Kind {
        /// STUN, which says where one comes from.
        Stun = "stun",
        /// STUN over TLS.
        Stuns = "stuns",
        /// TURN, which relays.
        Turn = "turn",
        /// TURN over TLS.
        Turns = "turns",
    }
}

keywords! {
    /// What a push says of a service ("Requesting Selected Services").
    pub enum Action {
        /// There is one more, or it is to be known anew.
        Add = "add",
        /// It is gone.
        Delete = "delete",
        /// It is another than before.
        Modify = "modify",
    }
}

payload! {
    /// A question (empty), or the services that there are ("Requesting All Services").
    pub struct Services(NS, "services") {
        /// Only those of this type.
        kind: Option<String> = attr("type"),
        /// The services.
        services: Vec<Service> = child(),
    }
}

payload! {
    /// Asks for credentials of one service, or has them ("Requesting Credentials").
    pub struct Credentials(NS, "credentials") {
        /// The service; in an answer all that are meant by it.
        services: Vec<Service> = child(),
    }
}

payload! {
    /// A service, of which a question says no more than is needed to tell it from others.
    pub struct Service(NS, "service") {
        /// What a push says of it.
        action: Action = attr("action", Action::Add),
        /// When the credentials are worth nothing any more.
        expires: Option<DateTime> = attr("expires"),
        /// Its name in DNS, or its address.
        host: String = attr("host"),
        /// What people call it.
        name: Option<String> = attr("name"),
        /// The password that it takes.
        password: Option<Secret> = attr("password"),
        /// Its port.
        port: Option<u16> = attr("port"),
        /// Whether it takes nobody without credentials.
        restricted: bool = attr("restricted", false),
        /// The protocol below it.
        transport: Option<String> = attr("transport"),
        /// What it is.
        kind: String = attr("type"),
        /// The name by which one goes there.
        username: Option<String> = attr("username"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// "Requesting Selected Services".
    #[test]
    fn a_push() {
        let pushed = read::<Services>(
            "<services xmlns='urn:xmpp:extdisco:2' type='turn'>\
             <service action='add' host='stun.shakespeare.lit' port='9999' transport='udp' type='turn' username='1nas' password='gh90'/>\
             <service action='delete' host='192.0.2.1' port='8889' type='turn'/></services>",
        )
        .unwrap();
        let actions: Vec<_> = pushed.services.iter().map(|one| one.action).collect();
        assert_eq!(actions, [Action::Add, Action::Delete]);
        assert_eq!(pushed.services[0].port, Some(9999));
        // What lets somebody in is in no log.
        assert!(!format!("{pushed:?}").contains("gh90"));
    }

    /// "Requesting Credentials".
    #[test]
    fn credentials() {
        let asked = written::<Credentials>(
            "<credentials xmlns='urn:xmpp:extdisco:2'><service host='turn.shakespeare.lit' type='turn'/></credentials>",
        );
        assert_eq!(asked.services[0].host, "turn.shakespeare.lit");
        let given = written::<Service>(
            "<service xmlns='urn:xmpp:extdisco:2' expires='2026-11-22T10:00:00Z' host='192.0.2.1' password='jj' \
             restricted='true' type='turn' username='nb'/>",
        );
        assert!(given.restricted);
        assert_eq!(given.expires.unwrap().to_string(), "2026-11-22T10:00:00Z");
    }

    #[test]
    fn a_service_has_a_host_and_a_type() {
        for wrong in [
            "host='a'",
            "type='turn'",
            "host='a' type='turn' port='65536'",
            "host='a' type='turn' action='move'",
        ] {
            let service = format!("<service xmlns='urn:xmpp:extdisco:2' {wrong}/>");
            assert!(read::<Service>(&service).is_err(), "{wrong}");
        }
    }
}
