//! Retrieve items (XEP-0060 §6.5).

use waxwing_stanza::xep::xep_0060_pubsub::errors::{Fault, unsupported};
use waxwing_stanza::xep::xep_0060_pubsub::request::{Item, Items, Part, Pubsub};
use waxwing_stanza::{Condition, StanzaError};
use waxwing_wire::Element;

use crate::cx::{Answer, Handled};
use crate::pubsub::items::{self, Found, PAGE_ITEMS_MAX, Question};
use crate::pubsub::node::{Node, check_name};
use crate::pubsub::node_options::persist_items;
use crate::pubsub::request::{Request, Standing};
use crate::pubsub::stored::StoredItem;
use crate::pubsub::subscriptions;

/// All items or a page of them, the newest, or those of some names.
pub(super) async fn get(request: &Request, asked: &Items, question: &Question) -> Handled {
    let standing = request.node(asked.node.as_deref()).await?;
    request.check_read(&standing).await?;
    check_subid(request, &standing, asked.subid.as_deref()).await?;
    let node = &standing.node;
    if !node.is(&persist_items::FIELD) {
        return Err(unsupported("persistent-items"));
    }
    let found = match asked.items.is_empty() {
        true => items::page(request.server(), node, question).await?,
        false => named(request, node, &asked.items).await?,
    };
    let shown: Result<Vec<Item>, StanzaError> =
        found.items.iter().map(|item| shown(node, item)).collect();
    let mut answer = Pubsub::of(Items {
        node: Some(node.name.clone()),
        max_items: None,
        subid: None,
        items: shown?,
    });
    answer.parts.extend(found.set.map(Part::Set));
    Ok(Answer::with(&answer))
}

/// §6.5.9.1, §6.5.9.2: who is subscribed more than once says for which subscription it asks.
async fn check_subid(
    request: &Request,
    standing: &Standing,
    subid: Option<&str>,
) -> Result<(), StanzaError> {
    let own = subscriptions::of_account(request.server(), &standing.node, &request.who).await?;
    match subid {
        // Several addresses of one account are no reason to ask which one is meant.
        None => {
            let mut jids: Vec<_> = own.iter().map(|one| &one.jid).collect();
            jids.sort();
            let count = jids.len();
            jids.dedup();
            match jids.len() < count {
                true => Err(Fault::SubidRequired.error()),
                false => Ok(()),
            }
        }
        Some(id) if own.is_empty() || own.iter().any(|one| one.id == id) => Ok(()),
        Some(_) => Err(Fault::InvalidSubid.error()),
    }
}

/// Those that there are, in the order of the question.
async fn named(request: &Request, node: &Node, asked: &[Item]) -> Result<Found, StanzaError> {
    if asked.len() > PAGE_ITEMS_MAX {
        let text = format!("at most {PAGE_ITEMS_MAX} items can be asked for at once");
        return Err(StanzaError::from(Condition::PolicyViolation).with_text(text));
    }
    let (mut found, mut bytes) = (Found::default(), 0);
    for item in asked {
        let name = item.id.as_deref().ok_or(Fault::ItemRequired)?;
        check_name(name)?;
        let Some((_, item)) = items::named(request.server(), node, name).await? else {
            continue;
        };
        bytes += items::written_bytes(&item);
        if bytes > items::PAGE_BYTES_MAX && !found.items.is_empty() {
            break;
        }
        found.items.push(item);
    }
    Ok(found)
}

/// An item as it is shown.
pub(crate) fn shown(node: &Node, item: &StoredItem) -> Result<Item, StanzaError> {
    Ok(Item {
        id: Some(item.id.clone()),
        publisher: node.publisher(&item.publisher),
        payload: payload(item)?,
    })
}

/// What was published.
pub(crate) fn payload(item: &StoredItem) -> Result<Vec<Element>, StanzaError> {
    if item.payload.is_empty() {
        return Ok(Vec::new());
    }
    let element = item.element().ok_or(Condition::InternalServerError)?;
    Ok(vec![element])
}
