//! Delete an item from a node (XEP-0060 §7.2).

use waxwing_stanza::xep::xep_0060_pubsub::errors::{Fault, unsupported};
use waxwing_stanza::xep::xep_0060_pubsub::request::Retract;
use waxwing_stanza::{Condition, StanzaError};

use crate::cx::{Answer, Handled};
use crate::pubsub::attachments;
use crate::pubsub::items;
use crate::pubsub::links::Done;
use crate::pubsub::node::check_name;
use crate::pubsub::node_options::{notify_retract, persist_items};
use crate::pubsub::privilege::Privilege;
use crate::pubsub::request::{Request, Standing};
use crate::pubsub::stored::StoredItem;

/// One item.
pub(super) async fn set(request: &Request, asked: &Retract) -> Handled {
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let standing = request.node(asked.node.as_deref()).await?;
    let [item] = asked.items.as_slice() else {
        return Err(Fault::ItemRequired.error());
    };
    let name = item.id.as_deref().filter(|id| !id.is_empty());
    let name = name.ok_or(Fault::ItemRequired)?;
    check_name(name)?;
    let node = &standing.node;
    attachments::check_retract(node)?;
    let server = request.server();
    if !standing.may(Privilege::DeleteOwnItem) {
        return Err(request.told(Condition::Forbidden.into()).await?);
    }
    if !node.is(&persist_items::FIELD) {
        return Err(request.told(unsupported("persistent-items")).await?);
    }
    let Some((numbers, stored)) = items::named(server, node, name).await? else {
        // Who may not delete it is not told whether it is there.
        let error = match standing.may(Privilege::DeleteItem) || standing.may(Privilege::Publish) {
            true => Condition::ItemNotFound,
            false => Condition::Forbidden,
        };
        return Err(request.told(error.into()).await?);
    };
    check_may_delete(request, &standing, &stored).await?;
    let mut change = request.change(turn);
    change.remove(node, name, numbers).await?;
    if asked.notify.unwrap_or(node.is(&notify_retract::FIELD)) {
        change.tell_retracted(node, &[name.to_owned()]).await?;
    }
    let done = Done::Retracted(name.to_owned());
    let effects = change.done(node, &done).await?;
    Ok(Answer::empty().and(effects))
}

/// Owners and publishers delete any item, others their own (§4.1).
async fn check_may_delete(
    request: &Request,
    standing: &Standing,
    item: &StoredItem,
) -> Result<(), StanzaError> {
    let is_own = item.publisher == *request.who.as_ref();
    match standing.may(Privilege::DeleteItem) || is_own {
        true => Ok(()),
        false => Err(request.told(Condition::Forbidden.into()).await?),
    }
}
