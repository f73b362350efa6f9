//! Requests to subscribe that an owner decides (XEP-0060 §8.6).

use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::{FORM_AUTHORIZATION, SubscriptionState};
use waxwing_stanza::{BareJid, Condition, Jid, Payload, StanzaError};

use crate::effects::Effects;
use crate::pubsub::node::{self, Node};
use crate::pubsub::node_options::notify_sub;
use crate::pubsub::notify::{self, Audience, Notice};
use crate::pubsub::privilege::{Privilege, may};
use crate::pubsub::service::Service;
use crate::pubsub::subscriptions::{self, Subscription};
use crate::pubsub::{affiliations, last, notices};
use crate::server::Server;

const ALLOW: &str = "pubsub#allow";
const NODE: &str = "pubsub#node";
const SUBSCRIBER: &str = "pubsub#subscriber_jid";
const SUBID: &str = "pubsub#subid";

/// Owners are asked.
pub(crate) async fn ask_owners(
    server: &Server,
    node: &Node,
    subscription: &Subscription,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let owners = affiliations::owners(server, node).await?;
    ask(
        server,
        node,
        subscription,
        Audience::accounts(owners),
        effects,
    )
    .await
}

/// Somebody is asked.
pub(crate) async fn ask(
    server: &Server,
    node: &Node,
    subscription: &Subscription,
    audience: Audience,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let line = |var, kind, label: &str, value: &str| {
        Field::new(var, [value]).with_kind(kind).with_label(label)
    };
    let mut form = DataForm::of_type(FormKind::Form, FORM_AUTHORIZATION)
        .with_field(Field::new(SUBID, [subscription.id.as_str()]).with_kind(FieldKind::Hidden))
        .with_field(line(NODE, FieldKind::TextSingle, "Node ID", &node.name))
        .with_field(line(
            SUBSCRIBER,
            FieldKind::JidSingle,
            "Subscriber Address",
            subscription.jid.as_str(),
        ))
        .with_field(line(
            ALLOW,
            FieldKind::Boolean,
            "Allow this JID to subscribe to this pubsub node?",
            "false",
        ));
    form.title = Some("PubSub subscriber request".to_owned());
    form.instructions = vec![
        "To approve this entity's subscription request, click the OK button. To deny the request, click the cancel \
         button."
            .to_owned(),
    ];
    let notice = Notice::question(server, node, &form.write())?;
    notify::tell(server, node, notice, audience, effects).await
}

/// An owner's decision.
pub(crate) async fn decide(
    server: &Server,
    service: &Service,
    who: &BareJid,
    form: &DataForm,
) -> Result<Effects, StanzaError> {
    // The request stays as it is.
    if form.kind == FormKind::Cancel {
        return Ok(Effects::none());
    }
    let allow = match form.value(ALLOW) {
        Some("1" | "true") => true,
        Some("0" | "false") => false,
        _ => return Err(Condition::BadRequest.into()),
    };
    let name = node::named(form.value(NODE))?;
    let jid: Jid = form
        .value(SUBSCRIBER)
        .ok_or(Fault::JidRequired)?
        .parse()
        .map_err(|_| Condition::JidMalformed)?;
    let turn = server.node_turn(&service.jid, name).await;
    let node = node::find(server, service, name).await?;
    let node = node.ok_or(Condition::ItemNotFound)?;
    let affiliation = affiliations::of(server, &node, who).await?;
    if !may(affiliation, Privilege::Own) {
        return Err(Condition::Forbidden.into());
    }
    let pending = subscriptions::of_jid(server, &node, &jid).await?;
    let is_meant = |one: &&Subscription| {
        let is_pending = one.state == SubscriptionState::Pending;
        is_pending
            && form
                .value(SUBID)
                .is_none_or(|id| id.is_empty() || id == one.id)
    };
    let mut effects = Effects::none();
    effects.exclusive = Some(turn);
    // Another owner may have decided before: the first one counts.
    if let Some(one) = pending.iter().find(is_meant) {
        settle(server, &node, one.clone(), allow, &mut effects).await?;
    }
    Ok(effects)
}

/// Lets a subscriber in, or not, and says so.
pub(crate) async fn settle(
    server: &Server,
    node: &Node,
    mut subscription: Subscription,
    allow: bool,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    if allow {
        subscription.state = SubscriptionState::Subscribed;
        subscription.save(&node.service, &mut effects.batch);
    } else {
        subscription.delete(&node.service, &mut effects.batch);
        subscription.state = SubscriptionState::None;
    }
    notices::tell_subscriber(server, node, &subscription, effects).await?;
    if allow && node.is(&notify_sub::FIELD) {
        notices::tell_owners(server, node, &subscription, effects).await?;
    }
    last::on_subscription(server, node, &subscription, effects).await
}
