//! How an invitation is written as a link.

use std::fmt::Write as _;

use crate::invitations::{INVITE_PATH, Purpose, StoredInvitation, URL};
use crate::server::Server;

/// The link that a client opens (XEP-0401, XEP-0445, XEP-0379); none for a password, which no client sets so.
pub fn uri(invitation: &StoredInvitation, token: &str) -> Option<String> {
    let domain = encoded(&invitation.domain);
    match invitation.purpose() {
        Purpose::Password => None,
        Purpose::Account => {
            let name = invitation.name.as_deref();
            let name = name.map_or_else(String::new, |name| format!("{}@", encoded(name)));
            Some(format!("xmpp:{name}{domain}?register;preauth={token}"))
        }
        Purpose::Contact => {
            let contact = invitation.contact_jid()?;
            let name = encoded(contact.node()?);
            let domain = encoded(contact.domain());
            let registers = if invitation.registers { ";ibr=y" } else { "" };
            Some(format!(
                "xmpp:{name}@{domain}?roster;preauth={token}{registers}"
            ))
        }
    }
}

/// The page that a browser opens, where the domain has such pages.
pub fn landing_url(server: &Server, invitation: &StoredInvitation, token: &str) -> Option<String> {
    let options = server.options_of(&invitation.domain);
    let base = options.text(&URL).trim_end_matches('/');
    (!base.is_empty()).then(|| format!("{base}{INVITE_PATH}{token}"))
}

/// A part of an address in a URI (RFC 5122 §2.2): everything but unreserved characters in percents.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            // A text takes all of them.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(purpose: Purpose) -> StoredInvitation {
        StoredInvitation {
            purpose: purpose.into(),
            domain: "example.com".to_owned(),
            registers: true,
            ..StoredInvitation::default()
        }
    }

    /// The forms that the specifications give.
    #[test]
    fn links() {
        let account = invitation(Purpose::Account);
        assert_eq!(
            uri(&account, "TOKEN").as_deref(),
            Some("xmpp:example.com?register;preauth=TOKEN")
        );
        let named = StoredInvitation {
            name: Some("juliet".to_owned()),
            ..account
        };
        assert_eq!(
            uri(&named, "TOKEN").as_deref(),
            Some("xmpp:juliet@example.com?register;preauth=TOKEN")
        );
        let contact = StoredInvitation {
            contact: Some("romeo@example.com".to_owned()),
            ..invitation(Purpose::Contact)
        };
        assert_eq!(
            uri(&contact, "TOKEN").as_deref(),
            Some("xmpp:romeo@example.com?roster;preauth=TOKEN;ibr=y")
        );
        let known = StoredInvitation {
            registers: false,
            ..contact
        };
        assert_eq!(
            uri(&known, "TOKEN").as_deref(),
            Some("xmpp:romeo@example.com?roster;preauth=TOKEN")
        );
        assert_eq!(uri(&invitation(Purpose::Password), "TOKEN"), None);
    }

    #[test]
    fn what_would_end_a_part_is_in_percents() {
        assert_eq!(encoded("d'artagnan?x;y=#"), "d%27artagnan%3Fx%3By%3D%23");
        assert_eq!(encoded("b\u{fc}cher.example"), "b%C3%BCcher.example");
    }
}
