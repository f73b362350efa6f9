//! *roster*: who stands in one of certain groups of the owner's roster, and may see the owner's presence.

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;

use super::{Ask, Verdict};
use crate::pubsub::node_options::roster_groups_allowed;
use crate::roster;

/// Whether one of the owners has who asks in one of the groups.
pub(super) async fn verdict(ask: &Ask<'_>) -> Result<Verdict, StanzaError> {
    let groups: Vec<&str> = ask.node.values(&roster_groups_allowed::FIELD).collect();
    let mut sees = false;
    for owner in ask.owners().await? {
        let item = roster::item_of(ask.server, &owner, ask.who).await?;
        let Some(item) = item.filter(|item| item.from) else {
            continue;
        };
        sees = true;
        if item
            .groups
            .iter()
            .any(|group| groups.contains(&group.as_str()))
            && ask.is_free(&owner).await?
        {
            return Ok(Verdict::Granted);
        }
    }
    // Who does not see the owner's presence is told no more than that.
    Ok(Verdict::Refused(match sees {
        true => Fault::NotInRosterGroup.error(),
        false => Fault::PresenceSubscriptionRequired.error(),
    }))
}
