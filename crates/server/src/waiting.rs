//! How much may wait for an account (XEP-0160 §2). Strangers have a share of their own, beside that of
//! contacts: whoever fills it up keeps out other strangers, and no friend.
//!
//! Counted is what comes while nobody takes it. What somebody takes and never confirms is bounded by what a
//! session may have outstanding, and counts too once the session is gone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use waxwing_stanza::{BareJid, Condition, FullJid, StanzaError};
use waxwing_store::{LogId, Page, StoreError};

use crate::delivery::{MESSAGES, UNDELIVERED};
use crate::directory::Account;
use crate::options::{OptionDefault, OptionSpec, Options};
use crate::roster;
use crate::server::{Server, unavailable};

/// Messages of contacts.
pub(crate) const MESSAGES_MAX: OptionSpec = OptionSpec {
    name: "undelivered_messages_max",
    default: OptionDefault::Number {
        value: 10_000,
        min: 1,
        max: 1_000_000,
    },
    unit: "messages",
    doc: "Most messages of contacts that wait for one account; one more is refused with <service-unavailable/>.",
};

/// Bytes of contacts.
pub(crate) const BYTES_MAX: OptionSpec = OptionSpec {
    name: "undelivered_bytes_max",
    default: OptionDefault::Number {
        value: 64 * 1024 * 1024,
        min: 1_024,
        max: 16 * 1024 * 1024 * 1024,
    },
    unit: "bytes",
    doc: "Most bytes of contacts' messages that wait for one account; more is refused with <service-unavailable/>.",
};

/// What strangers get.
pub(crate) const STRANGERS_PERCENT: OptionSpec = OptionSpec {
    name: "undelivered_strangers_percent",
    default: OptionDefault::Number {
        value: 10,
        min: 0,
        max: 100,
    },
    unit: "percent",
    doc: "How much may wait of those who are not in an account's roster, all together: a part of undelivered_messages_max and undelivered_bytes_max, beside what contacts may.",
};

/// Entries read at a time.
const PAGE_ENTRIES: usize = 100;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    messages: u64,
    bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    fn most(options: &Options, stranger: bool) -> Amount {
        let part = |whole: u64| match stranger {
            true => whole.saturating_mul(options.number(&STRANGERS_PERCENT)) / 100,
            false => whole,
        };
        Amount {
            messages: part(options.number(&MESSAGES_MAX)),
            bytes: part(options.number(&BYTES_MAX)),
        }
    }

    fn is_within(self, most: Amount) -> bool {
        self.messages <= most.messages && self.bytes <= most.bytes
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    contacts: Amount,
    strangers: Amount,
}

impl Counted {
    fn of(&mut self, stranger: bool) -> &mut Amount {
        if stranger {
            &mut self.strangers
        } else {
            &mut self.contacts
        }
    }
}

#[derive(Default)]
struct State {
    /// `None` until it is counted, and whenever something was delivered since.
    counted: Option<Counted>,
    /// How often that has happened: a count that was begun before is of no use.
    deliveries: u64,
    /// Who wrote last, whether they are a stranger, and until when that is believed, by the clock that nobody sets.
    last: Option<(BareJid, bool, u64)>,
}

/// How long it is believed of somebody who goes on writing that they are a stranger, or none. A question to the store
/// waits for what is on its way there, so that without this each message of one sender would wait for the one before.
const SENDER_KNOWN_MICROS: u64 = 2_000_000;

/// What waits for an account, as far as it is known.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<State>);

impl Waiting {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something waits no more, or something waits that was taken before.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.counted = None;
        state.deliveries += 1;
    }

    /// The account's roster changes.
    pub(crate) fn forget_sender(&self) {
        self.state().last = None;
    }
}

