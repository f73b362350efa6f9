//! Presence that the server sends once more, with something else to say in it.

use std::sync::Arc;

use waxwing_stanza::StanzaError;
use waxwing_wire::Stanza;

use super::{contacts_from, tell_all, unavailable};
use crate::directory::Account;
use crate::effects::Effects;
use crate::roster;
use crate::server::{Server, read_again};
use crate::session::Session;

/// Tells the presence of an account's sessions once more, as it is `with` what is new; where that is nothing, nobody is
/// told. The caller has the turn of the account's roster, as has who sends presence.
pub(crate) async fn again(
    server: &Server,
    account: &Arc<Account>,
    with: impl Fn(&Session, &Stanza) -> Option<Stanza> + Send + 'static,
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
            let Some(stanza) = read_again(available.stanza.clone())
                .ok()
                .and_then(|old| with(&session, &old))
            else {
                continue;
            };
            // Who has gone meanwhile is not there once more.
            let is_still = session.state().available.as_mut().is_some_and(|now| {
                let is_same = now.stanza == available.stanza;
                if is_same {
                    now.stanza = stanza.bytes().clone();
                }
                is_same
            });
            if !is_still {
                continue;
            }
            tell_all(server, &session, &stanza, &audience);
            // Nor is who goes while others are told: they may have been told that before.
            if session.state().available.is_none() {
                let gone = unavailable(session.jid.as_str(), session.account.jid.as_ref());
                if let Ok(gone) = read_again(gone) {
                    tell_all(server, &session, &gone, &audience);
                }
            }
        }
    });
    Ok(())
}
