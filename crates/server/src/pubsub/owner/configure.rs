//! Configure a node (XEP-0060 §8.2).

use waxwing_stanza::xep::xep_0004_forms::{DataForm, FormKind};
use waxwing_stanza::xep::xep_0060_pubsub::FORM_NODE_CONFIG;
use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};
use waxwing_stanza::xep::xep_0060_pubsub::owner::{Configure, PubsubOwner};
use waxwing_stanza::{Condition, StanzaError};

use crate::cx::{Answer, Handled};
use crate::effects::Effects;
use crate::pubsub::fields;
use crate::pubsub::node::Node;
use crate::pubsub::node_options::{self, deliver_payloads, notify_config};
use crate::pubsub::notify::{self, Audience, Notice};
use crate::pubsub::request::Request;
use crate::pubsub::requests::create;
use crate::pubsub::{arrivals, items, limits};

/// The configuration as it is.
pub(super) async fn get(request: &Request, asked: &Configure) -> Handled {
    let node = request.owned(asked.node.as_deref()).await?;
    Ok(Answer::with(&PubsubOwner::of(Configure {
        node: Some(node.name.clone()),
        form: Some(form(FormKind::Form, &node)),
    })))
}

fn form(kind: FormKind, node: &Node) -> DataForm {
    fields::form(
        kind,
        FORM_NODE_CONFIG,
        node_options::FIELDS,
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
    let mut effects = request.writes(turn);
    node.save(&mut effects.batch);
    fit(request, &node, &mut effects).await?;
    arrivals::reconfigured(request.server(), &before, &node, &mut effects).await?;
    if node.is(&notify_config::FIELD) {
        tell(request, &node, &mut effects).await?;
    }
    Ok(Answer::empty().and(effects))
}

/// Where fewer items are kept from now on, the oldest go.
async fn fit(request: &Request, node: &Node, effects: &mut Effects) -> Result<(), StanzaError> {
    let server = request.server();
    let mut count = items::count(server, node).await?;
    let surplus = count.items.saturating_sub(limits::items(server, node));
    let most = limits::REMOVED_FOR_ONE_MAX.min(usize::try_from(surplus).unwrap_or(usize::MAX));
    if most == 0 {
        return Ok(());
    }
    for old in items::oldest(server, node, most).await? {
        if let Some(numbers) = items::numbers(server, node, &old.id).await? {
            count = items::remove(node, &old.id, numbers, count, &mut effects.batch);
        }
    }
    Ok(())
}

/// §8.2.5.3.
async fn tell(request: &Request, node: &Node, effects: &mut Effects) -> Result<(), StanzaError> {
    let server = request.server();
    let event = Event::of(event::Configuration {
        node: node.name.clone(),
        form: node
            .is(&deliver_payloads::FIELD)
            .then(|| form(FormKind::Result, node)),
    });
    let notice = Notice::of(server, node, &event)?;
    notify::tell(
        server,
        node,
        notice,
        Audience::of(server, node).await?,
        effects,
    )
    .await
}
