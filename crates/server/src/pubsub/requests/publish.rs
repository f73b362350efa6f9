//! Publish an item to a node (XEP-0060 §7.1).

use bytes::Bytes;
use waxwing_stanza::xep::xep_0060_pubsub::FORM_PUBLISH_OPTIONS;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};
use waxwing_stanza::xep::xep_0060_pubsub::request::{Item, Publish, PublishOptions, Pubsub};
use waxwing_stanza::{Condition, StanzaError};
use waxwing_wire::Element;

use crate::cx::{Answer, Handled};
use crate::effects::Effects;
use crate::pubsub::fields::{self, Settings, Unknown};
use crate::pubsub::node::{Node, check_name, named};
use crate::pubsub::node_options::{
    self, deliver_payloads, itemreply, max_items, notify_retract, persist_items, publish_model,
    publish_node_full,
};
use crate::pubsub::notify::{self, Audience, Notice};
use crate::pubsub::privilege::Privilege;
use crate::pubsub::request::{Request, Standing};
use crate::pubsub::requests::create;
use crate::pubsub::stored::{Count, StoredItem};
use crate::pubsub::{items, limits, subscriptions};
use crate::server::Server;

/// Of one item at most; a node that is not there is made (§7.1.4), as the conditions say (§7.1.5).
pub(super) async fn set(
    request: &Request,
    asked: &Publish,
    given: Option<&PublishOptions>,
) -> Handled {
    let name = named(asked.node.as_deref())?;
    let conditions = given.map_or(Ok(Settings::default()), conditions)?;
    let turn = request.turn(name).await;
    let (node, is_new) = match request.find(name).await? {
        Some(standing) => {
            check_publisher(request, &standing).await?;
            check_conditions(&standing.node, &conditions)?;
            (standing.node, false)
        }
        None => (made(request, name, conditions).await?, true),
    };
    let item = check_item(request.server(), &node, &asked.items)?;
    let mut effects = Request::effects(turn);
    if is_new {
        node.create(&mut effects.batch);
    }
    let published = match item {
        Some(item) => Some(write(request, &node, item, &mut effects).await?),
        None => None,
    };
    tell(request.server(), &node, published.as_ref(), &mut effects).await?;
    let answer = Pubsub::of(Publish {
        node: Some(node.name.clone()),
        items: published
            .iter()
            .map(|item| Item::named(&item.stored.id))
            .collect(),
    });
    Ok(Answer::with(&answer).and(effects))
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
    if create::check_may_create(request).await.is_err() {
        let error = request.absent(name).await?;
        return Err(error);
    }
    create::make(request, name, settings).await
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
        || standing.may(Privilege::Subscribe) && lets_in(request, &standing.node).await?;
    match may {
        true => Ok(()),
        false => {
            // A stranger to an account is told what they would be told of a node that is not there.
            Err(request.told(Condition::Forbidden.into()).await?)
        }
    }
}

async fn lets_in(request: &Request, node: &Node) -> Result<bool, StanzaError> {
    match node.text(&publish_model::FIELD) {
        "open" => Ok(true),
        "subscribers" => subscriptions::is_subscribed(request.server(), node, &request.who).await,
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

/// A published item.
struct Published {
    stored: StoredItem,
    payload: Option<Element>,
    /// Names of items that had to make room, of which subscribers are told.
    retracted: Vec<String>,
}

async fn write(
    request: &Request,
    node: &Node,
    item: &Item,
    effects: &mut Effects,
) -> Result<Published, StanzaError> {
    let server = request.server();
    let given = item.id.as_deref().filter(|id| !id.is_empty());
    let payload = item.payload.first();
    let stored = StoredItem {
        id: given.map_or_else(|| server.outside().token::<12>(), str::to_owned),
        publisher: request.who.to_string(),
        payload: payload.map_or_else(Bytes::new, |payload| payload.to_bytes("")),
        published_micros: server.now_micros(),
    };
    let mut published = Published {
        stored,
        payload: payload.cloned(),
        retracted: Vec::new(),
    };
    if !node.is(&persist_items::FIELD) {
        return Ok(published);
    }
    let before = items::numbers(server, node, &published.stored.id).await?;
    let count = items::count(server, node).await?;
    let is_one_more = u64::from(before.is_none());
    let room = limits::items(server, node).saturating_sub(is_one_more);
    let surplus = match before {
        None => count.items.saturating_sub(room),
        Some(_) => 0,
    };
    let count = items::put(node, &published.stored, before, count, &mut effects.batch);
    if surplus > 0 {
        make_room(server, node, surplus, count, &mut published, effects).await?;
    }
    Ok(published)
}

/// Removes the oldest items, or refuses the new one (§7.1.2.6).
async fn make_room(
    server: &Server,
    node: &Node,
    surplus: u64,
    mut count: Count,
    published: &mut Published,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let policy = node.text(&publish_node_full::FIELD);
    if policy == "reject" {
        return Err(Fault::NodeFull.error());
    }
    let most = limits::REMOVED_FOR_ONE_MAX.min(usize::try_from(surplus).unwrap_or(usize::MAX));
    for old in items::oldest(server, node, most).await? {
        let Some(numbers) = items::numbers(server, node, &old.id).await? else {
            continue;
        };
        count = items::remove(node, &old.id, numbers, count, &mut effects.batch);
        // A node of one item says all with the new one.
        let is_one = node.number(&max_items::FIELD) == Some(1);
        if policy == "retract-oldest" && node.is(&notify_retract::FIELD) && !is_one {
            published.retracted.push(old.id);
        }
    }
    Ok(())
}

/// Tells subscribers of the item, and of those that made room for it.
async fn tell(
    server: &Server,
    node: &Node,
    published: Option<&Published>,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let says_who = node.text(&itemreply::FIELD) == "publisher";
    let item = published.map(|published| event::Item {
        id: Some(published.stored.id.clone()),
        publisher: says_who
            .then(|| published.stored.publisher.parse().ok())
            .flatten(),
        payload: match node.is(&deliver_payloads::FIELD) {
            true => published.payload.clone().into_iter().collect(),
            false => Vec::new(),
        },
    });
    let event = Event::of(event::Items {
        node: node.name.clone(),
        items: item.into_iter().collect(),
        retracted: Vec::new(),
    });
    let notice = Notice::of(server, node, &event)?;
    notify::tell(
        server,
        node,
        notice,
        Audience::of(server, node).await?,
        effects,
    )
    .await?;
    let retracted = published.map_or(&[][..], |published| &published.retracted);
    if !retracted.is_empty() {
        tell_retracted(server, node, retracted, effects).await?;
    }
    Ok(())
}

/// Tells subscribers that items are gone.
pub(crate) async fn tell_retracted(
    server: &Server,
    node: &Node,
    names: &[String],
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let retracted = names.iter().map(|id| event::Retract { id: id.clone() });
    let event = Event::of(event::Items {
        node: node.name.clone(),
        items: Vec::new(),
        retracted: retracted.collect(),
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
