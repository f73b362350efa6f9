//! Configure subscription options (XEP-0060 §6.3).

use waxwing_stanza::xep::xep_0004_forms::{DataForm, FormKind};
use waxwing_stanza::xep::xep_0060_pubsub::FORM_SUBSCRIBE_OPTIONS;
use waxwing_stanza::xep::xep_0060_pubsub::SubscriptionState;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::request::{Options, Pubsub};
use waxwing_stanza::{Condition, ErrorType, Jid, StanzaError};

use crate::cx::{Answer, Handled};
use crate::pubsub::fields::{self, Settings, Unknown};
use crate::pubsub::limits;
use crate::pubsub::node::Node;
use crate::pubsub::request::Request;
use crate::pubsub::requests::subscribe;
use crate::pubsub::subscribe_options;
use crate::pubsub::subscriptions::{self, Subscription};

/// The options as they are.
pub(super) async fn get(request: &Request, asked: &Options) -> Handled {
    let (_, subscription) = find(request, asked).await?;
    let form = form(FormKind::Form, request, &subscription.settings);
    Ok(Answer::with(&Pubsub::of(Options {
        form: Some(form),
        ..asked.clone()
    })))
}

/// Other options.
pub(super) async fn set(request: &Request, asked: &Options) -> Handled {
    let Some(form) = &asked.form else {
        return Err(Fault::InvalidOptions.error());
    };
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let (node, mut subscription) = find(request, asked).await?;
    if form.kind == FormKind::Cancel {
        return Ok(Answer::empty());
    }
    subscription.settings.merge(accept(request, form)?);
    subscribe::note_temporary(&node, &mut subscription.settings);
    if subscription.state == SubscriptionState::Unconfigured {
        subscription.state = SubscriptionState::Subscribed;
    }
    let mut effects = request.writes(turn);
    subscription.save(&request.service, &mut effects.batch);
    Ok(Answer::empty().and(effects))
}

/// The subscription that is meant.
async fn find(request: &Request, asked: &Options) -> Result<(Node, Subscription), StanzaError> {
    let jid = asked.jid.as_ref();
    let standing = request.node(asked.node.as_deref()).await?;
    let jid = jid.ok_or(Fault::JidRequired)?;
    if !request.own_jid(jid) {
        return Err(Condition::Forbidden.into());
    }
    let found = one(request, &standing.node, jid, asked.subid.as_deref()).await;
    // §6.3.4.2: of another type than where nothing is to be unsubscribed.
    let found = found.map_err(|error| match error == Fault::NotSubscribed.error() {
        true => error.with_type(ErrorType::Modify),
        false => error,
    });
    Ok((standing.node, found?))
}

/// The subscription of an address that is meant, by its id where there are several (§6.2.3).
pub(super) async fn one(
    request: &Request,
    node: &Node,
    jid: &Jid,
    subid: Option<&str>,
) -> Result<Subscription, StanzaError> {
    let mut all = subscriptions::of_jid(request.server(), node, jid).await?;
    if all.is_empty() {
        return Err(request.told(Fault::NotSubscribed.error()).await?);
    }
    match subid.filter(|id| !id.is_empty()) {
        Some(id) => {
            let found = all.into_iter().find(|one| one.id == id);
            found.ok_or_else(|| Fault::InvalidSubid.error())
        }
        None if all.len() > 1 => Err(Fault::SubidRequired.error()),
        None => Ok(all.swap_remove(0)),
    }
}

/// What a form of options says.
pub(super) fn accept(request: &Request, form: &DataForm) -> Result<Settings, StanzaError> {
    let settings = fields::accept(
        form,
        FORM_SUBSCRIBE_OPTIONS,
        subscribe_options::FIELDS,
        Unknown::Ignored,
    );
    let settings =
        settings.map_err(|wrong| Fault::InvalidOptions.error().with_text(wrong.to_string()))?;
    limits::lease(request.server(), settings)
}

/// The form of options.
pub(super) fn form(kind: FormKind, request: &Request, settings: &Settings) -> DataForm {
    fields::form(
        kind,
        FORM_SUBSCRIBE_OPTIONS,
        subscribe_options::FIELDS,
        settings,
        request.service.kind,
    )
}
