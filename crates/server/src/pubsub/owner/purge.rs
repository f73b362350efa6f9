//! Purge all node items (XEP-0060 §8.5).

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0060_pubsub::errors::unsupported;
use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};
use waxwing_stanza::xep::xep_0060_pubsub::owner::Purge;

use crate::cx::{Answer, Handled};
use crate::effects::Effects;
use crate::pubsub::change::Change;
use crate::pubsub::links::Done;
use crate::pubsub::node::Node;
use crate::pubsub::node_options::persist_items;
use crate::pubsub::request::Request;
use crate::pubsub::sweeping;

/// By an owner.
pub(super) async fn set(request: &Request, asked: &Purge) -> Handled {
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let node = request.owned(asked.node.as_deref()).await?;
    if !node.is(&persist_items::FIELD) {
        return Err(unsupported("persistent-items"));
    }
    let effects = purged(request.change(turn), &node).await?;
    Ok(Answer::empty().and(effects))
}

/// Empties a node by a change that has its turn: the node stays, with another generation of items.
pub(crate) async fn purged(mut change: Change, before: &Node) -> Result<Effects, StanzaError> {
    let server = change.server().clone();
    let mut node = before.clone();
    change.emptied(before);
    let debris = sweeping::clear(&server, &node, &mut change.effects().batch).await?;
    node.stored.generation = server.now_micros().max(node.stored.generation + 1);
    node.save(&mut change.effects().batch);
    let event = Event::of(event::Purge {
        node: node.name.clone(),
    });
    change.tell(&node, &event).await?;
    let mut effects = change.done(before, &Done::Emptied).await?;
    sweeping::sweep_later(debris, &mut effects);
    Ok(effects)
}
