use waxwing_stanza::{BareJid, FullJid, Jid};
use waxwing_wire::{Element, Limits, Stanza};

/// The most bytes of one part of an address, RFC 7622 §3.1.
const PART_BYTES_MAX: usize = 1023;

/// An address, as a person or a peer may write one.
///
/// What we accept is prepared once for all: written out it is read back as the same, on its own and
/// as an attribute; its parts are within their limits and put together give it again; bare and full
/// forms agree. Says whether we accept it.
///
/// # Panics
/// It is not so.
pub fn jid(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Ok(jid) = Jid::new(text) else {
        return false;
    };
    let written = jid.to_string();
    assert_eq!(Jid::new(&written).as_ref(), Ok(&jid), "read back");
    let parts = [jid.node(), Some(jid.domain()), jid.resource()];
    for part in parts.into_iter().flatten() {
        assert!((1..=PART_BYTES_MAX).contains(&part.len()), "{part}");
        assert!(!part.contains(char::is_control), "{part}");
    }
    for part in [jid.node(), Some(jid.domain())] {
        assert!(!part.is_some_and(|part| part.contains(['/', ' '])));
    }
    let again = Jid::from_parts(jid.node(), jid.domain(), jid.resource());
    assert_eq!(again.as_ref(), Ok(&jid), "of its parts");
    forms(&jid, &written);
    let element = Element::new("jabber:client", "message").with_attr("to", &written);
    let stanza = Stanza::parse(element.to_bytes(""), "jabber:client", &Limits::SERVER);
    let stanza = stanza.unwrap_or_else(|error| panic!("as an attribute: {error}"));
    assert_eq!(stanza.to().as_deref(), Some(&*written));
    true
}

fn forms(jid: &Jid, written: &str) {
    let bare = jid.bare();
    assert_eq!(bare.node(), jid.node());
    assert_eq!(bare.domain(), jid.domain());
    assert_eq!(BareJid::new(bare.as_str()).as_ref(), Ok(&bare));
    assert_eq!(BareJid::new(written).is_ok(), jid.is_bare());
    assert_eq!(FullJid::new(written).is_ok(), !jid.is_bare());
    match (jid.full(), jid.resource()) {
        (Some(full), Some(resource)) => {
            assert_eq!(full.bare(), bare);
            assert_eq!(bare.with_resource(resource).as_ref(), Ok(&full));
        }
        (None, None) => assert_eq!(written, bare.as_str()),
        (full, resource) => panic!("{full:?} of {resource:?}"),
    }
}
