//! What is attached to an item goes with the item, and with its node.

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};
use waxwing_stanza::xep::xep_0470_attachments::Place;
use waxwing_store::limits::ROWS_MAX;
use waxwing_store::{Batch, Direction, KeyRange};

use super::summing::summaries;
use super::{ATTACHED, Attached, LEFT, belonging};
use crate::pubsub::change::Change;
use crate::pubsub::node::Node;
use crate::pubsub::service::Service;
use crate::pubsub::stored::{COUNTS, SUBSCRIPTIONS, StoredNode};
use crate::pubsub::sweeping::{self, Left};
use crate::server::{Server, unavailable};

/// Items whose attachments are removed in one commit after their node was emptied.
const ITEMS_AT_ONCE: usize = 50;

/// The node of what is attached to an item.
fn attachments(target: &Node, item: &str, attached: Attached) -> Node {
    let place = Place::Attachments {
        node: target.name.clone(),
        item: item.to_owned(),
    };
    belonging(target, &place, attached.generation)
}

/// Ends the subscriptions to a node that goes.
fn unsubscribe(node: &Node, batch: &mut Batch) {
    let range = KeyRange::prefix(&(node.name.as_str(),));
    batch.delete_range(&SUBSCRIPTIONS, &node.service.owner, &range, ROWS_MAX);
}

/// Ends the subscriptions to summaries of what is attached to a node's items, which go with the node.
pub(crate) fn subscribers_of_summary(target: &Node, batch: &mut Batch) {
    unsubscribe(&summaries(target), batch);
}

async fn attached(
    server: &Server,
    target: &Node,
    item: &str,
) -> Result<Option<Attached>, StanzaError> {
    let key = (target.name.as_str(), target.stored.generation, item);
    let attached = server.store().get(&ATTACHED, &target.service.owner, &key);
    attached.await.map_err(|error| unavailable(&error))
}

fn forget(target: &Node, item: &str, batch: &mut Batch) {
    let key = (target.name.as_str(), target.stored.generation, item);
    batch.delete(&ATTACHED, &target.service.owner, &key);
}

/// Some items of a node are there no more, with this change.
pub(super) async fn gone(change: &mut Change, target: &Node) -> Result<(), StanzaError> {
    let server = change.server().clone();
    for item in change.gone(target) {
        let Some(attached) = attached(&server, target, &item).await? else {
            continue;
        };
        let node = attachments(target, &item, attached);
        let event = Event::of(event::Delete {
            node: node.name.clone(),
            redirect: None,
        });
        change.tell(&node, &event).await?;
        change.retract(&summaries(target), &item).await?;
        let effects = change.effects();
        forget(target, &item, &mut effects.batch);
        unsubscribe(&node, &mut effects.batch);
        let debris = sweeping::clear(&server, &node, &mut effects.batch).await?;
        sweeping::sweep_later(debris, effects);
    }
    Ok(())
}

/// All items of a node are there no more, or the node with them. What was attached to them is out of reach at once, and goes
/// little by little.
pub(super) async fn emptied(change: &mut Change, target: &Node) -> Result<(), StanzaError> {
    let server = change.server().clone();
    let key = (target.name.clone(), target.stored.generation);
    let summaries = summaries(target);
    if rows(&server, &target.service, &key, 1).await?.is_empty() {
        // Something may have been attached to items that have gone.
        let key = (summaries.name.as_str(), key.1);
        let batch = &mut change.effects().batch;
        batch.delete(&COUNTS, &target.service.owner, &key);
        return Ok(());
    }
    let event = Event::of(event::Purge {
        node: summaries.name.clone(),
    });
    change.tell(&summaries, &event).await?;
    let effects = change.effects();
    effects.batch.put(&LEFT, &target.service.owner, &key, &true);
    let debris = sweeping::clear(&server, &summaries, &mut effects.batch).await?;
    sweeping::sweep_later(debris, effects);
    let service = target.service.clone();
    effects.spawn(|server| async move {
        if let Err(error) = sweep(&server, &service, key).await {
            tracing::warn!(condition = ?error.condition, "removed attachments are still stored; they go later");
        }
    });
    Ok(())
}

/// Items of a generation to which something is attached.
async fn rows(
    server: &Server,
    service: &Service,
    (node, generation): &(String, u64),
    most: usize,
) -> Result<Vec<((String, u64, String), Attached)>, StanzaError> {
    let range = KeyRange::prefix(&(node.as_str(), *generation));
    let rows = server
        .store()
        .scan(&ATTACHED, &service.owner, &range, Direction::Forward, most);
    rows.await.map_err(|error| unavailable(&error))
}

/// Removes what was attached to items of a generation that is over.
async fn sweep(server: &Server, service: &Service, key: (String, u64)) -> Result<(), StanzaError> {
    let target = Node {
        service: service.clone(),
        name: key.0.clone(),
        stored: StoredNode {
            generation: key.1,
            ..StoredNode::default()
        },
    };
    loop {
        let mut batch = Batch::new();
        let some = rows(server, service, &key, ITEMS_AT_ONCE).await?;
        let is_end = some.len() < ITEMS_AT_ONCE;
        let mut left = Vec::new();
        for ((_, _, item), attached) in some {
            let node = attachments(&target, &item, attached);
            left.extend(sweeping::clear(server, &node, &mut batch).await?);
            unsubscribe(&node, &mut batch);
            forget(&target, &item, &mut batch);
        }
        if is_end {
            batch.delete(&LEFT, &service.owner, &key);
        }
        let done = server.store().commit(batch).await;
        done.map_err(|error| unavailable(&error))?;
        for debris in left {
            let swept = debris.sweep(server).await;
            swept.map_err(|error| unavailable(&error))?;
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Removes what was left by an earlier run of the server, or by a disk that was full.
pub(crate) async fn sweep_all(server: &Server) -> Result<(), StanzaError> {
    let mut left = Left::of(server, &LEFT);
    while let Some((service, keys)) = left.next().await.map_err(|error| unavailable(&error))? {
        for key in keys {
            sweep(server, &service, key).await?;
        }
    }
    Ok(())
}
