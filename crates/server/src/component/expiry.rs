//! What waits too long for a component that stays away goes back to who sent it.

use waxwing_stanza::{Condition, Jid, Reply, StanzaError};
use waxwing_store::{Batch, LogId, Page, StoreError};

use super::{Component, session_at};
use crate::delivery::{MESSAGES, StoredMessage, UNDELIVERED};
use crate::server::Server;
use crate::session::Out;
use crate::xep::xep_0114_components::WAIT_HOURS;

/// Entries returned by one commit, so that nobody waits long behind it.
const ENTRIES_AT_ONCE: usize = 100;

/// Returns what has waited longer than `component_wait_hours_max`.
pub(crate) async fn expire(server: &Server) -> Result<(), StoreError> {
    let hours = server.options().number(&WAIT_HOURS);
    let age = hours.saturating_mul(3_600 * 1_000_000);
    let until = LogId(server.now_micros().saturating_sub(age));
    for host in server.component_settings().keys() {
        // One that is connected is taking what waits.
        let away = server.component(host);
        let away = away.filter(|component| component.session().is_none());
        if let Some(component) = away {
            expire_at(server, &component, until).await?;
        }
    }
    Ok(())
}

async fn expire_at(server: &Server, component: &Component, until: LogId) -> Result<(), StoreError> {
    let owner = &component.account.owner;
    loop {
        let page = Page::forward(ENTRIES_AT_ONCE).with_marks(UNDELIVERED);
        let entries = server.store().page(&MESSAGES, owner, page).await?.entries;
        let old: Vec<_> = entries
            .into_iter()
            .take_while(|entry| entry.id < until)
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        let ids: Vec<LogId> = old.iter().map(|entry| entry.id).collect();
        let mut batch = Batch::new();
        batch.clear_marks(&MESSAGES, owner, &ids, UNDELIVERED);
        server.store().commit(batch).await?;
        component.account.waiting.forget();
        for entry in &old {
            give_back(server, &entry.payload);
        }
    }
}

/// Tells the sender, where they are here: an error to a session that is gone is for nobody (RFC 6121 §8.5.3.2.3).
fn give_back(server: &Server, stored: &StoredMessage) {
    let Some(stanza) = stored.read() else {
        return;
    };
    let error = StanzaError::from(Condition::RemoteServerTimeout)
        .with_text("this service was not connected for too long");
    let from = stanza.from().and_then(|from| from.parse::<Jid>().ok());
    let sender = from.and_then(|from| session_at(server, &from));
    if let (Some(sender), Some(reply)) = (sender, Reply::new(&stanza).error(&error)) {
        sender.push(Out::stanza(reply));
    }
}
