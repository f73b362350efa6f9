//! What a domain says to each of its accounts once: the message of the day, and the welcome of a new account (XEP-0133).
//!
//! A message of the day goes to whoever is online when it is set, and to everybody else when they log in next. A welcome goes
//! to accounts that are made while there is one, when they log in first: however they were made, since it is asked for then.
//! Both enter the account's log as a message of somebody else would, in one commit with the note that the account has had
//! it; so they come once, over a restart too.

pub(crate) mod commands;
mod said;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, stream};
use waxwing_stanza::{BareJid, Condition, Jid, MessageType, StanzaError};
use waxwing_store::{Batch, Owner, StoreError, Table};
use waxwing_wire::{Element, ns};

use crate::accounts;
use crate::archive::{self, ARCHIVED};
use crate::blocking;
use crate::delivery::{Delivery, UNDELIVERED};
use crate::directory::Account;
use crate::effects::Effects;
use crate::keep;
use crate::server::{Server, read_again, unavailable};
use crate::session::Session;

pub(crate) use said::Said;

/// Longest message of the day, and longest welcome.
pub(crate) const NOTICE_BYTES_MAX: usize = 16 * 1024;
/// Accounts that are told of a new message of the day at the same time.
const TOLD_AT_ONCE: usize = 64;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// For new accounts.
    Welcome,
    /// For all accounts.
    Motd,
}

impl Notice {
    /// All, in the order in which an account gets them.
    const ALL: [Notice; 2] = [Notice::Welcome, Notice::Motd];

    /// What it is stored by, and the beginning of its messages' ids.
    fn key(self) -> &'static str {
        match self {
            Notice::Welcome => "welcome",
            Notice::Motd => "motd",
        }
    }

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Notice::Welcome => "welcome message",
            Notice::Motd => "message of the day",
        }
    }
}

/// What a domain says, as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredNotice {
    /// The text.
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    /// When it was set, in microseconds since 1970: which one it is. A correction leaves it.
    #[prost(uint64, tag = "2")]
    pub(crate) set_micros: u64,
}

/// What an account has had, as stored.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Had {
    /// Which one, by when it was set.
    #[prost(uint64, tag = "1")]
    set_micros: u64,
}

/// What each domain says.
pub(crate) static NOTICES: Table<String, StoredNotice> = Table::new("notices", 1);
/// What each account has had.
pub(crate) static HAD: Table<String, Had> = Table::new("notices-had", 1);

/// How a text takes the place of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is another one: who had the one before gets it too.
    New,
    /// It is the same one, put right.
    Correction,
}

/// What a domain says, if anything.
pub(crate) async fn current(
    server: &Server,
    domain: &str,
    notice: Notice,
) -> Result<Option<StoredNotice>, StoreError> {
    let owner = Owner::domain(domain);
    server.store().get(&NOTICES, &owner, notice.key()).await
}

