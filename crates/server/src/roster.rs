//! Rosters as stored, and pushes to the sessions that follow them (RFC 6121 §2).

use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::xep::rfc6121_roster::{Ask, Item, Roster, Subscription as Listed};
use waxwing_stanza::{BareJid, Payload, StanzaError};
use waxwing_store::limits::ROWS_MAX;
use waxwing_store::{Batch, Direction, KeyRange, Owner, StoreError, Table};
use waxwing_wire::{Element, ns};

use crate::directory::Account;
use crate::effects::Effects;
use crate::server::{Server, unavailable};
use crate::session::Flag;
use crate::subscription::Subscription;
use crate::xep::xep_0356_privileges as privileges;

/// Most contacts in one roster.
pub(crate) const ROSTER_ITEMS_MAX: usize = 10_000;
/// Most who only asked: beside the contacts, so that strangers do not keep out whom the owner wants.
pub(crate) const REQUESTS_MAX: usize = 1_000;

/// Bytes of a contact's name and groups up to which it counts as small.
pub(crate) const SMALL_ITEM_BYTES: usize = 256;
/// Most bytes of the names and groups of all contacts that are not small: a roster is read whole, and sent whole.
pub(crate) const LARGE_ITEMS_BYTES_MAX: usize = 1024 * 1024;

/// Set on sessions that have asked for the roster and so get pushes (RFC 6121 §2.1.6: interested).
pub(crate) const INTERESTED: Flag = Flag {
    bit: 0,
    name: "interested in the roster",
};

/// A contact as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredItem {
    /// Name given by the owner.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Groups.
    #[prost(string, repeated, tag = "2")]
    pub groups: Vec<String>,
    /// The owner sees the contact's presence.
    #[prost(bool, tag = "3")]
    pub to: bool,
    /// The contact sees the owner's presence.
    #[prost(bool, tag = "4")]
    pub from: bool,
    /// The owner asked and waits.
    #[prost(bool, tag = "5")]
    pub pending_out: bool,
    /// The contact asked and waits: its stanza, shown at each log-in until answered.
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub request: Option<Bytes>,
    /// Approved in advance.
    #[prost(bool, tag = "7")]
    pub approved: bool,
    /// Whether the owner sees it in the roster; one that only asked is not there.
    #[prost(bool, tag = "8")]
    pub listed: bool,
}

/// Rosters: contacts by bare address.
pub(crate) static ROSTER: Table<String, StoredItem> = Table::new("roster", 1);

/// A roster's version.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Version {
    /// Time of the last change, in microseconds since the Unix epoch, made unique by counting up.
    #[prost(uint64, tag = "1")]
    pub changed: u64,
}

/// Versions of rosters (RFC 6121 §2.6).
pub(crate) static VERSION: Table<String, Version> = Table::new("roster-version", 1);

impl StoredItem {
    /// Bytes of what its owner has written of it.
    fn bytes(&self) -> usize {
        let groups: usize = self.groups.iter().map(String::len).sum();
        self.name.as_ref().map_or(0, String::len) + groups
    }

    /// Its subscription state.
    pub(crate) fn state(&self) -> Subscription {
        Subscription {
            to: self.to,
            from: self.from,
            pending_out: self.pending_out,
            pending_in: self.request.is_some(),
            approved: self.approved,
        }
    }

    /// Takes over a new state; `request` is the stanza that made it pending.
    pub(crate) fn set_state(&mut self, state: Subscription, request: Option<&Bytes>) {
        self.to = state.to;
        self.from = state.from;
        self.pending_out = state.pending_out;
        self.approved = state.approved;
        if !state.pending_in {
            self.request = None;
        } else if let (None, Some(request)) = (&self.request, request) {
            self.request = Some(request.clone());
        }
        self.listed |= state.to || state.from || state.pending_out || state.approved;
    }

