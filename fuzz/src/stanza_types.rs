use std::fmt::Debug;

use waxwing_stanza::xep::*;
use waxwing_stanza::{Payload, StanzaError};
use waxwing_wire::{Element, Limits, Stanza};

/// A stanza, and every payload type on every element of it.
///
/// What a type reads, it writes, and reads back from that as the same, after a way through bytes too.
/// Says whether some type could read some element.
///
/// # Panics
/// It does not.
pub fn stanza_types(bytes: &[u8]) -> bool {
    let bytes = bytes.to_vec().into();
    let Ok(stanza) = Stanza::parse(bytes, "jabber:client", &Limits::CLIENT) else {
        return false;
    };
    if let Err(error) = rfc6121_presence::Content::of(&stanza) {
        assert!(!error.to_string().is_empty());
    }
    let error = stanza.child(stanza.ns(), "error");
    if let Some(error) = error.map(|error| StanzaError::from_element(&error.element())) {
        let written = error.to_element(stanza.ns());
        assert_eq!(StanzaError::from_element(&written), error, "{written:?}");
    }
    rfc6121_message::Content::of(&stanza);
    let mut waiting = vec![stanza.element()];
    let mut read = false;
    while let Some(element) = waiting.pop() {
        for (_, reread) in TYPES {
            read |= reread(&element);
        }
        waiting.extend(element.children().cloned());
    }
    read
}

fn reread<P: Payload + PartialEq + Debug>(element: &Element) -> bool {
    let payload = match P::read(element) {
        Ok(payload) => payload,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let written = payload.write();
    assert!(P::is(&written), "{written:?}");
    assert_eq!(P::read(&written).as_ref(), Ok(&payload), "{written:?}");
    let parsed = Element::parse(written.to_bytes(""))
        .unwrap_or_else(|error| panic!("written so that it cannot be read: {error}"));
    assert_eq!(P::read(&parsed).as_ref(), Ok(&payload), "{parsed:?}");
    true
}

/// Names of types, as paths below `xep`, and how each is read again.
type Type = (&'static str, fn(&Element) -> bool);

/// All of them, as `build.rs` finds them in the sources.
pub const TYPES: &[Type] = include!(concat!(env!("OUT_DIR"), "/types.rs"));
