//! What ends when somebody goes: subscriptions for as long as the subscriber is there (XEP-0060 §12.3), items of nodes that
//! are emptied when their publisher goes (`pubsub#purge_offline`), and, with an account, what it has at other services.

use futures_util::FutureExt;
use waxwing_stanza::xep::xep_0060_pubsub::Affiliation;
use waxwing_stanza::{BareJid, Jid, StanzaError};
use waxwing_store::limits::ROWS_MAX;
use waxwing_store::{Batch, Direction, KeyRange, Owner};

use crate::directory::Account;
use crate::effects::Effects;
use crate::pubsub::change::Change;
use crate::pubsub::node_options::purge_offline;
use crate::pubsub::owner::{delete, purge};
use crate::pubsub::service::Service;
use crate::pubsub::stored::{
    AFFILIATIONS, BY_AFFILIATE, BY_FORMER_OWNER, BY_PUBLISHER, BY_SUBSCRIBER, BY_TEMPORARY, GONE,
    LEFT, NODES, SUBSCRIPTIONS,
};
use crate::pubsub::{affiliations, items, node};
use crate::server::{Server, unavailable};

/// Rows that are read at a time.
const STEP: usize = 500;

/// An account may have fewer sessions that are available.
pub(crate) fn departed(server: &Server, account: &Account) {
    let jid = account.jid.clone();
    later(server, move |server| async move {
        let only = Some(jid.as_str());
        temporary(&server, only).await?;
        purged(&server, only).await
    });
}

/// The server has just started: nobody is here who was when it stopped.
pub(crate) async fn everybody(server: &Server) -> Result<(), StanzaError> {
    temporary(server, None).await?;
    purged(server, None).await?;
    let left = server.store().scan(
        &LEFT,
        &Owner::server(),
        &KeyRange::all(),
        Direction::Forward,
        ROWS_MAX,
    );
    for (account, _) in left.await.map_err(|error| unavailable(&error))? {
        if let Ok(account) = account.parse() {
            removed_later(server, account);
        }
    }
    Ok(())
}

fn later<F>(server: &Server, work: impl FnOnce(Server) -> F)
where
    F: Future<Output = Result<(), StanzaError>> + Send + 'static,
{
    let work = work(server.clone());
    let work = async move {
        if let Err(error) = work.await {
            tracing::warn!(condition = ?error.condition, "what ends when somebody goes is left");
        }
    };
    server.outside().tasks.spawn(work.boxed());
}

fn of(account: Option<&str>) -> KeyRange<String> {
    account.map_or_else(KeyRange::all, KeyRange::exactly)
}

/// Whether nobody is available at an address.
fn is_gone(server: &Server, jid: &Jid) -> bool {
    let account = server.directory().known(&jid.bare());
    let mut available = account.iter().flat_map(|account| account.available());
    match jid.full() {
        Some(full) => !available.any(|(_, session)| session.jid == full),
        None => available.next().is_none(),
    }
}

/// Ends subscriptions whose subscribers are not there.
async fn temporary(server: &Server, account: Option<&str>) -> Result<(), StanzaError> {
    let (store, range) = (server.store(), of(account));
    let rows = store.find(&SUBSCRIPTIONS, &BY_TEMPORARY, &range, STEP);
    let mut rows = rows.await.map_err(|error| unavailable(&error))?;
    while let Some(last) = rows.pop() {
        let next = store.find_after(&SUBSCRIPTIONS, &BY_TEMPORARY, &range, &last, STEP);
        for row in rows.into_iter().chain([last]) {
            let (Some(service), Ok(jid)) = (Service::of_owner(&row.owner), row.key.1.parse())
            else {
                continue;
            };
            // Who subscribes once more while it is there waits for its turn.
            let _turn = server.node_turn(&service.jid, &row.key.0).await;
            if is_gone(server, &jid) {
                let mut batch = Batch::new();
                batch.delete(&SUBSCRIPTIONS, &row.owner, &row.key);
                let done = store.commit(batch).await;
                done.map_err(|error| unavailable(&error))?;
            }
        }
        rows = next.await.map_err(|error| unavailable(&error))?;
    }
    Ok(())
}

/// Empties nodes whose publishers are not there.
async fn purged(server: &Server, account: Option<&str>) -> Result<(), StanzaError> {
    let (store, range) = (server.store(), of(account));
    let rows = store.find(&NODES, &BY_PUBLISHER, &range, STEP);
    let mut rows = rows.await.map_err(|error| unavailable(&error))?;
    while let Some(last) = rows.pop() {
        let next = store.find_after(&NODES, &BY_PUBLISHER, &range, &last, STEP);
        for row in rows.into_iter().chain([last]) {
            let Some(service) = Service::of_owner(&row.owner) else {
                continue;
            };
            if let Ok(publisher) = row.value.creator.parse::<Jid>()
                && is_gone(server, &publisher)
            {
                purge(server, &service, &row.key).await?;
            }
        }
        rows = next.await.map_err(|error| unavailable(&error))?;
    }
    Ok(())
}

