//! Unsubscribe from a node (XEP-0060 §6.2).

use waxwing_stanza::Condition;
use waxwing_stanza::xep::xep_0060_pubsub::SubscriptionState;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::request::{Pubsub, Subscription, Unsubscribe};

use crate::cx::{Answer, Handled};
use crate::pubsub::node_options::notify_sub;
use crate::pubsub::notices;
use crate::pubsub::request::Request;
use crate::pubsub::requests::options;

/// Ends one subscription.
pub(super) async fn set(request: &Request, asked: &Unsubscribe) -> Handled {
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let node = request.node_to_leave(asked.node.as_deref()).await?;
    let jid = asked.jid.as_ref().ok_or(Fault::InvalidJid)?;
    if !request.own_jid(jid) {
        return Err(Condition::Forbidden.into());
    }
    let node = &node;
    let mut one = options::one(request, node, jid, asked.subid.as_deref()).await?;
    let mut effects = request.writes(turn);
    one.delete(&request.service, &mut effects.batch);
    one.state = SubscriptionState::None;
    if node.is(&notify_sub::FIELD) {
        notices::tell_owners(request.server(), node, &one, &mut effects).await?;
    }
    let answer = Pubsub::of(Subscription {
        node: Some(one.node),
        jid: one.jid,
        subid: Some(one.id),
        subscription: one.state,
        options: None,
    });
    Ok(Answer::with(&answer).and(effects))
}
