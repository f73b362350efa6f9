//! Who wants notifications, and how that goes.

use waxwing_stanza::xep::proto_push::ENDPOINT;
use waxwing_stanza::xep::xep_0004_forms::DataForm;
use waxwing_stanza::{Jid, Payload};
use waxwing_store::{Batch, Direction, KeyRange, Owner, StoreError, Table};
use waxwing_wire::Element;

use super::{Endpoint, SERVICES_MAX};
use crate::accounts;
use crate::directory::Account;
use crate::server::Server;

/// Most bytes of a node's name.
pub(crate) const NODE_BYTES_MAX: usize = 1_023;
/// Most bytes of the form that is published with a notification.
pub(crate) const OPTIONS_BYTES_MAX: usize = 4_096;
/// Rows read of one account: there are no more than the greatest [`SERVICES_MAX`].
const ROWS_MAX: usize = 1_000;

/// How exact it is when a service was last asked for: so seldom it is written.
const ASKED_SECS: u64 = 86_400;
/// How long a dead service is let be after its last failure, whoever asks for it.
const REVIVED_SECS: u64 = 3_600;

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
    /// When it was last asked for, to the day; 0 where that is when it was asked for first.
    #[prost(uint64, tag = "10")]
    pub(super) asked_secs: u64,
}

/// The push services of each account.
pub(crate) static PUSHES: Table<Place, StoredPush> = Table::new("pushes", 1);

impl StoredPush {
    /// The form that is published with notifications.
    pub(super) fn form(&self) -> Option<DataForm> {
        let element = Element::parse(&self.options).ok()?;
        DataForm::read(&element).ok()
    }

    /// The host that is posted to, where the server does that itself. The rest of the address is the client's secret.
    pub(super) fn host(&self) -> Option<String> {
        let endpoint = self.form()?.value(ENDPOINT).and_then(Endpoint::parse)?;
        Some(endpoint.host().to_owned())
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
        Some((_, before)) if before.options == wanted.options => {
            let asked_again = asked_again(before, wanted);
            if asked_again == *before {
                return Ok(());
            }
            asked_again
        }
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

/// A service that is asked for once more. What it did wrong is not forgotten by that: one that is dead has one more chance, and
/// not whenever a client comes.
fn asked_again(before: &StoredPush, wanted: StoredPush) -> StoredPush {
    let now_secs = wanted.enabled_secs;
    let mut after = StoredPush {
        device: wanted.device,
        resource: wanted.resource,
        ..before.clone()
    };
    if now_secs >= last_wanted(before).saturating_add(ASKED_SECS) {
        after.asked_secs = now_secs;
    }
    if before.is_dead && now_secs >= before.failed_secs.saturating_add(REVIVED_SECS) {
        after.is_dead = false;
    }
    after
}

/// When it is known to have been of use last.
fn last_wanted(push: &StoredPush) -> u64 {
    push.enabled_secs
        .max(push.asked_secs)
        .max(push.succeeded_secs)
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
    known.sort_by_key(|(_, push)| (!push.is_dead, last_wanted(push)));
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

/// Who has asked for notifications.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker<'a> {
    /// A device that says which it is.
    Device(&'a str),
    /// A client that does not, by its resource.
    Resource(&'a str),
}

/// Forgets what somebody has asked for who is logged out (XEP-0494 §3.2), with what `batch` does.
pub(crate) async fn forget_asker(
    server: &Server,
    account: &Account,
    asker: Asker<'_>,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let is_its = |push: &StoredPush| match (asker, push.device.as_deref()) {
        (Asker::Device(device), Some(known)) => device == known,
        (Asker::Resource(resource), None) => resource == push.resource,
        _ => false,
    };
    for (place, push) in load(server, account).await? {
        if is_its(&push) {
            batch.delete(&PUSHES, &account.owner, &place);
        }
    }
    Ok(())
}

/// With a new password nothing is good that was asked for with the old one: whoever knows that no more is told nothing.
pub(crate) fn forget_all(batch: &mut Batch, owner: &Owner) {
    batch.delete_range(&PUSHES, owner, &KeyRange::all(), ROWS_MAX);
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