/// Whether a message may wait for `account`, if it has to; says whether it is a stranger's.
///
/// # Errors
/// `service-unavailable` where there is no room (XEP-0160 §2).
pub(crate) async fn admit(
    server: &Server,
    account: &Account,
    sender: &BareJid,
    full: Option<&FullJid>,
    bytes: usize,
) -> Result<bool, StanzaError> {
    if is_taken(account, full) {
        return Ok(false);
    }
    let stranger = is_stranger(server, account, sender).await?;
    let most = Amount::most(&server.options(), stranger);
    let (known, deliveries) = {
        let state = account.waiting.state();
        (state.counted, state.deliveries)
    };
    let counted = match known {
        Some(counted) => counted,
        None => count(server, account)
            .await
            .map_err(|error| unavailable(&error))?,
    };
    let mut state = account.waiting.state();
    // Others may have counted, or added theirs, meanwhile.
    let mut counted = state.counted.unwrap_or(counted);
    counted.of(stranger).add(bytes);
    if !counted.of(stranger).is_within(most) {
        server.metrics().limit(crate::Limit::Undelivered);
        return Err(Condition::ServiceUnavailable.into());
    }
    if state.deliveries == deliveries {
        state.counted = Some(counted);
    }
    Ok(stranger)
}

/// Whether a session gets it at once, so that it need not wait.
fn is_taken(account: &Account, full: Option<&FullJid>) -> bool {
    let named = full.and_then(|full| account.session(full.resource()));
    if let Some(session) = named {
        return session.takes();
    }
    let available = account.available();
    available
        .iter()
        .any(|(priority, session)| *priority >= 0 && session.takes())
}

/// Whether the owner of the account has not taken the sender into the roster, nor is the sender.
pub(crate) async fn is_stranger(
    server: &Server,
    account: &Account,
    sender: &BareJid,
) -> Result<bool, StanzaError> {
    // A component has no contacts.
    if *sender == account.jid || account.is_outside() {
        return Ok(false);
    }
    let now = server.steady_micros();
    let last = account.waiting.state().last.clone();
    if let Some((known, stranger, until)) = last
        && known == *sender
        && now < until
    {
        return Ok(stranger);
    }
    let item = roster::item(server, account, sender).await?;
    let stranger = !item.is_some_and(|item| item.listed);
    let until = now.saturating_add(SENDER_KNOWN_MICROS);
    account.waiting.state().last = Some((sender.clone(), stranger, until));
    Ok(stranger)
}

async fn count(server: &Server, account: &Account) -> Result<Counted, StoreError> {
    let mut counted = Counted::default();
    let mut after = LogId::MIN;
    loop {
        let page = Page::forward(PAGE_ENTRIES)
            .after(after)
            .with_marks(UNDELIVERED);
        let read = server.store().page(&MESSAGES, &account.owner, page).await?;
        let Some(last) = read.entries.last() else {
            return Ok(counted);
        };
        after = last.id;
        for entry in &read.entries {
            let stored = &entry.payload;
            counted.of(stored.stranger).add(stored.stanza.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use waxwing_stream::StreamCondition;

    use super::*;
    use crate::directory::Directory;
    use crate::session::{Available, Session};

    #[test]
    fn who_takes_what_comes() {
        let directory = Directory::default();
        let account = directory.note(
            &"bob@example.org".parse().unwrap(),
            Default::default(),
            Default::default(),
            None,
        );
        let full: FullJid = "bob@example.org/phone".parse().unwrap();
        assert!(!is_taken(&account, None));
        let session = Arc::new(Session::new(
            full.clone(),
            account.clone(),
            1,
            1,
            Default::default(),
        ));
        directory.add(&session);
        // Without presence it gets what is for it alone.
        assert!(is_taken(&account, Some(&full)));
        assert!(!is_taken(&account, None));
        for (priority, takes) in [(-1, false), (0, true)] {
            let stanza = Bytes::from_static(b"<presence/>");
            session.state().available = Some(Available { priority, stanza });
            assert_eq!(is_taken(&account, None), takes);
        }
        let other = "bob@example.org/desk".parse().unwrap();
        assert!(is_taken(&account, Some(&other)));
        // One that was too slow gets nothing more, even if it waits to be resumed.
        session.kick(StreamCondition::ResourceConstraint.into());
        assert!(!is_taken(&account, Some(&full)));
        assert!(!is_taken(&account, None));
    }
}
