//! Purge all node items (XEP-0060 §8.5).

use waxwing_stanza::xep::xep_0060_pubsub::errors::unsupported;
use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};
use waxwing_stanza::xep::xep_0060_pubsub::owner::Purge;

use crate::cx::{Answer, Handled};
use crate::pubsub::node_options::persist_items;
use crate::pubsub::notify::{self, Audience, Notice};
use crate::pubsub::request::Request;
use crate::pubsub::sweeping;

/// The node stays, with another generation of items.
pub(super) async fn set(request: &Request, asked: &Purge) -> Handled {
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let mut node = request.owned(asked.node.as_deref()).await?;
    if !node.is(&persist_items::FIELD) {
        return Err(unsupported("persistent-items"));
    }
    let server = request.server();
    let mut effects = Request::effects(turn);
    let debris = sweeping::clear(server, &node, &mut effects.batch).await?;
    node.stored.generation = server.now_micros().max(node.stored.generation + 1);
    node.save(&mut effects.batch);
    let event = Event::of(event::Purge {
        node: node.name.clone(),
    });
    let notice = Notice::of(server, &node, &event)?;
    let audience = Audience::of(server, &node).await?;
    notify::tell(server, &node, notice, audience, &mut effects).await?;
    sweeping::sweep_later(debris, &mut effects);
    Ok(Answer::empty().and(effects))
}
