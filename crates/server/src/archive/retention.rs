//! How long messages stay in archives: the oldest go, beside everything else and some at a time. What a client has yet to
//! get stays until it has it (XEP-0313 §3.2).

use waxwing_store::{Batch, Entry, KeyRange, LogId, Owner, OwnerKind, Page, StoreError, Table};

use crate::accounts;
use crate::archive::{ARCHIVED, TIMERS};
use crate::delivery::{MESSAGES, StoredMessage, UNDELIVERED};
use crate::options::{OptionDefault, OptionSpec};
use crate::server::Server;

/// How old a message may be.
pub(crate) const DAYS_MAX: OptionSpec = OptionSpec {
    name: "archive_days_max",
    default: OptionDefault::Number {
        value: 0,
        min: 0,
        max: 36_500,
    },
    unit: "days",
    doc: "How long messages stay in archives; 0 for as long as there is room. What nobody has got yet stays longer.",
};

/// How much one account may have.
pub(crate) const BYTES_MAX: OptionSpec = OptionSpec {
    name: "archive_bytes_max",
    default: OptionDefault::Number {
        value: 10 * 1024 * 1024 * 1024,
        min: 0,
        max: 1024 * 1024 * 1024 * 1024,
    },
    unit: "bytes",
    doc: "Most bytes of messages in the archive of one account, looked at once an hour: the oldest go. 0 for no limit.",
};

/// How many messages are looked at together, and removed by one commit: nobody waits long behind it.
const AT_ONCE: usize = 200;

const DAY_MICROS: u64 = 86_400 * 1_000_000;

/// How much an account has.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Size {
    /// The newest message that is counted.
    #[prost(uint64, tag = "1")]
    until: u64,
    /// Bytes of all messages up to that one.
    #[prost(uint64, tag = "2")]
    bytes: u64,
}

/// How much each account has, under an empty name, where there is a limit.
pub(crate) static SIZES: Table<String, Size> = Table::new("archive-sizes", 1);

/// Lets go what is too old or too much in all archives.
pub(crate) async fn sweep(server: &Server) -> Result<(), StoreError> {
    let mut last: Option<Owner> = None;
    loop {
        let owners = server.store().log_owners(&MESSAGES, last.as_ref(), AT_ONCE);
        let owners = owners.await?;
        for owner in &owners {
            if server.stopping() {
                return Ok(());
            }
            of_account(server, owner).await?;
        }
        match owners.last() {
            Some(owner) => last = Some(owner.clone()),
            None => return Ok(()),
        }
    }
}

/// What may stay.
struct Bounds {
    /// The oldest.
    from: LogId,
    /// Most bytes, if there is a limit.
    bytes_max: Option<u64>,
}

async fn of_account(server: &Server, owner: &Owner) -> Result<(), StoreError> {
    let domain = owner.name().rsplit_once('@').map(|(_, domain)| domain);
    let Some(domain) = domain.filter(|_| owner.kind() == OwnerKind::Account) else {
        return Ok(());
    };
    let options = server.options_of(domain);
    let from = match options.number(&DAYS_MAX) {
        0 => LogId::MIN,
        days => LogId(server.now_micros().saturating_sub(days * DAY_MICROS)),
    };
    let bytes_max = match options.number(&BYTES_MAX) {
        0 => None,
        bytes => Some(bytes),
    };
    let known = server.store().get(&SIZES, owner, &String::new()).await?;
    let mut size = known.clone().unwrap_or_default();
    if bytes_max.is_some() {
        count(server, owner, &mut size).await?;
    }
    if known.as_ref() != bytes_max.map(|_| &size) {
        let mut batch = Batch::new();
        note(owner, bytes_max.map(|_| &size), &mut batch);
        commit(server, batch).await?;
    }
    drop_oldest(server, owner, &Bounds { from, bytes_max }, &mut size).await
}

/// Counts what has come since.
async fn count(server: &Server, owner: &Owner, size: &mut Size) -> Result<(), StoreError> {
    loop {
        let page = Page::forward(AT_ONCE)
            .after(LogId(size.until))
            .with_marks(ARCHIVED);
        let read = server.store().page(&MESSAGES, owner, page).await?;
        for entry in &read.entries {
            size.bytes += weight(entry);
            size.until = entry.id.0;
        }
        match read.next {
            Some(next) => size.until = next.0,
            None => return Ok(()),
        }
    }
}

/// What a message counts for, as long as it is there: what was taken back for as much as before.
fn weight(entry: &Entry<StoredMessage>) -> u64 {
    let stored = &entry.payload;
    match stored.bytes_before {
        0 => stored.stanza.len() as u64,
        before => u64::from(before),
    }
}

async fn drop_oldest(
    server: &Server,
    owner: &Owner,
    bounds: &Bounds,
    size: &mut Size,
) -> Result<(), StoreError> {
    loop {
        let page = Page::forward(AT_ONCE).with_marks(ARCHIVED);
        let read = server.store().page(&MESSAGES, owner, page).await?;
        let mut last = None;
        for entry in &read.entries {
            let is_counted = entry.id.0 <= size.until;
            let is_too_much = is_counted && bounds.bytes_max.is_some_and(|max| size.bytes > max);
            let stays = entry.id >= bounds.from && !is_too_much;
            // What is behind it stays too: an archive has no holes.
            if stays || entry.marks.contains(UNDELIVERED) {
                break;
            }
            if is_counted {
                size.bytes = size.bytes.saturating_sub(weight(entry));
            }
            last = Some(entry.id);
        }
        let Some(last) = last else {
            return Ok(());
        };
        let mut batch = Batch::new();
        let gone = KeyRange::all().before(&LogId(last.0.saturating_add(1)));
        batch.clear_marks_in(&MESSAGES, owner, LogId::MIN..=last, ARCHIVED, AT_ONCE);
        batch.delete_range(&TIMERS, owner, &gone, AT_ONCE);
        // In one commit: what is gone is not counted, whatever happens in between.
        note(owner, bounds.bytes_max.map(|_| &*size), &mut batch);
        commit(server, batch).await?;
    }
}

/// Writes down how much there is, where there is a limit.
fn note(owner: &Owner, size: Option<&Size>, batch: &mut Batch) {
    match size {
        Some(size) => batch.put(&SIZES, owner, &String::new(), size),
        None => batch.delete(&SIZES, owner, &String::new()),
    }
    accounts::require(batch, owner);
}

async fn commit(server: &Server, mut batch: Batch) -> Result<(), StoreError> {
    batch.unhurried();
    match server.store().commit(batch).await {
        // Somebody has removed the account.
        Err(StoreError::Refused { .. }) => Ok(()),
        done => done.map(|_| ()),
    }
}
