//! Create a node (XEP-0060 §8.1).

use waxwing_stanza::xep::xep_0060_pubsub::FORM_NODE_CONFIG;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::request::{Configure, Create, Pubsub};
use waxwing_stanza::{Condition, StanzaError};

use crate::cx::{Answer, Handled};
use crate::pubsub::attachments;
use crate::pubsub::change;
use crate::pubsub::fields::{self, Settings, Unknown};
use crate::pubsub::node;
use crate::pubsub::node_options::{self, access_model};
use crate::pubsub::request::Request;
use crate::pubsub::service::ServiceKind;

/// With the configuration that nodes have by default, or another (§8.1.2, §8.1.3).
pub(super) async fn set(request: &Request, asked: &Create, given: Option<&Configure>) -> Handled {
    attachments::check_create(asked.node.as_deref().unwrap_or_default())?;
    check_may_create(request).await?;
    let made_up;
    let (name, is_instant) = match asked.node.as_deref() {
        Some(name) if !name.is_empty() => (node::named(Some(name))?, false),
        _ => {
            made_up = request.server().outside().token::<16>();
            (made_up.as_str(), true)
        }
    };
    let settings = given.map_or(Ok(Settings::default()), configured)?;
    let turn = request.turn(name).await;
    if request.find(name).await?.is_some() {
        return Err(Condition::Conflict.into());
    }
    let (server, service) = (request.server(), &request.service);
    let node = change::plan(server, service, &request.who, name, settings).await?;
    let mut effects = Request::effects(turn);
    node.create(&mut effects.batch);
    let answer = match is_instant {
        true => Answer::with(&Pubsub::of(Create {
            node: Some(name.to_owned()),
        })),
        false => Answer::empty(),
    };
    Ok(answer.and(effects))
}

/// What was given with the request.
fn configured(given: &Configure) -> Result<Settings, StanzaError> {
    if given.node.is_some() {
        return Err(Condition::BadRequest.into());
    }
    match &given.form {
        Some(form) => accept(form),
        None => Ok(Settings::default()),
    }
}

/// What a form of a node's configuration says.
pub(crate) fn accept(
    form: &waxwing_stanza::xep::xep_0004_forms::DataForm,
) -> Result<Settings, StanzaError> {
    let settings = fields::accept(
        form,
        FORM_NODE_CONFIG,
        node_options::FIELDS,
        Unknown::Ignored,
    );
    settings.map_err(|wrong| {
        if wrong == fields::Wrong::Value(access_model::FIELD.name) {
            return Fault::UnsupportedAccessModel.error();
        }
        StanzaError::from(Condition::NotAcceptable).with_text(wrong.to_string())
    })
}

/// Refuses who may not have nodes here.
pub(crate) async fn check_may_create(request: &Request) -> Result<(), StanzaError> {
    let may = match request.service.kind {
        ServiceKind::Account => request.is_own(),
        ServiceKind::Host => request.server().account(&request.who).await?.is_some(),
    };
    match may {
        true => Ok(()),
        false => Err(Condition::Forbidden.into()),
    }
}
