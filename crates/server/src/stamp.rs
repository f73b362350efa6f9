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
        if is_id && is_forged(server, &child.element()) {
            splice = splice.remove_child(at);
        }
    }
    let stamped = splice.stanza();
    stamped.map_err(|_| Condition::InternalServerError.into())
}

/// Whether a `<stanza-id/>` claims to be by somebody of ours; one that cannot be read does.
fn is_forged(server: &Server, child: &Element) -> bool {
    let by = child.attr("by").and_then(|by| by.parse::<Jid>().ok());
    by.is_none_or(|by| server.place(by.domain()).is_some())
}
