//! What is attached to an item, summed up (XEP-0470 §4.6 to §4.8).
//!
//! A summary is changed by what one publisher had attached and has now: that costs as much for the thousandth as for the
//! first.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use waxwing_stanza::xep::xep_0060_pubsub::request::Item;
use waxwing_stanza::xep::xep_0470_attachments::{Attachments, Place, Summary};
use waxwing_stanza::{Condition, Payload, StanzaError};
use waxwing_wire::Element;

use super::{ATTACHED, Attached, belonging, going};
use crate::pubsub::change::Change;
use crate::pubsub::items;
use crate::pubsub::links::Done;
use crate::pubsub::node::{self, Node};
use crate::pubsub::stored::StoredItem;
use crate::pubsub::sweeping;
use crate::server::unavailable;

/// Most different reactions to an item.
const REACTIONS_MAX: usize = 300;

/// What follows from a change at any node.
pub(crate) fn changed<'a>(
    change: &'a mut Change,
    node: &'a Node,
    done: &'a Done,
) -> BoxFuture<'a, Result<(), StanzaError>> {
    async move {
        match (Place::of(&node.service.jid, &node.name), done) {
            (Some(place @ Place::Attachments { .. }), Done::Published { id, payload }) => {
                attach(change, node, &place, id, payload.as_ref()).await
            }
            (Some(place @ Place::Attachments { .. }), Done::Retracted(id)) => {
                attach(change, node, &place, id, None).await
            }
            // Nobody changes summaries, nor empties what belongs to another node.
            (Some(_), _) => Ok(()),
            (None, Done::Emptied) => going::emptied(change, node).await,
            (None, Done::Configured(_)) => Ok(()),
            (None, Done::Published { .. } | Done::Retracted(_) | Done::Shrunk) => {
                going::gone(change, node).await
            }
        }
    }
    .boxed()
}

/// A publisher has attached this, or nothing any more.
async fn attach(
    change: &mut Change,
    node: &Node,
    place: &Place,
    publisher: &str,
    payload: Option<&Element>,
) -> Result<(), StanzaError> {
    let (server, service) = (change.server().clone(), node.service.clone());
    let Place::Attachments { item, .. } = place else {
        return Ok(());
    };
    let target = node::stored(&server, &service, place.node()).await?;
    let target = target.ok_or(Condition::ItemNotFound)?;
    note(change, &target, node, item).await?;
    let before = items::named(&server, node, publisher).await?;
    let before: Option<Attachments> = before.and_then(|(_, item)| read(&item));
    let after = payload.and_then(|payload| Attachments::read(payload).ok());
    let summaries = summaries(&target);
    let known = items::named(&server, &summaries, item).await?;
    let known: Option<Summary> = known.and_then(|(_, item)| read(&item));
    if change.count(node).await?.items == 0 {
        return change.retract(&summaries, item).await;
    }
    let shown = known.as_ref().unwrap_or(&Summary::EMPTY);
    let summary = shown.with(before.as_ref(), after.as_ref());
    if summary.different() > REACTIONS_MAX && summary.different() > shown.different() {
        let text = format!("there are {REACTIONS_MAX} different reactions at most");
        return Err(StanzaError::from(Condition::PolicyViolation).with_text(text));
    }
    if known.is_some_and(|known| known == summary) {
        return Ok(());
    }
    let item = Item {
        payload: vec![summary.write()],
        ..Item::named(item)
    };
    change.publish(&summaries, &item).await.map(|_| ())
}

/// The node of summaries of what is attached to the items of this one.
pub(super) fn summaries(target: &Node) -> Node {
    let node = target.name.clone();
    let place = Place::Summary { node };
    belonging(target, &place, target.stored.generation)
}

fn read<P: Payload>(item: &StoredItem) -> Option<P> {
    P::read(&item.element()?).ok()
}

/// Notes that something is attached to an item. What was attached to an earlier one of its name goes.
async fn note(
    change: &mut Change,
    target: &Node,
    node: &Node,
    item: &str,
) -> Result<(), StanzaError> {
    let server = change.server().clone();
    let numbers = items::numbers(&server, target, item).await?;
    let attached = Attached {
        generation: node.stored.generation,
        created: numbers.ok_or(Condition::ItemNotFound)?.created,
    };
    let owner = &target.service.owner;
    let key = (target.name.as_str(), target.stored.generation, item);
    let before = server.store().get(&ATTACHED, owner, &key).await;
    let before = before.map_err(|error| unavailable(&error))?;
    if before == Some(attached) {
        return Ok(());
    }
    let effects = change.effects();
    if let Some(before) = before {
        let mut old = node.clone();
        old.stored.generation = before.generation;
        let debris = sweeping::clear(&server, &old, &mut effects.batch).await?;
        sweeping::sweep_later(debris, effects);
    }
    effects.batch.put(&ATTACHED, owner, &key, &attached);
    Ok(())
}
