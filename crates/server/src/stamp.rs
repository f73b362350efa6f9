//! What the server sets on a stanza that a session sent, before anybody else sees it.
//!
//! Sources: RFC 6120 §8.1.2.1 and §8.1.5, XEP-0359 §4.

use waxwing_stanza::xep::xep_0359_stanza_ids as stanza_id;
use waxwing_stanza::{Condition, Jid, StanzaError};
use waxwing_wire::{Element, Stanza};

use crate::server::Server;
use crate::session::Session;

/// The stanza as others see it: it comes `from` this address of the session's; it says the language of the session's
/// stream, if it names no other; and stanza ids that only we may give, those that name something of ours, are gone. It
/// goes `to` this address, where that is to be another than it says.
pub(crate) fn stamp(
    server: &Server,
    session: &Session,
    stanza: &Stanza,
    from: &str,
    to: Option<&str>,
) -> Result<Stanza, StanzaError> {
    let lang = session.state().lang.clone();
    let mut splice = stanza.splice().from(Some(from));
    if to.is_some() {
        splice = splice.to(to);
    }
    if lang.is_some() && stanza.lang().is_none() {
        splice = splice.lang(lang.as_deref());
    }
    for (at, child) in stanza.children().enumerate() {
        let is_id = child.ns() == stanza_id::NS && child.name() == "stanza-id";
        if is_id && is_forged(server, session, &child.element()) {
            splice = splice.remove_child(at);
        }
    }
    let stamped = splice.stanza();
    stamped.map_err(|_| Condition::InternalServerError.into())
}

/// Whether a `<stanza-id/>` claims to be by somebody of ours; one that cannot be read does. A component gives ids of its
/// own.
fn is_forged(server: &Server, session: &Session, child: &Element) -> bool {
    let by = child.attr("by").and_then(|by| by.parse::<Jid>().ok());
    by.is_none_or(|by| match session.component() {
        Some(host) if by.domain() == host => false,
        _ => server.place(by.domain()).is_some(),
    })
}

#[cfg(test)]
mod tests {
    use waxwing_wire::{Limits, ns};

    use super::*;
    use crate::server::read_again;

    /// Whatever a client may send can be read again with all that we add to it, and as a copy of another.
    #[test]
    fn what_is_added_never_makes_a_stanza_unreadable() {
        let attributes: String = (0..61).map(|n| format!(" a{n}=''")).collect();
        let most = Limits::CLIENT;
        let elements = "<i/>".repeat(most.elements_max as usize - 2);
        let levels = usize::from(most.depth_max) - 1;
        let deep = "<d>".repeat(levels) + &"</d>".repeat(levels);
        for inside in [format!("<x>{elements}</x>"), deep] {
            let sent =
                format!("<message to='a@b' id='1' type='chat'{attributes}>{inside}</message>");
            let stanza = Stanza::parse(sent.into(), ns::CLIENT, &most).expect("at the limits");
            let stored = stanza
                .splice()
                .from(Some("c@d/e"))
                .lang(Some("de"))
                .append(b"<stanza-id xmlns='urn:xmpp:sid:0'/>")
                .append(b"<delay xmlns='urn:xmpp:delay'/>")
                .finish();
            let stored = read_again(stored).expect("it was stored");
            let whole = String::from_utf8_lossy(&stored.splice().declare_ns(ns::CLIENT).finish())
                .into_owned();
            let copy = format!(
                "<message><received xmlns='u:c'><forwarded xmlns='u:f'>{whole}</forwarded></received></message>"
            );
            read_again(copy.into()).expect("a copy");
        }
        let beyond = format!("<message{attributes} b='' c='' d='' e=''/>");
        assert!(Stanza::parse(beyond.into(), ns::CLIENT, &most).is_err());
    }
}
