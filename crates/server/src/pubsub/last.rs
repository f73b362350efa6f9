//! The newest item, sent to who has just subscribed or come online (XEP-0060 §6.1.7, §12.2).

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0060_pubsub::SubscriptionState;
use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};

use crate::effects::Effects;
use crate::pubsub::items;
use crate::pubsub::node::Node;
use crate::pubsub::node_options::{
    deliver_notifications, deliver_payloads, persist_items, send_last_published_item,
};
use crate::pubsub::notify::{self, Audience, Notice};
use crate::pubsub::requests::items::payload;
use crate::pubsub::stored::StoredItem;
use crate::pubsub::subscriptions::Subscription;
use crate::server::Server;

/// The newest item, for who has just subscribed.
pub(crate) async fn on_subscription(
    server: &Server,
    node: &Node,
    subscription: &Subscription,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let is_told = node.text(&send_last_published_item::FIELD) != "never";
    if subscription.state != SubscriptionState::Subscribed || !is_told {
        return Ok(());
    }
    let Some((_, notice)) = notice(server, node).await? else {
        return Ok(());
    };
    let audience = Audience::these(std::slice::from_ref(subscription));
    notify::tell(server, node, notice, audience, effects).await
}

/// The message with the newest item, if there is one, and when that was published.
pub(crate) async fn notice(
    server: &Server,
    node: &Node,
) -> Result<Option<(u64, Notice)>, StanzaError> {
    if !node.is(&persist_items::FIELD) || !node.is(&deliver_notifications::FIELD) {
        return Ok(None);
    }
    let Some(item) = items::newest(server, node).await? else {
        return Ok(None);
    };
    let event = event(node, &item)?;
    let at_micros = item.published_micros;
    let notice = Notice::late(server, node, &event, at_micros)?;
    Ok(Some((at_micros, notice)))
}

fn event(node: &Node, item: &StoredItem) -> Result<Event, StanzaError> {
    Ok(Event::of(event::Items {
        node: node.name.clone(),
        items: vec![event::Item {
            id: Some(item.id.clone()),
            publisher: node.publisher(&item.publisher),
            payload: match node.is(&deliver_payloads::FIELD) {
                true => payload(item)?,
                false => Vec::new(),
            },
        }],
        retracted: Vec::new(),
    }))
}
