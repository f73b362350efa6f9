//! Who wants notifications, and how that goes.

use waxwing_stanza::xep::xep_0004_forms::DataForm;
use waxwing_stanza::{Jid, Payload};
use waxwing_store::{Batch, Direction, KeyRange, StoreError, Table};
use waxwing_wire::Element;

use super::SERVICES_MAX;
use crate::accounts;
use crate::directory::Account;
use crate::server::Server;

/// Most bytes of a node's name.
pub(crate) const NODE_BYTES_MAX: usize = 1_023;
/// Most bytes of the form that is published with a notification.
pub(crate) const OPTIONS_BYTES_MAX: usize = 4_096;
/// Rows read of one account: there are no more than the greatest [`SERVICES_MAX`].
const ROWS_MAX: usize = 1_000;

/// A push service of an account: the app server's address, and the node.
pub(crate) type Place = (String, String);

/// What is kept of it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredPush {
    /// The id of the device that asked, if it has said so.
    #[prost(string, optional, tag = "1")]
    pub(super) device: Option<String>,
    /// The resource that asked.
    #[prost(string, tag = "2")]
    pub(super) resource: String,
    /// The form that is published with notifications, as XML; empty where there is none.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) options: Vec<u8>,
    /// When it was asked for, in seconds since 1970.
    #[prost(uint64, tag = "4")]
    pub(super) enabled_secs: u64,
    /// When it last worked, to the hour; 0 for never.
    #[prost(uint64, tag = "5")]
    pub(super) succeeded_secs: u64,
    /// When it last failed; 0 for never.
    #[prost(uint64, tag = "6")]
    pub(super) failed_secs: u64,
    /// How often in a row.
    #[prost(uint32, tag = "7")]
    pub(super) errors: u32,
    /// Why, in a word.
    #[prost(string, tag = "8")]
    pub(super) reason: String,
    /// Whether nothing is pushed any more.
    #[prost(bool, tag = "9")]
    pub(super) is_dead: bool,
}

/// The push services of each account.
pub(crate) static PUSHES: Table<Place, StoredPush> = Table::new("pushes", 1);

impl StoredPush {
    /// The form that is published with notifications.
    pub(super) fn form(&self) -> Option<DataForm> {
        let element = Element::parse(&self.options).ok()?;
        DataForm::read(&element).ok()
    }
}

/// All of an account.
pub(super) async fn load(
    server: &Server,
    account: &Account,
) -> Result<Vec<(Place, StoredPush)>, StoreError> {
    let store = server.store();
    let all = KeyRange::all();
    store
        .scan(&PUSHES, &account.owner, &all, Direction::Forward, ROWS_MAX)
        .await
}

/// Stores that a device wants notifications; what it wanted of the same place before is replaced (§5).
pub(crate) async fn enable(
    server: &Server,
    account: &Account,
    (jid, node): (&Jid, String),
    device: (Option<String>, String),
    form: Option<&DataForm>,
) -> Result<(), StoreError> {
    let _turn = account.turn().await;
    let place = (jid.as_str().to_owned(), node);
    let wanted = StoredPush {
        device: device.0,
        resource: device.1,
        options: form.map_or_else(Vec::new, |form| form.write().to_bytes("").to_vec()),
        enabled_secs: server.now_micros() / 1_000_000,
        ..StoredPush::default()
    };
    let known = load(server, account).await?;
    let before = known.iter().find(|(at, _)| *at == place);
    let stored = match before {
        // Clients ask each time that they come.
        Some((_, before)) if is_the_same(before, &wanted) => return Ok(()),
        _ => wanted,
    };
    let mut batch = Batch::new();
    accounts::require(&mut batch, &account.owner);
    if before.is_none() {
        make_room(server, account, known, &mut batch);
    }
    batch.put(&PUSHES, &account.owner, &place, &stored);
    server.store().commit(batch).await?;
    account.pushing.read_again();
    Ok(())
}

/// Whether nothing new is said of a service that works.
fn is_the_same(before: &StoredPush, wanted: &StoredPush) -> bool {
    let is_well = before.errors == 0 && !before.is_dead;
    let by = |push: &StoredPush| (push.device.clone(), push.resource.clone());
    is_well && by(before) == by(wanted) && before.options == wanted.options
}

fn make_room(
    server: &Server,
    account: &Account,
    mut known: Vec<(Place, StoredPush)>,
    batch: &mut Batch,
) {
    let most = server.options().number(&SERVICES_MAX);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = (known.len() + 1).saturating_sub(most);
    known.sort_by_key(|(_, push)| (!push.is_dead, push.enabled_secs));
    for (place, _) in known.into_iter().take(more) {
        batch.delete(&PUSHES, &account.owner, &place);
    }
}

/// Forgets a node of an app server, or all of them (§6).
pub(crate) async fn disable(
    server: &Server,
    account: &Account,
    jid: &Jid,
    node: Option<&str>,
) -> Result<(), StoreError> {
    let _turn = account.turn().await;
    let mut batch = Batch::new();
    for (place, _) in load(server, account).await? {
        if place.0 == jid.as_str() && node.is_none_or(|node| node == place.1) {
            batch.delete(&PUSHES, &account.owner, &place);
        }
    }
    if !batch.is_empty() {
        server.store().commit(batch).await?;
        account.pushing.read_again();
    }
    Ok(())
}

/// Forgets what a device has asked for that is logged out (XEP-0494 §3.2), with what `batch` does.
pub(crate) async fn forget_device(
    server: &Server,
    account: &Account,
    device: &str,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    for (place, push) in load(server, account).await? {
        if push.device.as_deref() == Some(device) {
            batch.delete(&PUSHES, &account.owner, &place);
        }
    }
    Ok(())
}

/// Notes how a notification went, if the service is still what it was sent to.
pub(super) async fn note(
    server: &Server,
    account: &Account,
    place: &Place,
    sent_to: &StoredPush,
    change: impl FnOnce(&mut StoredPush),
) -> Result<(), StoreError> {
    let _turn = account.turn().await;
    let stored = server.store().get(&PUSHES, &account.owner, place).await?;
    let Some(before) = stored.filter(|stored| stored.enabled_secs == sent_to.enabled_secs) else {
        account.pushing.read_again();
        return Ok(());
    };
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(());
    }
    let mut batch = Batch::new();
    accounts::require(&mut batch, &account.owner);
    batch.put(&PUSHES, &account.owner, place, &after);
    server.store().commit(batch).await?;
    account.pushing.read_again();
    Ok(())
}
