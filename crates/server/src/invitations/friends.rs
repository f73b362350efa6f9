//! Who was invited and who has invited see each other.

use std::sync::Arc;

use waxwing_stanza::xep::xep_0379_preauth::Preauth;
use waxwing_stanza::{BareJid, Payload, StanzaError};
use waxwing_wire::Stanza;

use crate::accounts;
use crate::blocking;
use crate::directory::Account;
use crate::effects::Effects;
use crate::invitations::{Invited, Purpose, RedeemError, find};
use crate::roster::{self, StoredItem};
use crate::server::{Server, unavailable};

/// A roster could not be read, which was said in the log where it happened.
fn failed(_: StanzaError) -> RedeemError {
    RedeemError::Unavailable
}

/// A new account and who has invited it are in each other's roster from the beginning (XEP-0401). The turn is kept until it is
/// written. Where that one's roster is full, or it has blocked who comes, the account is made all the same; whether they are
/// contacts is the answer.
pub(super) async fn enter(
    server: &Server,
    jid: &BareJid,
    contact: &BareJid,
    effects: &mut Effects,
) -> Result<bool, RedeemError> {
    effects.exclusive = Some(server.roster_turn(&[jid, contact]).await);
    let Some(inviter) = server.account(contact).await.map_err(failed)? else {
        return Ok(false);
    };
    let full = roster::is_full(server, &inviter, true).await;
    let is_blocked = blocking::is_kept_from(&inviter, &jid.clone().into());
    if inviter.is_guest() || is_blocked || full.map_err(failed)? {
        return Ok(false);
    }
    let before = roster::item(server, &inviter, jid).await.map_err(failed)?;
    let after = StoredItem {
        pending_out: false,
        request: None,
        approved: false,
        ..both(before.unwrap_or_default())
    };
    roster::change(server, &inviter, jid, Some(&after), effects);
    // Nobody has a session of the new account: nothing is pushed to it.
    let own = both(StoredItem::default());
    roster::enter(
        &mut effects.batch,
        &accounts::owner(jid),
        contact,
        &own,
        server.now_micros(),
    );
    Ok(true)
}

fn both(item: StoredItem) -> StoredItem {
    StoredItem {
        to: true,
        from: true,
        listed: true,
        ..item
    }
}

/// The invitation that a request for a subscription to `contact` shows, if that one has made it here and it is good. Any other
/// token is nothing to the server: the contact's client may know it (XEP-0379, "Fallback to Manual Process").
pub(crate) async fn welcome(
    server: &Server,
    contact: &Arc<Account>,
    stanza: &Stanza,
) -> Result<Option<Invited>, StanzaError> {
    let Ok(Some(Preauth { token })) = Preauth::find_in(stanza) else {
        return Ok(None);
    };
    let invited = find(server, &token.0).await;
    let invited = invited.map_err(|error| unavailable(&error))?;
    Ok(invited.filter(|invited| {
        invited.invitation.purpose() == Purpose::Contact
            && invited.contact().as_ref() == Some(&contact.jid)
    }))
}
