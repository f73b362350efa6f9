//! Manage subscriptions (XEP-0060 §8.8).

use waxwing_stanza::xep::xep_0059_rsm::ResultSet;
use waxwing_stanza::xep::xep_0060_pubsub::SubscriptionState;
use waxwing_stanza::xep::xep_0060_pubsub::owner::{Part, PubsubOwner, Subscribed, Subscriptions};
use waxwing_stanza::{Condition, Payload, StanzaError};

use crate::cx::{Answer, Handled};
use crate::effects::Effects;
use crate::pubsub::lists;
use crate::pubsub::node::Node;
use crate::pubsub::request::Request;
use crate::pubsub::subscriptions::{self, Subscription};
use crate::pubsub::{authorization, notices};

/// Most changes of one request.
const CHANGES_MAX: usize = 500;

/// Those that are in force.
pub(super) async fn get(
    request: &Request,
    asked: &Subscriptions,
    set: Option<&ResultSet>,
) -> Handled {
    let node = request.owned(asked.node.as_deref()).await?;
    let mut all = subscriptions::all(request.server(), &node).await?;
    all.retain(|one| one.state != SubscriptionState::Pending);
    let (found, page) = lists::page(all, set)?;
    let mut answer = PubsubOwner::of(Subscriptions {
        node: Some(node.name),
        subscriptions: found.iter().map(shown).collect(),
    });
    answer.parts.extend(page.map(Part::Set));
    Ok(Answer::with(&answer))
}

fn shown(one: &Subscription) -> Subscribed {
    Subscribed {
        jid: Some(one.jid.clone()),
        subscription: Some(one.state),
        subid: Some(one.id.clone()),
    }
}

/// Changes some. Those that cannot be are told as they are, and the others are made (§8.8.2.4).
pub(super) async fn set(request: &Request, asked: &Subscriptions) -> Handled {
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let node = request.owned(asked.node.as_deref()).await?;
    if asked.subscriptions.len() > CHANGES_MAX {
        return Err(Condition::PolicyViolation.into());
    }
    let mut effects = request.writes(turn);
    let mut refused = Vec::new();
    for wanted in &asked.subscriptions {
        if !change(request, &node, wanted, &mut effects).await? {
            refused.push(as_it_is(request, &node, wanted).await?);
        }
    }
    if refused.is_empty() {
        return Ok(Answer::empty().and(effects));
    }
    let payload = PubsubOwner::of(Subscriptions {
        node: Some(node.name),
        subscriptions: refused,
    });
    let error = StanzaError::from(Condition::NotAcceptable);
    Ok(Answer::refused(payload.write(), error).and(effects))
}

/// Makes one change; says whether it can be.
async fn change(
    request: &Request,
    node: &Node,
    wanted: &Subscribed,
    effects: &mut Effects,
) -> Result<bool, StanzaError> {
    let Some(state) = wanted.subscription else {
        return Ok(true);
    };
    let Some(jid) = &wanted.jid else {
        return Ok(false);
    };
    let server = request.server();
    let mut found = subscriptions::of_jid(server, node, jid).await?;
    if let Some(id) = wanted.subid.as_deref().filter(|id| !id.is_empty()) {
        found.retain(|one| one.id == id);
        if found.is_empty() {
            return Ok(false);
        }
    }
    match (state, found.is_empty()) {
        (SubscriptionState::None, true) => {}
        (SubscriptionState::None, false) => {
            for mut one in found {
                one.delete(&node.service, &mut effects.batch);
                one.state = SubscriptionState::None;
                notices::tell_subscriber(server, node, &one, effects).await?;
            }
        }
        (SubscriptionState::Subscribed, false) => {
            for one in found {
                if one.state != SubscriptionState::Subscribed {
                    authorization::settle(server, node, one, true, effects).await?;
                }
            }
        }
        // Only a subscriber can ask: nobody gets what they have not asked for. And only the service says that options are
        // missing.
        (SubscriptionState::Subscribed, true)
        | (SubscriptionState::Pending | SubscriptionState::Unconfigured, _) => return Ok(false),
    }
    Ok(true)
}

async fn as_it_is(
    request: &Request,
    node: &Node,
    wanted: &Subscribed,
) -> Result<Subscribed, StanzaError> {
    let found = match &wanted.jid {
        Some(jid) => subscriptions::of_jid(request.server(), node, jid).await?,
        None => Vec::new(),
    };
    Ok(match found.first() {
        Some(one) => shown(one),
        None => Subscribed {
            subscription: Some(SubscriptionState::None),
            ..wanted.clone()
        },
    })
}
