//! Retrieve subscriptions (XEP-0060 §5.6).

use waxwing_stanza::xep::xep_0059_rsm::ResultSet;
use waxwing_stanza::xep::xep_0060_pubsub::request::{Part, Pubsub, Subscription, Subscriptions};

use crate::cx::{Answer, Handled};
use crate::pubsub::lists;
use crate::pubsub::request::Request;
use crate::pubsub::subscriptions;

/// Those of who asks, to all nodes or one.
pub(super) async fn get(
    request: &Request,
    asked: &Subscriptions,
    set: Option<&ResultSet>,
) -> Handled {
    let mut all =
        subscriptions::of_entity(request.server(), &request.service, &request.who).await?;
    if let Some(node) = &asked.node {
        all.retain(|one| one.node == *node);
    }
    let (found, page) = lists::page(all, set)?;
    let told = found.into_iter().map(|one| Subscription {
        node: Some(one.node),
        jid: one.jid,
        subid: Some(one.id),
        subscription: one.state,
        options: None,
    });
    let mut answer = Pubsub::of(Subscriptions {
        node: asked.node.clone(),
        subscriptions: told.collect(),
    });
    answer.parts.extend(page.map(Part::Set));
    Ok(Answer::with(&answer))
}
