//! Subscribe to a node (XEP-0060 §6.1, §6.3.7).

use waxwing_stanza::xep::xep_0004_forms::FormKind;
use waxwing_stanza::xep::xep_0060_pubsub::SubscriptionState;
use waxwing_stanza::xep::xep_0060_pubsub::errors::{Fault, unsupported};
use waxwing_stanza::xep::xep_0060_pubsub::request::{
    self as payloads, Options, Part, Pubsub, Subscribe, SubscribeOptions,
};
use waxwing_stanza::{Condition, StanzaError};

use crate::cx::{Answer, Handled};
use crate::effects::Effects;
use crate::pubsub::access::Verdict;
use crate::pubsub::attachments;
use crate::pubsub::fields::{PRESENCE, Settings};
use crate::pubsub::node::Node;
use crate::pubsub::node_options::{notify_sub, subscribe, tempsub};
use crate::pubsub::request::{Request, Standing};
use crate::pubsub::requests::options;
use crate::pubsub::subscribe_options::expire;
use crate::pubsub::subscriptions::{self, Subscription};
use crate::pubsub::{authorization, last, limits, notices};

/// Once for each address; with options, once more (§6.1.6).
pub(super) async fn set(request: &Request, asked: &Subscribe, given: Option<&Options>) -> Handled {
    let settings = match given {
        Some(given) => configured(request, given)?,
        None => None,
    };
    let jid = asked.jid.as_ref().ok_or(Fault::InvalidJid)?;
    if !request.own_jid(jid) {
        return Err(Fault::InvalidJid.error());
    }
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let standing = request.node(asked.node.as_deref()).await?;
    let state = admitted(request, &standing).await?;
    let node = &standing.node;
    let before = subscriptions::of_jid(request.server(), node, jid).await?;
    let is_pending = |one: &&Subscription| one.state == SubscriptionState::Pending;
    if let Some(pending) = before.iter().find(is_pending) {
        if state == SubscriptionState::Pending {
            return Err(Fault::PendingSubscription.error());
        }
        // Nobody is asked any more.
        let mut effects = request.writes(turn);
        authorization::settle(request.server(), node, pending.clone(), true, &mut effects).await?;
        let settled = Subscription {
            state,
            ..pending.clone()
        };
        return Ok(Answer::with(&Pubsub::of(told(&settled))).and(effects));
    }
    if let (Some(one), None) = (before.into_iter().next(), &settings) {
        return Ok(Answer::with(&Pubsub::of(told(&one))));
    }
    limits::check_subscriptions(request, node).await?;
    let has_options = settings.is_some();
    let mut settings = settings.unwrap_or_default();
    note_temporary(node, &mut settings);
    let subscription = Subscription {
        node: node.name.clone(),
        jid: jid.clone(),
        id: request.server().outside().token::<8>(),
        state,
        settings,
    };
    let mut effects = request.writes(turn);
    subscription.save(&request.service, &mut effects.batch);
    follow(request, node, &subscription, &mut effects).await?;
    let mut answer = Pubsub::of(told(&subscription));
    if has_options {
        let form = options::form(FormKind::Result, request, &subscription.settings);
        answer.parts.push(Part::Options(Options {
            node: None,
            jid: None,
            subid: None,
            form: Some(form),
        }));
    }
    Ok(Answer::with(&answer).and(effects))
}

/// All subscriptions to some nodes end when the subscriber goes, whatever their options say (`pubsub#tempsub`).
pub(super) fn note_temporary(node: &Node, settings: &mut Settings) {
    if node.is(&tempsub::FIELD) {
        settings.set(&expire::FIELD, &[PRESENCE]);
    }
}

/// The options of a new subscription.
fn configured(request: &Request, given: &Options) -> Result<Option<Settings>, StanzaError> {
    if given.node.is_some() || given.jid.is_some() {
        return Err(Condition::BadRequest.into());
    }
    let form = given.form.as_ref();
    form.map(|form| options::accept(request, form)).transpose()
}

async fn admitted(
    request: &Request,
    standing: &Standing,
) -> Result<SubscriptionState, StanzaError> {
    let verdict = request.may_subscribe(standing).await?;
    if let Verdict::Refused(error) = verdict {
        return Err(error);
    }
    if !standing.node.is(&subscribe::FIELD) {
        return Err(unsupported("subscribe"));
    }
    Ok(match verdict {
        Verdict::Pending => match attachments::admitted(request, standing).await? {
            true => SubscriptionState::Subscribed,
            false => SubscriptionState::Pending,
        },
        Verdict::Granted | Verdict::Refused(_) => SubscriptionState::Subscribed,
    })
}

fn told(subscription: &Subscription) -> payloads::Subscription {
    payloads::Subscription {
        node: Some(subscription.node.clone()),
        jid: subscription.jid.clone(),
        subid: Some(subscription.id.clone()),
        subscription: subscription.state,
        options: Some(SubscribeOptions { required: false }),
    }
}

/// Owners decide, or learn of it; the new subscriber gets the newest item.
async fn follow(
    request: &Request,
    node: &Node,
    subscription: &Subscription,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let server = request.server();
    if subscription.state == SubscriptionState::Pending {
        return authorization::ask_owners(server, node, subscription, effects).await;
    }
    if node.is(&notify_sub::FIELD) {
        notices::tell_owners(server, node, subscription, effects).await?;
    }
    last::on_subscription(server, node, subscription, effects).await
}
