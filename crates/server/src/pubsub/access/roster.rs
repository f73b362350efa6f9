//! *roster*: who stands in one of certain groups of the owner's roster, and may see the owner's presence.

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;

use super::{Ask, Verdict};
use crate::pubsub::node_options::roster_groups_allowed;

/// Whether the owner has who asks in one of the groups.
pub(super) async fn verdict(ask: &Ask<'_>) -> Result<Verdict, StanzaError> {
    let groups: Vec<&str> = ask.node.values(&roster_groups_allowed::FIELD).collect();
    // Who does not see the owner's presence is told no more than that.
    let stranger = Verdict::Refused(Fault::PresenceSubscriptionRequired.error());
    let Some(owner) = ask.whose().await? else {
        return Ok(stranger);
    };
    let Some(item) = ask.item(&owner).await?.filter(|item| item.from) else {
        return Ok(stranger);
    };
    let is_in = item
        .groups
        .iter()
        .any(|group| groups.contains(&group.as_str()));
    Ok(match is_in && ask.is_free(&owner).await? {
        true => Verdict::Granted,
        false => Verdict::Refused(Fault::NotInRosterGroup.error()),
    })
}
