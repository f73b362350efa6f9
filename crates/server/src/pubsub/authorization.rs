//! Requests to subscribe that an owner decides (XEP-0060 §8.6).

use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind};
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::{FORM_AUTHORIZATION, SubscriptionState};
use waxwing_stanza::{BareJid, Condition, Jid, Payload, StanzaError};

use crate::blocking;
use crate::effects::Effects;
use crate::pubsub::node::{self, Node};
use crate::pubsub::node_options::notify_sub;
use crate::pubsub::notify::{self, Audience, Notice};
use crate::pubsub::privilege::{Privilege, may};
use crate::pubsub::service::{Service, ServiceKind};
use crate::pubsub::subscriptions::{self, Subscription};
use crate::pubsub::{affiliations, fields, last, notices};
use crate::server::Server;

const ALLOW: &str = "allow";
const NODE: &str = "node";
const SUBSCRIBER: &str = "subscriber_jid";
const SUBID: &str = "subid";

/// Owners are asked.
pub(crate) async fn ask_owners(
    server: &Server,
    node: &Node,
    subscription: &Subscription,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let mut owners = Vec::new();
    for owner in affiliations::owners(server, node).await? {
        if !blocking::has_blocked(server, &owner, &subscription.jid).await? {
            owners.push(owner);
        }
    }
    let notice = question(server, node, subscription)?.caused_by(subscription.jid.bare());
    notify::tell(server, node, notice, Audience::accounts(owners), effects).await
}

/// Whether such a form is for the service: at somebody else's account, only from who owns a node there, and otherwise it is a
/// message like any other.
pub(crate) async fn is_for(
    server: &Server,
    service: &Service,
    who: &BareJid,
    form: &DataForm,
) -> Result<bool, StanzaError> {
    if service.kind == ServiceKind::Host || service.jid == *who {
        return Ok(true);
    }
    let name = fields::single(form, NODE).ok().flatten();
    let affiliation = affiliations::at(server, service, name.unwrap_or_default(), who).await?;
    Ok(may(affiliation, Privilege::Own))
}

/// What an owner is asked.
pub(crate) fn question(
    server: &Server,
    node: &Node,
    subscription: &Subscription,
) -> Result<Notice, StanzaError> {
    let field = |name, value| Field::new(&fields::var(name), [value]);
    let line = |name, kind, label: &str, value| {
        let field: Field = field(name, value);
        field.with_kind(kind).with_label(label)
    };
    let mut form = DataForm::of_type(FormKind::Form, FORM_AUTHORIZATION)
        .with_field(field(SUBID, subscription.id.as_str()).with_kind(FieldKind::Hidden))
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
    Notice::question(server, node, &form.write())
}

/// What an owner decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// At which node.
    pub node: String,
    /// Whose request.
    pub subscriber: Jid,
    /// Which one of several.
    pub subid: Option<String>,
    /// Whether it is granted.
    pub allow: bool,
}

impl Decision {
    /// What a form says; nothing where the owner puts it off.
    ///
    /// # Errors
    ///
    /// What the owner is told where the form says too little, or something twice.
    pub fn read(form: &DataForm) -> Result<Option<Decision>, StanzaError> {
        match form.kind {
            FormKind::Cancel => return Ok(None),
            FormKind::Submit => {}
            FormKind::Form | FormKind::Result => return Err(Condition::BadRequest.into()),
        }
        let single = |name| {
            let value = fields::single(form, name);
            value.map_err(|wrong| {
                StanzaError::from(Condition::BadRequest).with_text(wrong.to_string())
            })
        };
        let allow = match single(ALLOW)? {
            Some("1" | "true") => true,
            Some("0" | "false") => false,
            _ => return Err(Condition::BadRequest.into()),
        };
        let subscriber = single(SUBSCRIBER)?.ok_or(Fault::JidRequired)?;
        Ok(Some(Decision {
            node: node::named(single(NODE)?)?.to_owned(),
            subscriber: subscriber.parse().map_err(|_| Condition::JidMalformed)?,
            subid: single(SUBID)?.map(str::to_owned),
            allow,
        }))
    }
}

/// An owner's decision. One that is put off leaves the request as it is.
pub(crate) async fn decide(
    server: &Server,
    service: &Service,
    who: &BareJid,
    form: &DataForm,
) -> Result<Effects, StanzaError> {
    let Some(decision) = Decision::read(form)? else {
        return Ok(Effects::none());
    };
    let turn = server.node_turn(&service.jid, &decision.node).await;
    let node = node::find(server, service, &decision.node).await?;
    let node = node.ok_or(Condition::ItemNotFound)?;
    let affiliation = affiliations::of(server, &node, who).await?;
    if !may(affiliation, Privilege::Own) {
        return Err(Condition::Forbidden.into());
    }
    let pending = subscriptions::of_jid(server, &node, &decision.subscriber).await?;
    let is_meant = |one: &&Subscription| {
        let is_pending = one.state == SubscriptionState::Pending;
        is_pending && decision.subid.as_ref().is_none_or(|id| *id == one.id)
    };
    let mut effects = Effects::none();
    effects.exclusive = Some(turn);
    // Another owner may have decided before: the first one counts.
    if let Some(one) = pending.iter().find(is_meant) {
        settle(server, &node, one.clone(), decision.allow, &mut effects).await?;
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
