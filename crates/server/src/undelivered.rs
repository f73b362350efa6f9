//! Sends a session what the account's log holds as undelivered (XEP-0160 §2, XEP-0203).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0203_delay::Delay;
use waxwing_stanza::{FullJid, Jid, Payload};
use waxwing_store::{Entry, LogId, Page, StoreError};
use waxwing_wire::{Stanza, ns};

use crate::blocking::{self, BlockList};
use crate::delivery::{MESSAGES, StoredMessage, UNDELIVERED};
use crate::directory::Account;
use crate::effects::After;
use crate::server::Server;
use crate::session::Session;

/// Entries read at a time, and outstanding when more are queued.
const PAGE_ENTRIES: usize = 100;
/// Bytes that are queued at a time, and not much more.
const CHUNK_BYTES: usize = 256 * 1024;

/// The newest entry of an account that holds none as undelivered; `None` where something waits.
pub(crate) async fn nothing_until(
    server: &Server,
    account: &Account,
) -> Result<Option<LogId>, StoreError> {
    let staged = server.while_nothing_is_staged(|| account.last_log());
    let page = Page::forward(1).with_marks(UNDELIVERED);
    let page = server.store().page(&MESSAGES, &account.owner, page).await?;
    Ok(page.entries.is_empty().then_some(staged))
}

/// Lets a session that has begun to take messages have them as they come, if nothing waits until an entry that is still
/// the newest; whether it does.
pub(crate) fn skip(server: &Server, session: &Session, nothing_until: Option<LogId>) -> bool {
    let catch_up = session.state().catch_up();
    let skipped = nothing_until.is_some_and(|newest| live(server, session, newest));
    if skipped {
        session.state().caught_up(catch_up);
        server.release_confirmed(&session.account);
    }
    skipped
}

/// Starts sending, beside everything else; messages that come meanwhile are found in the log, in order.
pub(crate) fn start(server: &Server, session: &Arc<Session>) {
    let (server, session) = (server.clone(), session.clone());
    let tasks = server.outside().tasks.clone();
    // Whatever comes from now on has not waited, even if it is read with what has.
    let begun_micros = server.now_micros();
    let work = async move {
        if let Err(error) = run(&server, &session, begun_micros).await {
            tracing::error!(%error, "undelivered messages could not be read");
            session.kick(waxwing_stream::StreamCondition::InternalServerError.into());
        }
    };
    tasks.spawn(work.boxed());
}

async fn run(server: &Server, session: &Arc<Session>, begun_micros: u64) -> Result<(), StoreError> {
    let account = session.account.clone();
    let catch_up = session.state().catch_up();
    let mut after = LogId::MIN;
    loop {
        session.room(|state| state.has_room_for(PAGE_ENTRIES)).await;
        // Whatever was staged before the read is seen by it; what is being staged now may be numbered
        // already, and not with the store yet.
        let staged = server.while_nothing_is_staged(|| account.last_log());
        let page = Page::forward(PAGE_ENTRIES)
            .after(after)
            .with_marks(UNDELIVERED);
        let entries = server
            .store()
            .page(&MESSAGES, &account.owner, page)
            .await?
            .entries;
        let Some(last) = entries.last().map(|entry| entry.id) else {
            if session.state().take_again() {
                after = LogId::MIN;
                continue;
            }
            after = after.max(staged);
            if live(server, session, after) {
                server.release_confirmed(&account);
                let own = session.clone();
                let done = After::Call(Box::new(move |_| own.state().caught_up(catch_up)));
                server.stage_behind_commits(session, vec![done]);
                return Ok(());
            }
            continue;
        };
        hand_out(server, session, entries, begun_micros).await;
        after = last;
    }
}

/// Queues what a session is to get of a page.
async fn hand_out(
    server: &Server,
    session: &Arc<Session>,
    entries: Vec<Entry<StoredMessage>>,
    begun_micros: u64,
) {
    let account = &session.account;
    let blocked = account.blocked();
    let mut chunk = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        if account.confirmed.has(entry.id, session) {
            continue;
        }
        let stanza = for_session(server, session, &entry.payload, entry.id, begun_micros);
        if let Some(stanza) = stanza {
            bytes += stanza.len();
            chunk.push((stanza, entry.id));
        }
        if bytes >= CHUNK_BYTES {
            queue(server, session, &blocked, std::mem::take(&mut chunk)).await;
            session.room(|state| state.has_room_for(PAGE_ENTRIES)).await;
            bytes = 0;
        }
    }
    queue(server, session, &blocked, chunk).await;
}

/// Queues entries once they are durable: what was read may not be yet, and must not reach the client before.
async fn queue(
    server: &Server,
    session: &Arc<Session>,
    blocked: &Arc<BlockList>,
    entries: Vec<(Bytes, LogId)>,
) {
    if entries.is_empty() {
        return;
    }
    let (done, queued) = futures_channel::oneshot::channel();
    let (own, blocked) = (session.clone(), blocked.clone());
    let push = After::Call(Box::new(move |_| {
        // Somebody may have been blocked since the entries were read.
        let is_as_read = Arc::ptr_eq(&blocked, &own.account.blocked());
        for (bytes, id) in entries {
            if is_as_read || !blocking::keeps_away(&own.account, &bytes) {
                own.push_undelivered(bytes, id);
            }
        }
        // Nobody waits where the server stops.
        let _gone = done.send(());
    }));
    server.stage_behind_commits(session, vec![push]);
    let _stopped = queued.await;
}

/// Lets live delivery take over after entry `after`, unless something newer was staged meanwhile, or another session has
/// left something.
fn live(server: &Server, session: &Session, after: LogId) -> bool {
    server.while_nothing_is_staged(|| {
        let mut state = session.state();
        let behind = session.account.last_log() > after || state.is_to_look_again();
        if behind && !state.ended {
            return false;
        }
        state.go_live(after);
        true
    })
}

/// The entry as this session gets it: with the time at which it was received, if that was before
/// `now_micros`. `None` for what another session, which is still here, was sent by its full address.
pub(crate) fn for_session(
    server: &Server,
    session: &Session,
    stored: &StoredMessage,
    id: LogId,
    now_micros: u64,
) -> Option<Bytes> {
    let stanza = stored.read()?;
    if !is_for(server, session, &stanza) {
        return None;
    }
    // What came before its sender was blocked waits until they are not any more.
    let from = stanza.from().and_then(|from| from.parse::<Jid>().ok());
    if from.is_some_and(|from| blocking::is_kept_from(&session.account, &from)) {
        return None;
    }
    if id.0 >= now_micros {
        return Some(stanza.bytes().clone());
    }
    let from = session.account.jid.domain().parse::<Jid>().ok();
    let delay = Delay {
        from,
        stamp: DateTime::from_unix_micros(id.0),
        reason: String::new(),
    };
    Some(
        stanza
            .splice()
            .append(&delay.write().to_bytes(ns::CLIENT))
            .finish(),
    )
}

/// Whether a session may settle a message of its account: not what was sent to another one by its full address, while
/// that is here.
pub(crate) fn is_for(server: &Server, session: &Session, stanza: &Stanza) -> bool {
    let to = stanza.to().and_then(|to| to.parse::<FullJid>().ok());
    to.is_none_or(|to| to == session.jid || server.directory().session(&to).is_none())
}
