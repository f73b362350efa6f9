//! What is left of a message that is forgotten: who sent it to whom, and its ids. It is made anew, so that nothing of what it
//! said is left anywhere in it.

use std::borrow::Cow;

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0359_stanza_ids::{OriginId, StanzaId};
use waxwing_stanza::xep::xep_0424_retraction::{Retract, Retracted};
use waxwing_stanza::xep::xep_0466_ephemeral::Ephemeral;
use waxwing_store::Owner;
use waxwing_wire::{Element, Stanza, ns};

use crate::delivery::StoredMessage;
use crate::server::read_again;

/// A message of this owner's log without what it said, and with this in the place of that; `None` where it says that
/// another one was taken back, which whoever has that one has to learn, or where it is forgotten already.
pub(super) fn emptied(
    owner: &Owner,
    stored: &StoredMessage,
    message: &Stanza,
    instead: Option<Element>,
) -> Option<StoredMessage> {
    if Retract::is_in(message) || Retracted::is_in(message) {
        return None;
    }
    let mut left = Element::new(ns::CLIENT, "message");
    for (name, value) in [
        ("from", message.from()),
        ("to", message.to()),
        ("type", message.kind()),
        ("id", message.id()),
    ] {
        if let Some(value) = value {
            left = left.with_attr(name, Cow::into_owned(value));
        }
    }
    let is_timer = instead.is_none();
    for (at, child) in message.children().enumerate() {
        let is_own = || child.element().attr("by") == Some(owner.name());
        let is_first = || {
            let mut before = message.children().take(at);
            !before.any(|other| other.is(child.ns(), child.name()))
        };
        let stays = child.is(StanzaId::NS, StanzaId::NAME) && is_own()
            || child.is(OriginId::NS, OriginId::NAME) && is_first()
            || child.is(Ephemeral::NS, Ephemeral::NAME) && is_timer && is_first();
        if stays {
            left.push(without_more(&child.element()));
        }
    }
    if let Some(instead) = instead {
        left.push(instead);
    }
    let stanza = read_again(left.to_bytes(ns::CLIENT)).ok()?;
    let before = u32::try_from(stored.stanza.len()).unwrap_or(u32::MAX);
    Some(StoredMessage {
        stanza: stanza.bytes().clone(),
        bytes_before: match stored.bytes_before {
            0 => before,
            known => known,
        },
        ..stored.clone()
    })
}

/// An element with what its specification knows, and nothing that somebody put beside that.
fn without_more(element: &Element) -> Element {
    let mut known = Element::new(element.ns().to_owned(), element.name().to_owned());
    for name in ["id", "by", "timer"] {
        if let Some(value) = element.attr(name) {
            known = known.with_attr(name, value.to_owned());
        }
    }
    known
}
