//! Nodes that belong to others: what is attached to an item, and summaries of that (XEP-0470).
//!
//! Neither is stored as a node, and so nothing has to be kept in step. One of attachments is there once something was
//! attached to the item, for as long as the item is; that of summaries once something was attached to any. What they are,
//! who may read and publish there, and who owns them is what is so of the node that they belong to, at the time when
//! it is asked. They are in no list of nodes, and take none of the room that there is for nodes; nobody configures them.

mod going;
mod summing;

use waxwing_stanza::xep::xep_0060_pubsub::errors;
use waxwing_stanza::xep::xep_0060_pubsub::owner::Part;
use waxwing_stanza::xep::xep_0060_pubsub::request::{Item, PublishOptions};
use waxwing_stanza::xep::xep_0470_attachments::{Attachments, Place, is_reserved};
use waxwing_stanza::{BareJid, Condition, Payload, StanzaError};
use waxwing_store::{Shape, Table};

use crate::pubsub::fields::{MAX, Settings};
use crate::pubsub::node::{self, Node};
use crate::pubsub::node_options::{
    access_model, max_items, max_payload_size, publish_model, publish_node_full,
    roster_groups_allowed, send_last_published_item,
};
use crate::pubsub::request::{Request, Standing};
use crate::pubsub::service::Service;
use crate::pubsub::stored::{COUNTS, NAMES, StoredNode};
use crate::pubsub::subscriptions;
use crate::server::{Server, unavailable};

pub(crate) use going::{subscribers_of_summary, sweep_all};
pub(crate) use summing::changed;

/// Most bytes of what one publisher attaches to an item.
const ATTACHMENTS_BYTES_MAX: &str = "16384";

/// That something was attached to an item.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct Attached {
    /// The generation of what is attached.
    #[prost(uint64, tag = "1")]
    generation: u64,
    /// The number that the item had first: another item that has its name later has nothing to do with it.
    #[prost(uint64, tag = "2")]
    created: u64,
}

/// Items to which something was attached, by node, generation and name.
static ATTACHED: Table<(String, u64, String), Attached> = Table::new("pubsub-attached", 1);

/// Nodes and generations of which all items were removed, with something attached to them that goes little by little.
static LEFT: Table<(String, u64), bool> = Table::new("pubsub-attached-left", 1);

/// What is stored.
pub(crate) fn shapes() -> Vec<Shape> {
    vec![ATTACHED.shape(), LEFT.shape()]
}

/// The name of the node whose affiliations and subscriptions count at a node of this name: its own, or that of the node
/// that it belongs to.
pub(crate) fn ruled_by(service: &BareJid, name: &str) -> String {
    match Place::of(service, name) {
        Some(place) => place.node().to_owned(),
        None => name.to_owned(),
    }
}

/// Whether a node belongs to another one.
fn is_one(node: &Node) -> bool {
    Place::of(&node.service.jid, &node.name).is_some()
}

/// What a node is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To publish there: the first to do so finds it, too.
    Publishing,
    /// Anything else.
    Else,
}

/// The node that is this, if there is one. As much is read where there is none.
pub(crate) async fn find(
    server: &Server,
    service: &Service,
    place: &Place,
    purpose: Purpose,
) -> Result<Option<Node>, StanzaError> {
    let target = node::stored(server, service, place.node()).await?;
    let before = target.as_ref().map_or(0, |target| target.stored.generation);
    let generation = match place {
        Place::Summary { .. } => {
            let name = place.name(&service.jid);
            let key = (name.as_str(), before);
            let count = server.store().get(&COUNTS, &service.owner, &key).await;
            let count = count.map_err(|error| unavailable(&error))?;
            // Summaries have the generation of the items.
            count.map(|_| before)
        }
        Place::Attachments { node, item } => {
            let key = (node.as_str(), before, item.as_str());
            let created = server.store().get(&NAMES, &service.owner, &key).await;
            let created = created.map_err(|error| unavailable(&error))?;
            let attached = server.store().get(&ATTACHED, &service.owner, &key).await;
            let attached = attached.map_err(|error| unavailable(&error))?;
            created.and_then(|numbers| match attached {
                Some(attached) if attached.created == numbers.created => Some(attached.generation),
                _ => (purpose == Purpose::Publishing).then(|| server.now_micros()),
            })
        }
    };
    let found = target.zip(generation);
    Ok(found.map(|(target, generation)| belonging(&target, place, generation)))
}

