//! [XEP-0359: Unique and Stable Stanza IDs](https://xmpp.org/extensions/xep-0359.html)

use waxwing_wire::Stanza;

use crate::payload::{Payload, payload};
use crate::{BareJid, Jid};

/// Namespace of stanza ids, and the name of the feature.
pub const NS: &str = "urn:xmpp:sid:0";

payload! {
    /// The identifier that an archive gave to a message (§2.1).
    pub struct StanzaId(NS, "stanza-id") {
        /// The identifier, unique for who gave it.
        id: String = attr("id"),
        /// Who gave it: an account or a room.
        by: Jid = attr("by"),
    }
}

payload! {
    /// The identifier that the sender gave to a message (§2.2).
    pub struct OriginId(NS, "origin-id") {
        /// The identifier.
        id: String = attr("id"),
    }
}

payload! {
    /// Another message, by its [`StanzaId`] (§4).
    pub struct ReferencedStanza(NS, "referenced-stanza") {
        /// The identifier.
        id: String = attr("id"),
        /// Who gave it.
        by: Option<Jid> = attr("by"),
    }
}

/// A [`StanzaId`] as bytes that stand in any stanza, without a tree in between: every message that a log takes gets one.
/// `id` is of characters that no attribute escapes.
pub fn stanza_id_bytes(id: &str, by: &BareJid) -> Vec<u8> {
    let by = by.as_str();
    debug_assert!(
        !id.contains(['&', '<', '>', '\'', '"']) && !by.contains(['&', '<', '>', '\'', '"']),
        "nodeprep prohibits them (RFC 6122 §A.5), and so does every domain"
    );
    let parts = [
        "<stanza-id xmlns='urn:xmpp:sid:0' id='",
        id,
        "' by='",
        by,
        "'/>",
    ];
    parts.concat().into_bytes()
}

/// Which children of a message claim to be identifiers that `by` gave: whoever gives identifiers takes
/// these away first (§3 rule 2). Numbers for [`waxwing_wire::Splice::remove_child`].
///
/// Only what is written as `by`, or is prepared to it, counts; text that is no address is nobody's.
pub fn claimed(message: &Stanza, by: &BareJid) -> Vec<usize> {
    let claims = message.children().enumerate().filter(|(_, child)| {
        child.is(NS, StanzaId::NAME)
            && child
                .element()
                .attr("by")
                .is_some_and(|text| BareJid::new(text).as_ref() == Ok(by))
    });
    claims.map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_wire::{Element, ns};

    #[test]
    fn bytes_are_what_the_type_writes() {
        let by = BareJid::new("Romeo@montague.example").unwrap();
        let id = StanzaId {
            id: "0-_aZ".to_owned(),
            by: by.clone().into(),
        };
        let bytes = stanza_id_bytes(&id.id, &by);
        assert_eq!(bytes, id.write().to_bytes(ns::CLIENT));
        assert!(Element::parse(&bytes).is_ok());
        for text in [
            "a'b@c", "a&b@c", "a<b@c", "a\"b@c", "a>b@c", "a@b'c", "a@b&c", "b<c",
        ] {
            assert!(BareJid::new(text).is_err(), "{text}");
        }
    }

    use crate::payload::testing::{read, stanza, written};
    use crate::payload::{PayloadError, TextFault};

    #[test]
    fn examples() {
        let id = written::<StanzaId>(
            "<stanza-id xmlns='urn:xmpp:sid:0' id='de305d54-75b4-431b-adb2-eb6b9e546013' \
             by='room@muc.example.com'/>",
        );
        assert_eq!(id.id, "de305d54-75b4-431b-adb2-eb6b9e546013");
        assert_eq!(id.by, "room@muc.example.com");
        let origin = "<origin-id xmlns='urn:xmpp:sid:0' id='de305d54'/>";
        assert_eq!(
            written::<OriginId>(origin),
            OriginId {
                id: "de305d54".into()
            }
        );
        let reference = written::<ReferencedStanza>(
            "<referenced-stanza xmlns='urn:xmpp:sid:0' id='xep359-stanza-id' by='muc.example.org'/>",
        );
        assert_eq!(reference.by.unwrap(), "muc.example.org");
    }

    #[test]
    fn claims() {
        let message = stanza(
            "<message><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='Alice@Example.org.'/>
             <stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org'/>
             <stanza-id xmlns='urn:xmpp:sid:0' id='3' by='bob@example.org'/>
             <stanza-id xmlns='urn:xmpp:sid:0' id='4' by='alice@example.org/x'/>
             <stanza-id xmlns='urn:xmpp:sid:0' id='5' by='@'/>
             <stanza-id xmlns='urn:other' id='6' by='alice@example.org'/>
             <s:stanza-id xmlns:s='urn:xmpp:sid:0' id='7' by='alice@example.org'/></message>",
        );
        let by = BareJid::new("alice@example.org").unwrap();
        assert_eq!(claimed(&message, &by), [0, 1, 6]);
    }

    #[test]
    fn who_gave_it_is_an_address() {
        assert_eq!(
            read::<StanzaId>("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='a b@c'/>"),
            Err(PayloadError::Attribute {
                element: "stanza-id",
                attribute: "by",
                fault: TextFault::Jid(crate::JidError::Prohibited(crate::jid::Part::Node, ' ')),
            })
        );
    }
}
