//! Publish an item to a node (XEP-0060 §7.1).

use waxwing_stanza::xep::xep_0060_pubsub::FORM_PUBLISH_OPTIONS;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::request::{Item, Publish, PublishOptions, Pubsub};
use waxwing_stanza::{Condition, StanzaError};

use crate::cx::{Answer, Handled};
use crate::pubsub::attachments::{self, Purpose};
use crate::pubsub::change;
use crate::pubsub::fields::{self, Settings, Unknown};
use crate::pubsub::links::Done;
use crate::pubsub::node::{Node, check_name, named};
use crate::pubsub::node_options::{self, deliver_payloads, persist_items, publish_model};
use crate::pubsub::privilege::Privilege;
use crate::pubsub::request::{Request, Standing};
use crate::pubsub::requests::create;
use crate::pubsub::{limits, subscriptions};
use crate::server::Server;

/// Of one item at most; a node that is not there is made (§7.1.4), as the conditions say (§7.1.5).
pub(super) async fn set(
    request: &Request,
    asked: &Publish,
    given: Option<&PublishOptions>,
) -> Handled {
    let name = named(asked.node.as_deref())?;
    let given = attachments::conditions(request, name, given)?;
    let conditions = given.map_or(Ok(Settings::default()), conditions)?;
    let turn = request.turn(name).await;
    let (node, is_new) = match request.find_for(name, Purpose::Publishing).await? {
        Some(standing) => {
            check_publisher(request, &standing).await?;
            check_conditions(&standing.node, &conditions)?;
            (standing.node, false)
        }
        None => (made(request, name, conditions).await?, true),
    };
    let item = check_item(request.server(), &node, &asked.items)?;
    attachments::check_item(&node, &request.who, item)?;
    let mut change = request.change(turn);
    if is_new {
        change.make(&node);
    }
    let mut answer = Publish {
        node: Some(node.name.clone()),
        items: Vec::new(),
    };
    let effects = match item {
        Some(item) => {
            let id = change.publish(&node, item).await?;
            answer.items.push(Item::named(&id));
            let payload = item.payload.first().cloned();
            change.done(&node, &Done::Published { id, payload }).await?
        }
        None => {
            change.tell_published(&node, None).await?;
            change.into_effects()
        }
    };
    Ok(Answer::with(&Pubsub::of(answer)).and(effects))
}

/// What must be so. A field that nobody knows is a condition that cannot be met.
fn conditions(given: &PublishOptions) -> Result<Settings, StanzaError> {
    let Some(form) = &given.form else {
        return Err(Condition::BadRequest.into());
    };
    let settings = fields::accept(
        form,
        FORM_PUBLISH_OPTIONS,
        node_options::FIELDS,
        Unknown::Refused,
    );
    settings.map_err(|wrong| {
        let error = match wrong {
            fields::Wrong::Unknown => Fault::PreconditionNotMet.error(),
            _ => StanzaError::from(Condition::BadRequest),
        };
        error.with_text(wrong.to_string())
    })
}

/// A node of this name, if who asks may have it made.
async fn made(request: &Request, name: &str, settings: Settings) -> Result<Node, StanzaError> {
    if attachments::check_create(name).is_err() || create::check_may_create(request).await.is_err()
    {
        let error = request.absent(name).await?;
        return Err(error);
    }
    change::plan(
        request.server(),
        &request.service,
        &request.who,
        name,
        settings,
    )
    .await
}

fn check_conditions(node: &Node, conditions: &Settings) -> Result<(), StanzaError> {
    let kind = node.service.kind;
    for field in node_options::FIELDS {
        if !conditions.all.iter().any(|set| set.name == field.name) {
            continue;
        }
        let mut wanted: Vec<&str> = conditions.values(field, kind).collect();
        let mut found: Vec<&str> = node.values(field).collect();
        wanted.sort_unstable();
        found.sort_unstable();
        if wanted != found {
            let text = format!("pubsub#{} is something else", field.name);
            return Err(Fault::PreconditionNotMet.error().with_text(text));
        }
    }
    Ok(())
}

/// §7.1.3.1: refuses whom neither the affiliation nor the publisher's model lets publish.
async fn check_publisher(request: &Request, standing: &Standing) -> Result<(), StanzaError> {
    let may = standing.may(Privilege::Publish)
        || standing.may(Privilege::Subscribe) && lets_in(request, standing).await?;
    match may {
        true => Ok(()),
        false => {
            // A stranger to an account is told what they would be told of a node that is not there.
            Err(request.told(Condition::Forbidden.into()).await?)
        }
    }
}

/// A subscriber who may not read any more may not publish either.
async fn lets_in(request: &Request, standing: &Standing) -> Result<bool, StanzaError> {
    let node = &standing.node;
    match node.text(&publish_model::FIELD) {
        "open" => Ok(true),
        "subscribers" => {
            let is_subscribed =
                subscriptions::is_subscribed(request.server(), node, &request.who).await?;
            Ok(is_subscribed && request.check_read(standing).await.is_ok())
        }
        _ => Ok(false),
    }
}

/// §7.1.3.5 to §7.1.3.7: whether the item is such as the node takes.
fn check_item<'a>(
    server: &Server,
    node: &Node,
    given: &'a [Item],
) -> Result<Option<&'a Item>, StanzaError> {
    let (keeps, tells) = (
        node.is(&persist_items::FIELD),
        node.is(&deliver_payloads::FIELD),
    );
    let [item] = given else {
        return match (given.is_empty(), keeps, tells) {
            (false, ..) => Err(StanzaError::from(Condition::BadRequest)
                .with_text("one item is published at a time")),
            (true, true, _) => Err(Fault::ItemRequired.error()),
            (true, false, true) => Err(Fault::PayloadRequired.error()),
            (true, false, false) => Ok(None),
        };
    };
    if !keeps && !tells {
        return Err(Fault::ItemForbidden.error());
    }
    if let Some(id) = &item.id {
        check_name(id)?;
    }
    match item.payload.as_slice() {
        [] if tells => return Err(Fault::PayloadRequired.error()),
        [] => {}
        [payload] => {
            let bytes = payload.to_bytes("").len() as u64;
            if bytes > limits::payload_bytes(server, node) {
                return Err(Fault::PayloadTooBig.error());
            }
        }
        _ => return Err(Fault::InvalidPayload.error()),
    }
    Ok(Some(item))
}
