//! Items that go: with their node, all at once, or because their time is over.

use waxwing_stanza::StanzaError;
use waxwing_store::limits::ROWS_MAX;
use waxwing_store::{Batch, Direction, Key, KeyRange, Owner, StoreError, Table};

use crate::effects::Effects;
use crate::pubsub::change::Change;
use crate::pubsub::items::count;
use crate::pubsub::links::Done;
use crate::pubsub::node::{self, Node};
use crate::pubsub::service::Service;
use crate::pubsub::stored::{COUNTS, CREATED, DEBRIS, EXPIRING, ITEMS, NAMES, NODES, SHRINKING};
use crate::pubsub::subscriptions;
use crate::server::{Server, unavailable};

/// Rows that are removed in the commit that removes a node or its items; where there are more, the rest goes later.
const REMOVED_AT_ONCE_MAX: u64 = 1_000;

/// Removes all items of a node's generation: in this commit, or, where there are many, little by little after it. Who
/// goes on with the node gives it another generation.
pub(crate) async fn clear(
    server: &Server,
    node: &Node,
    batch: &mut Batch,
) -> Result<Option<Debris>, StanzaError> {
    let count = count(server, node).await?;
    let key = (node.name.clone(), node.stored.generation);
    if count.items <= REMOVED_AT_ONCE_MAX {
        remove_rows(&node.service, &key, batch);
        batch.delete(&COUNTS, &node.service.owner, &key);
        return Ok(None);
    }
    batch.put(&DEBRIS, &node.service.owner, &key, &true);
    Ok(Some(Debris {
        service: node.service.clone(),
        key,
    }))
}

/// Items that belong to nothing any more.
pub(crate) struct Debris {
    service: Service,
    key: (String, u64),
}

fn remove_rows(service: &Service, key: &(String, u64), batch: &mut Batch) {
    let most = usize::try_from(REMOVED_AT_ONCE_MAX).unwrap_or(ROWS_MAX);
    let (owner, key) = (&service.owner, &(key.0.as_str(), key.1));
    batch.delete_range(&ITEMS, owner, &KeyRange::prefix(key), most);
    batch.delete_range(&NAMES, owner, &KeyRange::prefix(key), most);
    batch.delete_range(&CREATED, owner, &KeyRange::prefix(key), most);
}

impl Debris {
    /// Removes all of it, some rows at a time.
    pub(crate) async fn sweep(self, server: &Server) -> Result<(), StoreError> {
        loop {
            let mut batch = Batch::new();
            remove_rows(&self.service, &self.key, &mut batch);
            let changed = server.store().commit(batch).await?.changed;
            if changed.iter().all(|rows| *rows < REMOVED_AT_ONCE_MAX) {
                break;
            }
        }
        let mut batch = Batch::new();
        batch.delete(&COUNTS, &self.service.owner, &self.key);
        batch.delete(&DEBRIS, &self.service.owner, &self.key);
        server.store().commit(batch).await.map(|_| ())
    }
}

/// Removes what is left of removed items, once it is durable that they are removed.
pub(crate) fn sweep_later(debris: Option<Debris>, effects: &mut Effects) {
    let Some(debris) = debris else { return };
    effects.spawn(|server| async move {
        if let Err(error) = debris.sweep(&server).await {
            tracing::warn!(%error, "removed items are still stored; they go later");
        }
    });
}

/// Removes the items that a node keeps no longer, some at a time, once it is durable how many it keeps.
pub(crate) fn shrink_later(node: &Node, effects: &mut Effects) {
    let (service, name) = (node.service.clone(), node.name.clone());
    effects.batch.put(&SHRINKING, &service.owner, &name, &true);
    effects.spawn(|server| async move {
        if let Err(error) = shrink(&server, &service, &name).await {
            tracing::warn!(condition = ?error.condition, "a node has more items than it keeps; they go with what is published next");
        }
    });
}

/// Nodes that are looked at together for items whose time is over.
const NODES_AT_ONCE: usize = 100;

