//! When notifications are sent: one task for each account that has any, which ends when nothing is left; and one for each
//! notification that is on its way.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::select;
use waxwing_stanza::{Jid, MessageType};
use waxwing_store::{LogId, StoreError};
use waxwing_wire::{Stanza, ns};

use super::due::{About, Due, Next};
use super::publish::{Failed, publish};
use super::stored::{self, StoredPush};
use super::{ERRORS_MAX, REVEALS};
use crate::blocking;
use crate::directory::Account;
use crate::hooks::Received;
use crate::keep;
use crate::metrics::Pushed;
use crate::server::{Server, read_again};

/// How long messages are gathered for one notification.
const GATHER_MICROS: u64 = 1_000_000;
/// Time to the next attempt after a failure; it doubles with each.
const RETRY_SECS: u64 = 30;
/// Longest time to the next attempt, whatever a push service asks for.
const RETRY_SECS_MAX: u64 = 3_600;
/// How exact it is when a service last worked: so seldom it is written.
const SUCCEEDED_SECS: u64 = 3_600;
/// Most characters of a message that are revealed.
const BODY_CHARS_MAX: usize = 500;

/// A message was delivered to an account, or waits for it.
pub(crate) fn received(server: &Server, received: &Received<'_>) {
    let delivery = received.delivery;
    let Some(id) = delivery.id.filter(|_| delivery.fate.pushed) else {
        return;
    };
    let account = &delivery.account;
    if account.is_guest() || account.pushing.is_idle() {
        return;
    }
    let from = delivery.stanza.from();
    let from = from.and_then(|from| from.parse::<Jid>().ok());
    // What somebody sent who was blocked since waits, and wakes nobody.
    if from.is_some_and(|from| blocking::is_kept_from(account, &from)) {
        return;
    }
    let newest = about(server, account, &delivery.stanza);
    note(server, account, vec![id], newest);
}

/// What a session had on its way to its client, and the log holds, when it lost its stream.
pub(crate) fn left(server: &Server, account: &Arc<Account>, unsettled: &[(LogId, Bytes)]) {
    if unsettled.is_empty() || account.is_guest() || account.pushing.is_idle() {
        return;
    }
    let mut ids = Vec::new();
    let mut newest = About::default();
    for (id, bytes) in unsettled {
        let Ok(stanza) = read_again(bytes.clone()) else {
            continue;
        };
        if keep::decide(MessageType::of(&stanza), &stanza).pushed {
            ids.push(*id);
            newest = about(server, account, &stanza);
        }
    }
    if !ids.is_empty() {
        note(server, account, ids, newest);
    }
}

/// As much of a message as may be revealed. A copy says nothing of who sent what it is of.
fn about(server: &Server, account: &Account, stanza: &Stanza) -> About {
    let options = server.options();
    let reveals = options.text(&REVEALS);
    if !matches!(reveals, "sender" | "body") {
        return About::default();
    }
    let sender = stanza.from().map(std::borrow::Cow::into_owned);
    let sender = sender.filter(|from| *from != account.jid.as_str());
    let body = stanza
        .child(ns::CLIENT, "body")
        .filter(|_| reveals == "body");
    let body = body.map(|body| body.element().text());
    About {
        sender,
        body: body.map(|body| body.chars().take(BODY_CHARS_MAX).collect()),
    }
}

fn note(server: &Server, account: &Arc<Account>, ids: Vec<LogId>, about: About) {
    if account.pushing.note(ids, about) {
        begin(server, account);
    }
}

fn begin(server: &Server, account: &Arc<Account>) {
    let tasks = server.outside().tasks.clone();
    tasks.spawn(run(server.clone(), account.clone()).boxed());
}

async fn run(server: Server, account: Arc<Account>) {
    let sleep = |at| server.outside().clock.sleep_until(at);
    loop {
        sleep(server.steady_micros() + GATHER_MICROS).await;
        if account.is_removed() || server.stopping() {
            return account.pushing.give_up();
        }
        if let Err(error) = round(&server, &account).await {
            tracing::error!(%error, "who is to be notified could not be read");
            return account.pushing.give_up();
        }
        match account.pushing.next(server.steady_micros()) {
            Some(Next::Soon) => {}
            Some(Next::Later(at, woken)) => drop(select(sleep(at), woken).await),
            None => return,
        }
    }
}

