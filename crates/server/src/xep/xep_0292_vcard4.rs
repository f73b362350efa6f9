//! XEP-0292: vCard4 Over XMPP: an account's own, in its node, in step with its vcard-temp as far as both can say the same.
//!
//! <https://xmpp.org/extensions/xep-0292.html>
//!
//! What changes in one is changed in the other, and nothing else is touched there. Pictures are in step with the nodes of
//! XEP-0084 instead (XEP-0398), where clients of vCard4 look for them.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0060_pubsub::request::Item;
use waxwing_stanza::xep::xep_0292_vcard4::{NODE, NS, follow_temp, follow_vcard4};
use waxwing_wire::Element;

use crate::addressee::Addressee;
use crate::pubsub::change::Change;
use crate::pubsub::fields::Settings;
use crate::pubsub::links::{Done, Family, Link};
use crate::pubsub::node::Node;
use crate::pubsub::node_options::persist_items;
use crate::pubsub::profile::{Name, Profile};
use crate::pubsub::stored::StoredItem;
use crate::pubsub::{items, limits};
use crate::registry::{Feature, Registrar, Source};
use crate::xep::xep_0054_vcard as vcard;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(292),
    title: "vCard4 Over XMPP",
    version: "0.12.0",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.disco(&[Addressee::OwnAccount, Addressee::OtherAccount], NS);
    registrar.node(Profile {
        name: Name::Is(NODE),
        // Whoever knows the address may read it (§9), as vcard-temp.
        access_model: "open",
        max_items: "1",
        more: &[],
    });
    registrar.link(Link {
        node: NODE,
        family: Family::Roster,
        hook: changed,
    });
}

/// An item's name and the vCard4 in it.
fn read(item: Option<StoredItem>) -> Option<(String, Element)> {
    let item = item?;
    let element = item.element()?;
    Some((item.id, element))
}

fn changed<'a>(
    change: &'a mut Change,
    node: &'a Node,
    done: &'a Done,
) -> BoxFuture<'a, Result<(), StanzaError>> {
    async move {
        // What vcard-temp says until now.
        let last = items::last(change.server(), node).await?;
        let shown = last.as_ref().and_then(StoredItem::element);
        let (before, after) = match done {
            Done::Configured(before) => match (before.is_open(), node.is_open()) {
                (false, true) => (
                    None,
                    change.newest(node).await?.and_then(|item| item.element()),
                ),
                (true, false) => (shown, None),
                _ => return Ok(()),
            },
            _ if !node.is_open() => return Ok(()),
            // What a node does not keep could not be taken back from there.
            Done::Published { .. } if !node.is(&persist_items::FIELD) => return Ok(()),
            Done::Published { payload, .. } => (shown, payload.clone()),
            Done::Retracted(_) | Done::Emptied | Done::Shrunk => {
                let newest = change.newest(node).await?;
                if newest == last {
                    return Ok(());
                }
                (shown, newest.and_then(|item| item.element()))
            }
        };
        let (before, after) = (before.as_ref(), after.as_ref());
        vcard::rewrite(change, |card| follow_vcard4(before, after, card))
            .await
            .map(|_| ())
    }
    .boxed()
}

/// Somebody wrote their vcard-temp.
pub(crate) async fn written(
    change: &mut Change,
    before: Option<&Element>,
    after: Option<&Element>,
) -> Result<(), StanzaError> {
    let own = match change.find(NODE).await? {
        Some(node) => read(items::newest(change.server(), &node).await?),
        None => None,
    };
    let own_card = own.as_ref().map(|(_, card)| card);
    let card = follow_temp(before, after, own_card);
    if own_card.map_or(card.children().next().is_none(), |own| *own == card) {
        return Ok(());
    }
    let node = change.find_or_make(NODE, Settings::default()).await?;
    if card.to_bytes("").len() as u64 > limits::payload_bytes(change.server(), &node) {
        return Ok(());
    }
    let item = Item {
        payload: vec![card],
        ..Item::named(own.as_ref().map_or("current", |(id, _)| id))
    };
    change.publish(&node, &item).await.map(|_| ())
}