    /// As the protocol shows it.
    pub(crate) fn shown(&self, jid: BareJid) -> Item {
        Item {
            jid,
            name: self.name.clone(),
            subscription: Some(match (self.to, self.from) {
                (false, false) => Listed::None,
                (true, false) => Listed::To,
                (false, true) => Listed::From,
                (true, true) => Listed::Both,
            }),
            ask: self.pending_out.then_some(Ask::Subscribe),
            approved: self.approved,
            groups: self.groups.clone(),
        }
    }
}

/// One contact.
pub(crate) async fn item(
    server: &Server,
    account: &Account,
    contact: &BareJid,
) -> Result<Option<StoredItem>, StanzaError> {
    server
        .store()
        .get(&ROSTER, &account.owner, &contact.to_string())
        .await
        .map_err(|error| unavailable(&error))
}

/// All contacts, also those that are not listed.
pub(crate) async fn items(
    server: &Server,
    account: &Account,
) -> Result<Vec<(BareJid, StoredItem)>, StanzaError> {
    let found = rows(server, &account.owner).await;
    found.map_err(|error| unavailable(&error))
}

async fn rows(server: &Server, owner: &Owner) -> Result<Vec<(BareJid, StoredItem)>, StoreError> {
    let mut range = KeyRange::all();
    let mut found: Vec<(String, StoredItem)> = Vec::new();
    loop {
        let rows = server
            .store()
            .scan(&ROSTER, owner, &range, Direction::Forward, ROWS_MAX);
        let rows = rows.await?;
        let more = rows.len() == ROWS_MAX;
        found.extend(rows);
        match found.last() {
            Some((last, _)) if more => range = KeyRange::all().after(last),
            _ => break,
        }
    }
    Ok(found
        .into_iter()
        .filter_map(|(jid, item)| jid.parse().ok().map(|jid| (jid, item)))
        .collect())
}

/// The contacts that the owner sees, by address.
pub(crate) async fn listed(
    server: &Server,
    owner: &Owner,
) -> Result<Vec<(BareJid, StoredItem)>, StoreError> {
    let mut found = rows(server, owner).await?;
    found.retain(|(_, item)| item.listed);
    Ok(found)
}

/// How many contacts are listed.
pub(crate) async fn size(server: &Server, owner: &Owner) -> Result<usize, StoreError> {
    let mut range = KeyRange::all();
    let mut size = 0;
    loop {
        let rows = server
            .store()
            .scan(&ROSTER, owner, &range, Direction::Forward, ROWS_MAX);
        let rows = rows.await?;
        size += rows.iter().filter(|(_, item)| item.listed).count();
        match rows.last() {
            Some((last, _)) if rows.len() == ROWS_MAX => range = KeyRange::all().after(last),
            _ => return Ok(size),
        }
    }
}

/// Whether no contact more fits into the roster; or, if it is not `listed`, nobody more who only asks.
pub(crate) async fn is_full(
    server: &Server,
    account: &Account,
    listed: bool,
) -> Result<bool, StanzaError> {
    let most = if listed {
        ROSTER_ITEMS_MAX
    } else {
        REQUESTS_MAX
    };
    let all = KeyRange::all();
    let count = server.store().count(&ROSTER, &account.owner, &all);
    if count.await.map_err(|error| unavailable(&error))? < most as u64 {
        return Ok(false);
    }
    // Only a roster that may be full is looked through.
    let items = items(server, account).await?;
    let found = items.iter().filter(|(_, item)| item.listed == listed);
    Ok(found.count() >= most)
}

/// Whether what is written of `contact` is too much beside what is written of the others.
pub(crate) async fn is_too_large(
    server: &Server,
    account: &Account,
    contact: &BareJid,
    item: &StoredItem,
) -> Result<bool, StanzaError> {
    let own = item.bytes();
    if own <= SMALL_ITEM_BYTES {
        return Ok(false);
    }
    let items = items(server, account).await?;
    let others = items.iter().filter(|(jid, _)| jid != contact);
    let large = others.map(|(_, item)| item.bytes());
    let large: usize = large.filter(|bytes| *bytes > SMALL_ITEM_BYTES).sum();
    Ok(own + large > LARGE_ITEMS_BYTES_MAX)
}