/// As an owner purges a node (§8.5).
async fn purge(server: &Server, service: &Service, name: &str) -> Result<(), StanzaError> {
    let turn = server.node_turn(&service.jid, name).await;
    let Some(node) = node::find(server, service, name).await? else {
        return Ok(());
    };
    if !node.is(&purge_offline::FIELD) || items::count(server, &node).await?.items == 0 {
        return Ok(());
    }
    let change = Change::of_creator(server, &node, turn);
    let done = server.carry_out(purge::purged(change, &node).await?).await;
    done.map_err(|error| unavailable(&error))
}

/// An account is removed: its subscriptions and affiliations go with it, those beyond some after it.
pub(crate) async fn removed(
    server: &Server,
    account: &BareJid,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let is_left = remove_some(server, account, &mut effects.batch).await?;
    if is_left {
        let owner = Owner::server();
        effects.batch.put(&LEFT, &owner, account.as_ref(), &true);
    }
    let jid = account.clone();
    effects.call(move |server| removed_later(server, jid));
    Ok(())
}

/// The same for an account that is gone already, and for what it did at the very end.
pub(crate) fn removed_later(server: &Server, account: BareJid) {
    later(server, move |server| async move {
        loop {
            let mut batch = Batch::new();
            let is_left = remove_some(&server, &account, &mut batch).await?;
            if batch.is_empty() && !is_left {
                break;
            }
            let done = server.store().commit(batch).await;
            done.map_err(|error| unavailable(&error))?;
            if is_left {
                disown(&server, &account).await?;
            }
        }
        let mut batch = Batch::new();
        batch.delete(&LEFT, &Owner::server(), account.as_ref());
        let done = server.store().commit(batch).await;
        done.map(|_| ()).map_err(|error| unavailable(&error))
    });
}

/// What the account owned at services of others has one owner less, or, where that was the only one, is no more.
async fn disown(server: &Server, account: &BareJid) -> Result<(), StanzaError> {
    let (store, range) = (server.store(), KeyRange::prefix(&(account.as_ref(),)));
    let rows = store.find(&AFFILIATIONS, &BY_AFFILIATE, &range, STEP);
    for row in rows.await.map_err(|error| unavailable(&error))? {
        let Some(service) = Service::of_owner(&row.owner) else {
            continue;
        };
        let name = &row.key.0;
        let turn = server.node_turn(&service.jid, name).await;
        let mut change = Change::new(server, service.clone(), account.clone(), turn);
        change
            .effects()
            .batch
            .delete(&AFFILIATIONS, &row.owner, &row.key);
        let node = node::find(server, &service, name).await?;
        let effects = match node {
            Some(node) if affiliations::owners(server, &node).await? == [account.clone()] => {
                delete::removed(change, &node, None).await?
            }
            _ => change.into_effects(),
        };
        let done = server.carry_out(effects).await;
        done.map_err(|error| unavailable(&error))?;
    }
    Ok(())
}

/// Removes some of what an account has, and says whether it owns a node still, which takes the node's turn.
async fn remove_some(
    server: &Server,
    account: &BareJid,
    batch: &mut Batch,
) -> Result<bool, StanzaError> {
    let (store, range) = (server.store(), KeyRange::prefix(&(account.as_ref(),)));
    let rows = store.find(&SUBSCRIPTIONS, &BY_SUBSCRIBER, &range, STEP);
    for row in rows.await.map_err(|error| unavailable(&error))? {
        batch.delete(&SUBSCRIPTIONS, &row.owner, &row.key);
    }
    let rows = store.find(&GONE, &BY_FORMER_OWNER, &range, STEP);
    for row in rows.await.map_err(|error| unavailable(&error))? {
        batch.delete(&GONE, &row.owner, &row.key);
    }
    let rows = store.find(&AFFILIATIONS, &BY_AFFILIATE, &range, STEP);
    let mut is_left = false;
    for row in rows.await.map_err(|error| unavailable(&error))? {
        match row.value.affiliation == Affiliation::Owner.as_str() {
            true => is_left = true,
            false => batch.delete(&AFFILIATIONS, &row.owner, &row.key),
        }
    }
    Ok(is_left)
}
