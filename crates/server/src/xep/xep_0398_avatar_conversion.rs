//! XEP-0398: User Avatar to vCard-Based Avatars Conversion: the nodes of XEP-0084 and the picture of a vCard are the same.
//!
//! <https://xmpp.org/extensions/xep-0398.html>

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0060_pubsub::request::Item;
use waxwing_stanza::xep::xep_0084_avatar::{
    NODE_DATA, NODE_METADATA, NS_CONVERSION, Picture, shown, shows_nothing,
};
use waxwing_wire::Element;

use crate::addressee::Addressee;
use crate::pubsub::change::Change;
use crate::pubsub::fields::Settings;
use crate::pubsub::links::{Done, Family, Link, NodeHook};
use crate::pubsub::node::Node;
use crate::pubsub::node_options::access_model;
use crate::pubsub::{items, limits};
use crate::registry::{Feature, Registrar, Source};
use crate::xep::xep_0054_vcard as vcard;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(398),
    title: "User Avatar to vCard-Based Avatars Conversion",
    version: "1.0.0",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.disco(
        &[Addressee::OwnAccount, Addressee::OtherAccount],
        NS_CONVERSION,
    );
    for (node, hook) in [
        (NODE_METADATA, metadata_changed as NodeHook),
        (NODE_DATA, data_changed),
    ] {
        registrar.link(Link {
            node,
            family: Family::Roster,
            hook,
        });
    }
}

/// Which picture is shown has changed (§3.1).
fn metadata_changed<'a>(
    change: &'a mut Change,
    node: &'a Node,
    done: &'a Done,
) -> BoxFuture<'a, Result<(), StanzaError>> {
    async move {
        let metadata = match done {
            Done::Published { payload, .. } => payload.clone(),
            Done::Retracted(_) | Done::Emptied | Done::Shrunk => {
                let newest = change.newest(node).await?;
                if newest == items::last(change.server(), node).await? {
                    return Ok(());
                }
                newest.and_then(|newest| newest.element())
            }
            Done::Configured(_) => return Ok(()),
        };
        match metadata {
            Some(metadata) if !shows_nothing(&metadata) => {
                let Some(id) = shown(&metadata) else {
                    return vcard::set_picture(change, None).await;
                };
                match change.find(NODE_DATA).await? {
                    Some(data) => kept_to_vcard(change, &data, id).await,
                    None => hide_others(change, id).await,
                }
            }
            _ => vcard::set_picture(change, None).await,
        }
    }
    .boxed()
}

/// A picture has come; some say which one is shown before they publish it.
fn data_changed<'a>(
    change: &'a mut Change,
    node: &'a Node,
    done: &'a Done,
) -> BoxFuture<'a, Result<(), StanzaError>> {
    async move {
        // What is over stands in the vCard until it is removed.
        let metadata = match change.find(NODE_METADATA).await? {
            Some(node) => items::last(change.server(), &node).await?,
            None => None,
        };
        let metadata = metadata.and_then(|item| item.element());
        let Some(wanted) = metadata.as_ref().and_then(shown) else {
            return Ok(());
        };
        match done {
            Done::Published { id, payload } if id == wanted => {
                to_vcard(change, node, id, payload.as_ref()).await
            }
            Done::Configured(before) if before.is_open() && !node.is_open() => {
                vcard::set_picture(change, None).await
            }
            Done::Configured(before) if !before.is_open() && node.is_open() => {
                kept_to_vcard(change, node, wanted).await
            }
            Done::Retracted(id) if id == wanted => vcard::set_picture(change, None).await,
            Done::Emptied => vcard::set_picture(change, None).await,
            Done::Shrunk => kept_to_vcard(change, node, wanted).await,
            _ => Ok(()),
        }
    }
    .boxed()
}

async fn current(change: &mut Change) -> Result<Option<Element>, StanzaError> {
    let Some(node) = change.find(NODE_METADATA).await? else {
        return Ok(None);
    };
    let newest = items::newest(change.server(), &node).await?;
    Ok(newest.and_then(|item| item.element()))
}

/// The picture of this name, as it is kept.
async fn kept_to_vcard(change: &mut Change, node: &Node, id: &str) -> Result<(), StanzaError> {
    let data = change
        .named(node, id)
        .await?
        .and_then(|item| item.element());
    to_vcard(change, node, id, data.as_ref()).await
}

/// Shows a picture in the vCard, which everybody may read: only if everybody may read its node, too (§7), and if it is
/// what its name says.
async fn to_vcard(
    change: &mut Change,
    node: &Node,
    id: &str,
    data: Option<&Element>,
) -> Result<(), StanzaError> {
    let picture = data.and_then(Picture::of_data);
    match picture.filter(|picture| picture.id().eq_ignore_ascii_case(id)) {
        Some(picture) if node.is_open() => vcard::set_picture(change, Some(&picture)).await,
        _ => hide_others(change, id).await,
    }
}

/// The nodes show a picture that not everybody may see there. The vCard shows it where its owner has put it in; another one
/// would be wrong.
async fn hide_others(change: &mut Change, id: &str) -> Result<(), StanzaError> {
    let picture = vcard::picture(change).await?;
    match picture.is_some_and(|picture| picture.id().eq_ignore_ascii_case(id)) {
        true => Ok(()),
        false => vcard::set_picture(change, None).await,
    }
}

/// Somebody wrote their vCard (§3.2).
pub(crate) async fn written(
    change: &mut Change,
    before: Option<&Element>,
    after: Option<&Element>,
) -> Result<(), StanzaError> {
    let picture = |card: Option<&Element>| card.and_then(Picture::of_vcard);
    let (before, after) = (picture(before), picture(after));
    if before == after {
        return Ok(());
    }
    let current = current(change).await?;
    let shown = current.as_ref().and_then(shown);
    match (before, after) {
        (_, Some(picture)) if shown != Some(&picture.id()) => publish(change, &picture).await,
        (Some(picture), None) if shown == Some(&picture.id()) => {
            let node = change
                .find_or_make(NODE_METADATA, Settings::default())
                .await?;
            let none = Element::new(NODE_METADATA, "metadata");
            publish_at(change, &node, None, none).await
        }
        _ => Ok(()),
    }
}

async fn publish(change: &mut Change, picture: &Picture) -> Result<(), StanzaError> {
    // Whoever may read the vCard may read it there.
    let mut open = Settings::default();
    open.set(&access_model::FIELD, &["open"]);
    let (id, data) = (picture.id(), picture.to_data());
    let node = change.find_or_make(NODE_DATA, open.clone()).await?;
    if data.to_bytes("").len() as u64 > limits::payload_bytes(change.server(), &node) {
        return Ok(());
    }
    publish_at(change, &node, Some(&id), data).await?;
    let node = change.find_or_make(NODE_METADATA, open).await?;
    publish_at(change, &node, Some(&id), picture.to_metadata()).await
}

async fn publish_at(
    change: &mut Change,
    node: &Node,
    id: Option<&str>,
    payload: Element,
) -> Result<(), StanzaError> {
    let item = Item {
        payload: vec![payload],
        ..Item::named(id.unwrap_or_default())
    };
    change.publish(node, &item).await.map(|_| ())
}