/// Has a domain say something. A text that it says already is no other one. Nothing is corrected where there is nothing.
pub(crate) async fn set(
    server: &Server,
    domain: &str,
    notice: Notice,
    text: &str,
    change: Change,
) -> Result<Option<StoredNotice>, StoreError> {
    let owner = Owner::domain(domain);
    loop {
        let before = current(server, domain, notice).await?;
        let set_micros = match (&before, change) {
            (None, Change::Correction) => return Ok(None),
            (Some(before), Change::Correction) => before.set_micros,
            (Some(before), Change::New) if before.text == text => before.set_micros,
            // A clock that was set back makes no two of them one.
            (Some(before), Change::New) => server.now_micros().max(before.set_micros + 1),
            (None, Change::New) => server.now_micros(),
        };
        let after = StoredNotice {
            text: text.to_owned(),
            set_micros,
        };
        let mut batch = Batch::new();
        match &before {
            Some(before) => batch.require_equals(&NOTICES, &owner, notice.key(), before),
            None => batch.require_absent(&NOTICES, &owner, notice.key()),
        }
        batch.put(&NOTICES, &owner, notice.key(), &after);
        match said::commit(server, domain, batch).await {
            Ok(()) => return Ok(Some(after)),
            // Somebody else's is there, which cannot go on for ever.
            Err(StoreError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Has a domain say nothing any more; whether it did.
pub(crate) async fn clear(
    server: &Server,
    domain: &str,
    notice: Notice,
) -> Result<bool, StoreError> {
    let was = current(server, domain, notice).await?.is_some();
    let mut batch = Batch::new();
    batch.delete(&NOTICES, &Owner::domain(domain), notice.key());
    said::commit(server, domain, batch).await?;
    Ok(was)
}

/// Tells everybody of a domain who is online what they have not had, beside everything else.
pub(crate) fn tell_online(server: &Server, domain: &str) {
    let sessions = server.directory().sessions().into_iter();
    let taking = sessions.filter(|session| {
        let takes = session.priority().is_some_and(|priority| priority >= 0);
        takes && session.jid.domain() == domain
    });
    let accounts: HashMap<BareJid, Arc<Account>> = taking
        .map(|session| (session.account.jid.clone(), session.account.clone()))
        .collect();
    let own = server.clone();
    let told = async move {
        let each = stream::iter(accounts.into_values());
        each.for_each_concurrent(TOLD_AT_ONCE, |account| offer(&own, account))
            .await;
    };
    server.outside().tasks.spawn(told.boxed());
}

/// A session has begun to take messages: its account gets what it has not had, beside everything else.
pub(crate) fn arrived(server: &Server, session: &Session) {
    let (server, account) = (server.clone(), session.account.clone());
    let tasks = server.outside().tasks.clone();
    tasks.spawn(async move { offer(&server, account).await }.boxed());
}

/// Gives an account what its domain says and it has not had. What fails is tried again at its next log-in.
async fn offer(server: &Server, account: Arc<Account>) {
    // A guest is nobody that could have had it before.
    if account.is_guest() || account.is_outside() {
        return;
    }
    if let Err(error) = give(server, &account).await {
        tracing::warn!(condition = ?error.condition, "an account could not be given what its domain says");
    }
}

async fn give(server: &Server, account: &Arc<Account>) -> Result<(), StanzaError> {
    let said = said::texts(server, account.jid.domain()).await;
    let said = said.map_err(|error| unavailable(&error))?;
    for (notice, stored) in said.iter() {
        let notice = *notice;
        let had = server.store().get(&HAD, &account.owner, notice.key());
        let had = had.await.map_err(|error| unavailable(&error))?;
        if is_due(server, account, notice, stored, had).await? {
            enter(server, account, notice, stored, had).await?;
        }
    }
    Ok(())
}

/// Whether an account is to get it.
async fn is_due(
    server: &Server,
    account: &Account,
    notice: Notice,
    stored: &StoredNotice,
    had: Option<Had>,
) -> Result<bool, StanzaError> {
    match notice {
        Notice::Motd => Ok(had.is_none_or(|had| had.set_micros != stored.set_micros)),
        Notice::Welcome if had.is_some() => Ok(false),
        Notice::Welcome => {
            let known = accounts::load(server.store(), &account.jid).await;
            let known = known.map_err(|error| unavailable(&error))?;
            Ok(known.is_some_and(|known| known.created_micros >= stored.set_micros))
        }
    }
}

/// Puts it into the account's log, in one commit with the note that it is there.
async fn enter(
    server: &Server,
    account: &Arc<Account>,
    notice: Notice,
    stored: &StoredNotice,
    had: Option<Had>,
) -> Result<(), StanzaError> {
    let from = BareJid::from_parts(None, account.jid.domain())?;
    if blocking::is_kept_from(account, &Jid::from(from.clone())) {
        return Ok(());
    }
    let mut effects = Effects::none();
    let delivery = message(server, account, from, notice, stored).await?;
    effects.more.push(delivery);
    let (batch, owner) = (&mut effects.batch, &account.owner);
    // An account that is removed meanwhile leaves nothing behind.
    accounts::require(batch, owner);
    match &had {
        Some(had) => batch.require_equals(&HAD, owner, notice.key(), had),
        None => batch.require_absent(&HAD, owner, notice.key()),
    }
    let set_micros = stored.set_micros;
    batch.put(&HAD, owner, notice.key(), &Had { set_micros });
    match server.carry_out(effects).await {
        // Another session of the account came at the same time.
        Ok(()) | Err(StoreError::Refused { .. }) => Ok(()),
        Err(error) => Err(unavailable(&error)),
    }
}

/// The message: what becomes of it is what becomes of any message of its kind.
async fn message(
    server: &Server,
    account: &Arc<Account>,
    from: BareJid,
    notice: Notice,
    stored: &StoredNotice,
) -> Result<Delivery, StanzaError> {
    let message = Element::new(ns::CLIENT, "message")
        .with_attr("from", from.to_string())
        .with_attr("to", account.jid.to_string())
        .with_attr("id", format!("{}-{:x}", notice.key(), stored.set_micros))
        .with_child(Element::new(ns::CLIENT, "body").with_text(&stored.text));
    let stanza = read_again(message.to_bytes(ns::CLIENT))
        .map_err(|_| StanzaError::from(Condition::InternalServerError))?;
    let kind = MessageType::Normal;
    let fate = keep::decide(kind, &stanza);
    let mut marks = UNDELIVERED;
    if fate.archived && archive::wants(server, account, &Jid::from(from.clone())).await? {
        marks = marks | ARCHIVED;
    }
    Ok(Delivery {
        account: account.clone(),
        full: None,
        kind,
        fate,
        marks,
        other: from,
        // What strangers send has no say in it, nor has how much of that waits: there is one of each.
        stranger: false,
        stanza,
        id: None,
        sender: None,
    })
}
