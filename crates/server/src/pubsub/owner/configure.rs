//! Configure a node (XEP-0060 §8.2).

use waxwing_stanza::Condition;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, FormKind};
use waxwing_stanza::xep::xep_0060_pubsub::FORM_NODE_CONFIG;
use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};
use waxwing_stanza::xep::xep_0060_pubsub::owner::{Configure, PubsubOwner};

use crate::cx::{Answer, Handled};
use crate::pubsub::fields::{self, Field};
use crate::pubsub::links::Done;
use crate::pubsub::node::Node;
use crate::pubsub::node_options::{self, deliver_payloads, notify_config, roster_groups_allowed};
use crate::pubsub::request::Request;
use crate::pubsub::requests::create;
use crate::pubsub::{arrivals, limits, sweeping};

/// The configuration as it is.
pub(super) async fn get(request: &Request, asked: &Configure) -> Handled {
    let node = request.owned(asked.node.as_deref()).await?;
    Ok(Answer::with(&PubsubOwner::of(Configure {
        node: Some(node.name.clone()),
        form: Some(form(FormKind::Form, node_options::FIELDS, &node)),
    })))
}

fn form(kind: FormKind, fields: &[&Field], node: &Node) -> DataForm {
    fields::form(
        kind,
        FORM_NODE_CONFIG,
        fields,
        node.settings(),
        node.service.kind,
    )
}

/// Another configuration; what the form leaves out stays as it is.
pub(super) async fn set(request: &Request, asked: &Configure) -> Handled {
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let mut node = request.owned(asked.node.as_deref()).await?;
    let form = asked.form.as_ref().ok_or(Condition::BadRequest)?;
    match form.kind {
        FormKind::Cancel => return Ok(Answer::empty()),
        FormKind::Submit => {}
        FormKind::Form | FormKind::Result => return Err(Condition::BadRequest.into()),
    }
    let mut settings = node.settings().clone();
    settings.merge(create::accept(form)?);
    limits::check_settings(node.service.kind, &settings)?;
    let before = node.clone();
    node.stored.settings = Some(settings);
    let mut change = request.change(turn);
    node.save(&mut change.effects().batch);
    if change.shrink(&node).await? > 0 {
        change.follow(&node, &Done::Shrunk).await?;
        sweeping::shrink_later(&node, change.effects());
    }
    arrivals::reconfigured(request.server(), &before, &node, change.effects()).await?;
    if node.is(&notify_config::FIELD) {
        change.tell(&node, &event(&node)).await?;
    }
    let done = Done::Configured(Box::new(before));
    let effects = change.done(&node, &done).await?;
    Ok(Answer::empty().and(effects))
}

/// §8.2.5.3. What the groups of somebody's roster are called is nobody else's matter.
fn event(node: &Node) -> Event {
    let told = |field: &&&'static Field| field.name != roster_groups_allowed::FIELD.name;
    let fields: Vec<&'static Field> = node_options::FIELDS.iter().filter(told).copied().collect();
    Event::of(event::Configuration {
        node: node.name.clone(),
        form: node
            .is(&deliver_payloads::FIELD)
            .then(|| form(FormKind::Result, &fields, node)),
    })
}