/// Whether `viewer` may see the presence of `owner`: it is the same account, or a subscriber. One read
/// of the same kind whether there is an account of that name or not.
pub(crate) async fn sees_presence(
    server: &Server,
    viewer: &BareJid,
    owner: &BareJid,
) -> Result<bool, StanzaError> {
    if viewer == owner {
        return Ok(true);
    }
    let item = item_of(server, owner, viewer).await?;
    Ok(item.is_some_and(|item| item.from))
}

/// An entry of the roster of `owner`, whether there is an account of that name or not.
pub(crate) async fn item_of(
    server: &Server,
    owner: &BareJid,
    contact: &BareJid,
) -> Result<Option<StoredItem>, StanzaError> {
    let owner = Owner::account(owner.as_ref());
    let item = server.store().get(&ROSTER, &owner, contact.as_ref());
    item.await.map_err(|error| unavailable(&error))
}

/// The roster's version as text; empty before the first change.
pub(crate) async fn version(server: &Server, account: &Account) -> Result<String, StanzaError> {
    let stored = server
        .store()
        .get(&VERSION, &account.owner, &String::new())
        .await
        .map_err(|error| unavailable(&error))?;
    Ok(stored.map_or_else(String::new, |version| format!("{:x}", version.changed)))
}

/// Writes a contact (or removes it) and pushes it to the account's interested sessions.
pub(crate) fn change(
    server: &Server,
    account: &Arc<Account>,
    contact: &BareJid,
    item: Option<&StoredItem>,
    effects: &mut Effects,
) {
    let changed = server.now_micros();
    write(&mut effects.batch, account, contact, item);
    effects.batch.put(
        &VERSION,
        &account.owner,
        &String::new(),
        &Version { changed },
    );
    let shown = match item {
        Some(item) if item.listed => item.shown(contact.clone()),
        _ => Item {
            subscription: Some(Listed::Remove),
            ..StoredItem::default().shown(contact.clone())
        },
    };
    push(account, shown, format!("{changed:x}"), effects);
}

/// Writes a contact of an account that nobody is logged in to.
pub(crate) fn enter(
    batch: &mut Batch,
    owner: &Owner,
    contact: &BareJid,
    item: &StoredItem,
    changed: u64,
) {
    batch.put(&ROSTER, owner, &contact.to_string(), item);
    batch.put(&VERSION, owner, &String::new(), &Version { changed });
}

/// Writes a contact without telling anybody: what is not listed is not shown.
pub(crate) fn write(
    batch: &mut Batch,
    account: &Account,
    contact: &BareJid,
    item: Option<&StoredItem>,
) {
    account.waiting.forget_sender();
    match item {
        Some(item) => batch.put(&ROSTER, &account.owner, &contact.to_string(), item),
        None => batch.delete(&ROSTER, &account.owner, &contact.to_string()),
    }
}

fn push(account: &Arc<Account>, item: Item, version: String, effects: &mut Effects) {
    let query = Roster {
        ver: Some(version),
        items: vec![item],
    };
    let account = account.clone();
    effects.call(move |server| {
        privileges::roster_changed(server, &account.jid, &query.write());
        for session in account.sessions() {
            if session.has(INTERESTED) {
                // RFC 6121 §2.1.6: `from` is absent or the account; the id is ours.
                let id = format!("push-{}", server.next_number());
                let iq = Element::new(ns::CLIENT, "iq")
                    .with_attr("type", "set")
                    .with_attr("id", &id)
                    .with_attr("to", session.jid.to_string())
                    .with_child(query.write());
                session.push(crate::session::Out::stanza(iq.to_bytes(ns::CLIENT)));
            }
        }
    });
}
