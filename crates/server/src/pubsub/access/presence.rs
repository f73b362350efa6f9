//! *presence*: who may see the owner's presence.

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;

use super::{Ask, Verdict};
use crate::roster;

/// Whether one of the owners shows its presence to who asks.
pub(super) async fn verdict(ask: &Ask<'_>) -> Result<Verdict, StanzaError> {
    for owner in ask.owners().await? {
        if roster::sees_presence(ask.server, ask.who, &owner).await? && ask.is_free(&owner).await? {
            return Ok(Verdict::Granted);
        }
    }
    Ok(Verdict::Refused(
        Fault::PresenceSubscriptionRequired.error(),
    ))
}