/// Sends everything that is due, each notification by itself: one that hangs holds up no other.
async fn round(server: &Server, account: &Arc<Account>) -> Result<(), StoreError> {
    let withdrawals = server.withdrawals();
    if let Some(changes) = account.pushing.is_to_read(withdrawals) {
        let services = stored::load(server, account).await?;
        account.pushing.read(services, changes);
    }
    let is_awake = |push: &StoredPush| has_awake(account, push);
    for due in account.pushing.take(server.steady_micros(), is_awake) {
        let (server, account) = (server.clone(), account.clone());
        let tasks = server.outside().tasks.clone();
        tasks.spawn(async move { send(&server, &account, &due).await }.boxed());
    }
    Ok(())
}

/// Whether the device that asked for notifications is looked at.
fn has_awake(account: &Account, push: &StoredPush) -> bool {
    let sessions = account.sessions();
    let is_its = |device: Option<&str>, resource: &str| match &push.device {
        Some(asked) => device == Some(asked.as_str()),
        None => resource == push.resource,
    };
    sessions.iter().any(|session| {
        let is_its = {
            let state = session.state();
            let device = state.agent.as_ref().map(|agent| agent.id());
            is_its(device, session.jid.resource())
        };
        is_its && session.is_awake()
    })
}

async fn send(server: &Server, account: &Arc<Account>, due: &Due) {
    let sent = publish(server, account, due).await;
    let (noted, is_to_begin) = match sent {
        Ok(()) => arrived(server, account, due).await,
        Err(failed) => missed(server, account, due, &failed).await,
    };
    if let Err(error) = noted {
        tracing::warn!(%error, "how a notification went could not be stored");
    }
    if is_to_begin {
        begin(server, account);
    }
}

/// What could be stored, and whether somebody has to begin the rounds.
type Noted = (Result<(), StoreError>, bool);

async fn arrived(server: &Server, account: &Account, due: &Due) -> Noted {
    server.metrics().pushed(Pushed::Arrived);
    let now_secs = server.now_micros() / 1_000_000;
    let noted = stored::note(server, account, &due.place, &due.stored, |push| {
        let is_old = now_secs >= push.succeeded_secs.saturating_add(SUCCEEDED_SECS);
        if push.errors > 0 || is_old {
            push.succeeded_secs = now_secs;
            push.errors = 0;
        }
    });
    (noted.await, account.pushing.arrived(due))
}

async fn missed(server: &Server, account: &Account, due: &Due, failed: &Failed) -> Noted {
    let again = |errors| server.steady_micros() + wait_secs(failed, errors) * 1_000_000;
    if failed.is_ours() {
        server.metrics().pushed(Pushed::Failed);
        let again = failed.passes().then(|| again(1));
        return (Ok(()), account.pushing.failed(due, again));
    }
    let most = server.options().number(&ERRORS_MAX);
    let errors = due.stored.errors.saturating_add(1);
    let is_dead = failed.is_final() || u64::from(errors) >= most;
    server.metrics().pushed(match is_dead {
        true => Pushed::Dropped,
        false => Pushed::Failed,
    });
    let now_secs = server.now_micros() / 1_000_000;
    let noted = stored::note(server, account, &due.place, &due.stored, |push| {
        push.errors = errors;
        push.failed_secs = now_secs;
        push.reason = failed.word().to_owned();
        push.is_dead = is_dead;
    });
    let noted = noted.await;
    let again = again(errors);
    (
        noted,
        account.pushing.failed(due, (!is_dead).then_some(again)),
    )
}

/// How long is waited after so many failures in a row.
fn wait_secs(failed: &Failed, errors: u32) -> u64 {
    let doubled = RETRY_SECS << errors.saturating_sub(1).min(16);
    doubled
        .max(failed.retry_after_secs().unwrap_or(0))
        .min(RETRY_SECS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rare() {
        let late = Failed::Late;
        let waits: Vec<u64> = (1..=9).map(|errors| wait_secs(&late, errors)).collect();
        assert_eq!(waits[..4], [30, 60, 120, 240]);
        assert_eq!(waits[8], RETRY_SECS_MAX);
        assert_eq!(wait_secs(&late, u32::MAX), RETRY_SECS_MAX);
        let asked = |secs| Failed::Status {
            status: 429,
            retry_after_secs: Some(secs),
        };
        assert_eq!(wait_secs(&asked(100), 1), 100);
        assert_eq!(wait_secs(&asked(1), 1), 30);
        assert_eq!(wait_secs(&asked(u64::MAX), 1), RETRY_SECS_MAX);
    }
}
