//! An account's archive (XEP-0313): the entries of its log with the mark *archived*.
//!
//! What is archived is decided in `keep.rs` by what a message is, and in `preferences.rs` by with whom it is exchanged; it
//! enters the log with its delivery (`delivery.rs`). `question.rs` reads what somebody wants of it, `pages.rs` finds that, by
//! `text.rs` where they look for words, and `retention.rs` lets the oldest go.

mod emptied;
mod pages;
mod preferences;
pub mod queries;
mod question;
mod retention;
mod retraction;
mod text;
mod timers;

pub(crate) use pages::{Found, Message, ends, find};
pub(crate) use preferences::{
    BY_DEFAULT, PREFERENCES, PREFERENCES_BYTES_MAX, Preferences, by_default, load, save, wants,
};
pub(crate) use question::{Question, form};
pub(crate) use retention::{BYTES_MAX, DAYS_MAX, SIZES, sweep};
pub(crate) use retraction::retract;
pub(crate) use text::text;
pub(crate) use timers::{NextTimer, TIMERS, fire, set as set_timer};

use std::borrow::Cow;

use waxwing_stanza::{BareJid, Jid, StanzaError};
use waxwing_store::{Entries, Marks, Page};

use crate::delivery::{MESSAGES, StoredMessage};
use crate::directory::Account;
use crate::server::{Server, unavailable};

/// Mark of an entry that belongs to the archive.
pub(crate) const ARCHIVED: Marks = Marks::ARCHIVED;

/// A page of an account's log.
async fn page(
    server: &Server,
    account: &Account,
    page: Page,
) -> Result<Entries<StoredMessage>, StanzaError> {
    let found = server.store().page(&MESSAGES, &account.owner, page);
    found.await.map_err(|error| unavailable(&error))
}

/// The account or domain of an address.
fn bare(address: Option<Cow<'_, str>>) -> Option<BareJid> {
    let address: Jid = address?.parse().ok()?;
    Some(address.bare())
}
