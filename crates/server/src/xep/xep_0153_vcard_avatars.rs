//! XEP-0153: vCard-Based Avatars: what presence says of the picture of the account's vCard, as XEP-0398 §4 has servers say it.
//!
//! <https://xmpp.org/extensions/xep-0153.html>

use waxwing_stanza::xep::xep_0084_avatar::{NS_UPDATE, Picture, update};
use waxwing_stanza::{PresenceType, StanzaError};
use waxwing_store::Table;
use waxwing_wire::{Element, Stanza, ns};

use crate::directory::Account;
use crate::presence;
use crate::pubsub::change::Change;
use crate::registry::{Feature, Source};
use crate::server::{Server, unavailable};
use crate::session::{Flag, Session};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(153),
    title: "vCard-Based Avatars",
    version: "1.1.1",
    shapes: || vec![HASHES.shape()],
    flags: &[SHOWS_NONE],
    ..Feature::NONE
};

/// Set on sessions whose clients say that there is no picture: what the server has said instead is not what they say.
const SHOWS_NONE: Flag = Flag {
    bit: 3,
    name: "shows no picture",
};

/// Which picture a vCard has.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Hash {
    /// Its hash; empty where there was a picture and is none any more.
    #[prost(string, tag = "1")]
    hash: String,
}

/// Of each account, under an empty name. Who never had a picture has none: nothing is said of it in presence.
static HASHES: Table<String, Hash> = Table::new("vcard-picture", 1);

/// Notes that another vCard is being written, and has presence say so again.
pub(crate) async fn written(
    change: &mut Change,
    before: Option<&Element>,
    after: Option<&Element>,
) -> Result<(), StanzaError> {
    let hash = |card: Option<&Element>| card.and_then(Picture::of_vcard).map(|one| one.id());
    let (before, after) = (hash(before), hash(after));
    if before == after {
        return Ok(());
    }
    let hash = after.unwrap_or_default();
    let stored = Hash { hash: hash.clone() };
    let owner = change.service().owner.clone();
    let effects = change.effects();
    effects.batch.put(&HASHES, &owner, &String::new(), &stored);
    let server = change.server().clone();
    let Some(account) = server.account(&change.service().jid).await? else {
        return Ok(());
    };
    let with = move |session: &Session, stanza: &Stanza| match session.has(SHOWS_NONE) {
        true => None,
        false => said(stanza, &hash),
    };
    presence::again(&server, &account, with, change.effects()).await
}

/// The presence with what is to be said in it of the account's picture.
pub(crate) async fn stamped(
    server: &Server,
    account: &Account,
    kind: PresenceType,
    stanza: Stanza,
) -> Result<Stanza, StanzaError> {
    if kind != PresenceType::Available {
        return Ok(stanza);
    }
    let stored = server.store().get(&HASHES, &account.owner, &String::new());
    let stored = stored.await.map_err(|error| unavailable(&error))?;
    let stored = stored.filter(|_| !shows_none(&stanza));
    let said = stored.and_then(|stored| said(&stanza, &stored.hash));
    Ok(said.unwrap_or(stanza))
}

/// What presence says of a picture.
fn photo(stanza: &Stanza) -> Option<(usize, Option<String>)> {
    let is_update = |ns: &str, name: &str| ns == NS_UPDATE && name == "x";
    let children = stanza.children();
    let found = children
        .enumerate()
        .find(|(_, child)| is_update(child.ns(), child.name()));
    found.map(|(at, child)| {
        let photo = child.element().child(NS_UPDATE, "photo").map(Element::text);
        (at, photo.map(|photo| photo.trim().to_owned()))
    })
}

/// Whether a client says that there is no picture. It is believed (XEP-0398 §4).
pub(crate) fn shows_none(stanza: &Stanza) -> bool {
    photo(stanza).is_some_and(|(_, photo)| photo.is_some_and(|photo| photo.is_empty()))
}

/// A session has sent presence to everybody that says so, or not.
pub(crate) fn note(session: &Session, shows_none: bool) {
    session.set(SHOWS_NONE, shows_none);
}

/// The presence with this hash, if it says something else.
fn said(stanza: &Stanza, hash: &str) -> Option<Stanza> {
    let mut splice = stanza.splice();
    if let Some((at, photo)) = photo(stanza) {
        if photo.is_some_and(|photo| photo == hash) {
            return None;
        }
        splice = splice.remove_child(at);
    }
    let splice = splice.append(&update(hash).to_bytes(ns::CLIENT));
    // With as much in it as a stanza can have, it goes as it is.
    splice.stanza().ok()
}