/// The node that belongs to another one.
fn belonging(target: &Node, place: &Place, generation: u64) -> Node {
    let mut settings = Settings::default();
    for field in [
        &access_model::FIELD,
        &roster_groups_allowed::FIELD,
        &publish_model::FIELD,
    ] {
        let values: Vec<&str> = target.values(field).collect();
        settings.set(field, &values);
    }
    for (field, value) in [
        (&max_items::FIELD, MAX),
        (&max_payload_size::FIELD, ATTACHMENTS_BYTES_MAX),
        // What somebody has attached makes no room for what others do.
        (&publish_node_full::FIELD, "reject"),
        (&send_last_published_item::FIELD, "never"),
    ] {
        settings.set(field, &[value]);
    }
    Node {
        service: target.service.clone(),
        name: place.name(&target.service.jid),
        stored: StoredNode {
            settings: Some(settings),
            generation,
            ..target.stored.clone()
        },
    }
}

/// §4.4: only the service makes such nodes.
pub(crate) fn check_create(name: &str) -> Result<(), StanzaError> {
    match is_reserved(name) {
        true => Err(Condition::NotAllowed.into()),
        false => Ok(()),
    }
}

/// What an owner changes of a node: such nodes are as those that they belong to.
pub(crate) fn check_owner(request: &Request, part: &Part) -> Result<(), StanzaError> {
    let node = match part {
        Part::Affiliations(asked) => &asked.node,
        Part::Configure(asked) => &asked.node,
        Part::Delete(asked) => &asked.node,
        Part::Purge(asked) => &asked.node,
        Part::Default(_) | Part::Set(_) | Part::Subscriptions(_) => return Ok(()),
    };
    let place = node
        .as_deref()
        .and_then(|name| Place::of(&request.service.jid, name));
    match place {
        Some(_) => Err(Condition::NotAllowed.into()),
        None => Ok(()),
    }
}

/// The conditions under which something is published: none where it is attached (§4.3), and nobody publishes summaries
/// (§4.6).
pub(crate) fn conditions<'a>(
    request: &Request,
    name: &str,
    given: Option<&'a PublishOptions>,
) -> Result<Option<&'a PublishOptions>, StanzaError> {
    match Place::of(&request.service.jid, name) {
        None => Ok(given),
        Some(Place::Attachments { .. }) => Ok(None),
        Some(Place::Summary { .. }) => Err(Condition::NotAllowed.into()),
    }
}

/// Nor does anybody retract them.
pub(crate) fn check_retract(node: &Node) -> Result<(), StanzaError> {
    match Place::of(&node.service.jid, &node.name) {
        Some(Place::Summary { .. }) => Err(Condition::NotAllowed.into()),
        _ => Ok(()),
    }
}

/// §4.5: attachments are published under the name of who does, and are what they are said to be.
pub(crate) fn check_item(
    node: &Node,
    who: &BareJid,
    item: Option<&Item>,
) -> Result<(), StanzaError> {
    if !is_one(node) {
        return Ok(());
    }
    let is_right = item.is_some_and(|item| {
        let is_own = item.id.as_deref() == Some(who.as_str());
        is_own && item.payload.iter().all(Attachments::is)
    });
    match is_right {
        true => Ok(()),
        false => Err(Condition::BadRequest.into()),
    }
}

/// Whoever was let in to a node is let in to what belongs to it; others ask there.
pub(crate) async fn admitted(request: &Request, standing: &Standing) -> Result<bool, StanzaError> {
    if !is_one(&standing.node) {
        return Ok(false);
    }
    let node = &standing.node;
    match subscriptions::is_subscribed(request.server(), node, &request.who).await? {
        true => Ok(true),
        false => Err(errors::not_subscribed_to_read()),
    }
}
