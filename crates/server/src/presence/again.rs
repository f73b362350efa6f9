//! Presence that the server sends once more, with something else to say in it.

use std::sync::Arc;

use waxwing_stanza::StanzaError;
use waxwing_wire::Stanza;

use super::{contacts_from, tell_all};
use crate::directory::Account;
use crate::effects::Effects;
use crate::roster;
use crate::server::{Server, read_again};
use crate::session::Available;

/// Tells the presence of an account's sessions once more, as it is `with` what is new; where that is nothing, nobody is
/// told. The caller has the turn of the account's roster, as has who sends presence.
pub(crate) async fn again(
    server: &Server,
    account: &Arc<Account>,
    with: impl Fn(&Stanza) -> Option<Stanza> + Send + 'static,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let audience = contacts_from(&roster::items(server, account).await?);
    let account = account.clone();
    effects.call(move |server| {
        for session in account.sessions() {
            let Some(available) = session.state().available.clone() else {
                continue;
            };
            // It was read before it was kept.
            let Some(stanza) = read_again(available.stanza).ok().and_then(|old| with(&old)) else {
                continue;
            };
            session.state().available = Some(Available {
                stanza: stanza.bytes().clone(),
                priority: available.priority,
            });
            tell_all(server, &session, &stanza, &audience);
        }
    });
    Ok(())
}
