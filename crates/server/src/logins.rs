//! When each account was last logged into.

use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Owner, StoreError, Table};

use crate::accounts;
use crate::server::Server;

/// A log-in, as stored.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Login {
    /// When, in microseconds since the Unix epoch.
    #[prost(uint64, tag = "1")]
    at_micros: u64,
}

/// The last log-in of each account, under an empty name.
pub(crate) static LAST: Table<String, Login> = Table::new("last-login", 1);

/// Somebody has proved to be the owner of an account. Nobody waits for it to be noted.
pub(crate) fn note(server: &Server, account: &BareJid) {
    let owner = accounts::owner(account);
    let mut batch = Batch::new();
    // An account that is removed meanwhile leaves nothing behind.
    accounts::require(&mut batch, &owner);
    let at_micros = server.now_micros();
    batch.put(&LAST, &owner, &accounts::key(), &Login { at_micros });
    server.store().submit(batch, |result| match result {
        Ok(_) | Err(StoreError::Refused { .. }) => {}
        Err(error) => tracing::warn!(%error, "when an account was logged into could not be noted"),
    });
}

/// When an account was last logged into, in microseconds since the Unix epoch; nothing where it never was, or before this
/// was noted.
pub(crate) async fn last_micros(server: &Server, owner: &Owner) -> Result<Option<u64>, StoreError> {
    let last = server.store().get(&LAST, owner, &accounts::key()).await?;
    Ok(last.map(|last| last.at_micros))
}