/// Removes items and subscriptions whose time is over.
pub(crate) async fn expire_all(server: &Server) -> Result<(), StanzaError> {
    subscriptions::sweep(server).await?;
    let all = KeyRange::all();
    let mut last = None;
    loop {
        let store = server.store();
        let found = match &last {
            None => store.find(&NODES, &EXPIRING, &all, NODES_AT_ONCE).await,
            Some(last) => {
                let more = store.find_after(&NODES, &EXPIRING, &all, last, NODES_AT_ONCE);
                more.await
            }
        };
        let mut found = found.map_err(|error| unavailable(&error))?;
        for one in &found {
            if let Some(service) = Service::of_owner(&one.owner) {
                shrink(server, &service, &one.key).await?;
            }
        }
        last = found.pop();
        if last.is_none() {
            break;
        }
    }
    shrink_all(server).await
}

/// A walk through what is left to be done at services, which the rows of a table name.
pub(super) struct Left<'a, K: 'static, V: 'static> {
    server: &'a Server,
    table: &'static Table<K, V>,
    after: Option<Owner>,
}

impl<'a, K, V> Left<'a, K, V>
where
    K: Key + Send + 'static,
    V: prost::Message + Default + 'static,
{
    pub(super) fn of(server: &'a Server, table: &'static Table<K, V>) -> Left<'a, K, V> {
        Left {
            server,
            table,
            after: None,
        }
    }

    /// What is left at the next service; nothing where that was the last one.
    pub(super) async fn next(&mut self) -> Result<Option<(Service, Vec<K>)>, StoreError> {
        let store = self.server.store();
        loop {
            let owners = store.owners(self.table, self.after.as_ref(), 1).await?;
            let Some(owner) = owners.into_iter().next() else {
                return Ok(None);
            };
            if let Some(service) = Service::of_owner(&owner) {
                let all = KeyRange::all();
                let rows = store.scan(self.table, &owner, &all, Direction::Forward, ROWS_MAX);
                let keys = rows.await?.into_iter().map(|(key, _)| key).collect();
                self.after = Some(owner);
                return Ok(Some((service, keys)));
            }
            self.after = Some(owner);
        }
    }
}

/// Goes on with what an earlier run of the server was about to remove.
async fn shrink_all(server: &Server) -> Result<(), StanzaError> {
    let mut left = Left::of(server, &SHRINKING);
    while let Some((service, names)) = left.next().await.map_err(|error| unavailable(&error))? {
        for name in names {
            shrink(server, &service, &name).await?;
        }
    }
    Ok(())
}

/// Removes what a node keeps no longer.
async fn shrink(server: &Server, service: &Service, name: &str) -> Result<(), StanzaError> {
    while shrink_some(server, service, name).await? > 0 {}
    let mut batch = Batch::new();
    batch.delete(&SHRINKING, &service.owner, name);
    let done = server.store().commit(batch).await;
    done.map(|_| ()).map_err(|error| unavailable(&error))
}

/// Removes some of it, and says how many; nobody is told, but what is linked to the node follows.
async fn shrink_some(server: &Server, service: &Service, name: &str) -> Result<usize, StanzaError> {
    let turn = server.node_turn(&service.jid, name).await;
    let Some(node) = node::find(server, service, name).await? else {
        return Ok(0);
    };
    let mut change = Change::of_creator(server, &node, turn);
    let removed = change.shrink(&node).await?;
    if removed > 0 {
        let effects = change.done(&node, &Done::Shrunk).await?;
        let carried = server.carry_out(effects).await;
        carried.map_err(|error| unavailable(&error))?;
    }
    Ok(removed)
}

/// Removes what was left by an earlier run of the server, or by a disk that was full.
pub(crate) async fn sweep_all(server: &Server) -> Result<(), StoreError> {
    let mut left = Left::of(server, &DEBRIS);
    while let Some((service, keys)) = left.next().await? {
        for key in keys {
            let service = service.clone();
            Debris { service, key }.sweep(server).await?;
        }
    }
    Ok(())
}
