//! *presence*: who may see the owner's presence.

use waxwing_stanza::StanzaError;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;

use super::{Ask, Verdict};

/// Whether the owner shows its presence to who asks.
pub(super) async fn verdict(ask: &Ask<'_>) -> Result<Verdict, StanzaError> {
    if let Some(owner) = ask.whose().await? {
        let item = ask.item(&owner).await?;
        let sees = owner == *ask.who || item.is_some_and(|item| item.from);
        if sees && ask.is_free(&owner).await? {
            return Ok(Verdict::Granted);
        }
    }
    Ok(Verdict::Refused(
        Fault::PresenceSubscriptionRequired.error(),
    ))
}
