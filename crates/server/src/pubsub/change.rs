//! A change to nodes of one service: what is written and who is told, in one commit; and what features make of it.
//!
//! A request changes one node, and says so by [`Change::done`]. Features that are linked to the node ([`super::links`])
//! then change others beside it, in the same commit; what they change is told to subscribers and linked to nothing.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};
use waxwing_stanza::xep::xep_0060_pubsub::request::Item;
use waxwing_stanza::{BareJid, Condition, StanzaError};
use waxwing_wire::Element;

use crate::effects::{Effects, Turn};
use crate::pubsub::fields::Settings;
use crate::pubsub::links::{Done, NodeHook};
use crate::pubsub::node::{self, Node};
use crate::pubsub::node_options::{
    deliver_payloads, max_items, notify_retract, persist_items, publish_node_full,
};
use crate::pubsub::notify::{self, Audience, Notice};
use crate::pubsub::service::Service;
use crate::pubsub::stored::{Count, Numbers, StoredItem};
use crate::pubsub::{items, limits, profile};
use crate::server::Server;

/// What becomes of some nodes.
pub(crate) struct Change {
    server: Server,
    service: Service,
    who: BareJid,
    effects: Effects,
    touched: BTreeMap<String, Touched>,
    /// Whether nodes are changed because of something else that is changed.
    carries: bool,
}

/// What becomes of one node.
#[derive(Default)]
struct Touched {
    /// The node, where it is new.
    made: Option<Node>,
    /// How many items there are now.
    count: Option<Count>,
    /// Items that are there now, and were not there so before.
    put: Vec<StoredItem>,
    /// Their numbers.
    numbers: BTreeMap<String, Numbers>,
    /// Names of items that are not there any more.
    gone: BTreeSet<String>,
    /// Whether none of those before is there any more.
    emptied: bool,
}

impl Touched {
    /// Whether an item of this name is another now, or is not there any more.
    fn has_changed(&self, id: &str) -> bool {
        self.gone.contains(id) || self.put.iter().any(|put| put.id == id)
    }
}

impl Change {
    /// Of somebody, who has the turn of the nodes.
    pub(crate) fn new(server: &Server, service: Service, who: BareJid, turn: Turn) -> Change {
        let mut effects = Effects::none();
        effects.exclusive = Some(turn);
        service.require(&mut effects.batch);
        Change {
            server: server.clone(),
            service,
            who,
            effects,
            touched: BTreeMap::new(),
            carries: false,
        }
    }

    /// Of an account at a node of its own, and those that are linked to it. The caller that needs the account's turn, too,
    /// has it already.
    pub(crate) async fn of_account(server: &Server, account: &BareJid, node: &str) -> Change {
        let turn = server.node_turn(account, node).await;
        Change::new(server, Service::of_account(account), account.clone(), turn)
    }

    /// What the server does by itself at a node: as if it were who made it.
    pub(crate) fn of_creator(server: &Server, node: &Node, turn: Turn) -> Change {
        let who = node.stored.creator.parse::<BareJid>();
        let who = who.unwrap_or_else(|_| node.service.jid.clone());
        Change::new(server, node.service.clone(), who, turn)
    }

    /// The server.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Whose nodes they are.
    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    /// Who changes them.
    pub(crate) fn who(&self) -> &BareJid {
        &self.who
    }

    /// From now on, nodes are changed because of something that was changed elsewhere: no condition of theirs refuses that.
    pub(crate) fn carry(&mut self) {
        self.carries = true;
    }

    /// What is written and told.
    pub(crate) fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    /// The whole, where no feature has anything to do with it.
    pub(crate) fn into_effects(self) -> Effects {
        self.effects
    }

    /// The whole, once the features that are linked to the node have added to it.
    pub(crate) async fn done(mut self, node: &Node, done: &Done) -> Result<Effects, StanzaError> {
        self.follow(node, done).await?;
        Ok(self.effects)
    }

    /// The features that are linked to the node add to it.
    pub(crate) async fn follow(&mut self, node: &Node, done: &Done) -> Result<(), StanzaError> {
        let registry = self.server.registry();
        let hooks: Vec<NodeHook> = registry.hooks_of(&node.service, &node.name).collect();
        let carried = std::mem::replace(&mut self.carries, true);
        for hook in hooks {
            hook(self, node, done).await?;
        }
        self.carries = carried;
        Ok(())
    }

    fn touched(&mut self, node: &Node) -> &mut Touched {
        self.touched.entry(node.name.clone()).or_default()
    }

    /// Makes a node.
    pub(crate) fn make(&mut self, node: &Node) {
        node.create(&mut self.effects.batch);
        self.touched(node).made = Some(node.clone());
    }

    /// The node of this name, if there is one.
    pub(crate) async fn find(&mut self, name: &str) -> Result<Option<Node>, StanzaError> {
        if let Some(made) = self.touched.get(name).and_then(|one| one.made.clone()) {
            return Ok(Some(made));
        }
        node::find(&self.server, &self.service, name).await
    }

    /// The node of this name; where there is none, one with what its purpose asks for and these settings is made.
    pub(crate) async fn find_or_make(
        &mut self,
        name: &str,
        given: Settings,
    ) -> Result<Node, StanzaError> {
        if let Some(node) = self.find(name).await? {
            return Ok(node);
        }
        let node = plan(&self.server, &self.service, &self.who, name, given).await?;
        self.make(&node);
        Ok(node)
    }

    /// The items of a node, the oldest first, as they are with this change: as many as have no more bytes than this.
    pub(crate) async fn items(
        &mut self,
        node: &Node,
        bytes_max: usize,
    ) -> Result<Vec<StoredItem>, StanzaError> {
        let touched = self.touched(node);
        let mut found = Vec::new();
        let mut bytes: usize = touched.put.iter().map(|item| item.payload.len()).sum();
        let mut from = (!touched.emptied).then_some(0);
        while let Some(after) = from.take() {
            let (read, last) = items::following(&self.server, node, after).await?;
            let touched = self.touched(node);
            for item in read {
                bytes = bytes.saturating_add(item.payload.len());
                if bytes > bytes_max {
                    break;
                }
                if !touched.has_changed(&item.id) {
                    found.push(item);
                }
            }
            from = last.filter(|_| bytes <= bytes_max);
        }
        found.extend(self.touched(node).put.iter().cloned());
        Ok(found)
    }

    /// The newest item of a node, as it is with this change.
    pub(crate) async fn newest(&mut self, node: &Node) -> Result<Option<StoredItem>, StanzaError> {
        if !node.is(&persist_items::FIELD) {
            return Ok(None);
        }
        let server = self.server.clone();
        let touched = self.touched(node);
        if touched.emptied || !touched.put.is_empty() {
            return Ok(touched.put.last().cloned());
        }
        let is_there = |item: &StoredItem| !touched.gone.contains(&item.id);
        let last = items::last(&server, node).await?;
        let newest = match last.as_ref().is_none_or(is_there) {
            true => last,
            // It is among those behind as many as are gone.
            false => {
                let latest = items::latest(&server, node, touched.gone.len() + 1).await?;
                latest.into_iter().find(is_there)
            }
        };
        Ok(newest.filter(|item| !items::is_expired(&server, node, item)))
    }

    /// The item of this name, as it is with this change.
    pub(crate) async fn named(
        &mut self,
        node: &Node,
        id: &str,
    ) -> Result<Option<StoredItem>, StanzaError> {
        if !node.is(&persist_items::FIELD) {
            return Ok(None);
        }
        let server = self.server.clone();
        let touched = self.touched(node);
        if let Some(put) = touched.put.iter().find(|put| put.id == id) {
            return Ok(Some(put.clone()));
        }
        if touched.emptied || touched.gone.contains(id) {
            return Ok(None);
        }
        let found = items::named(&server, node, id).await?;
        Ok(found.map(|(_, item)| item))
    }

    /// The numbers of the item of this name, as they are with this change.
    async fn numbers(&mut self, node: &Node, id: &str) -> Result<Option<Numbers>, StanzaError> {
        let server = self.server.clone();
        let touched = self.touched(node);
        if let Some(numbers) = touched.numbers.get(id) {
            return Ok(Some(*numbers));
        }
        match touched.emptied || touched.gone.contains(id) {
            true => Ok(None),
            false => items::numbers(&server, node, id).await,
        }
    }

    /// How many items a node has with this change.
    pub(crate) async fn count(&mut self, node: &Node) -> Result<Count, StanzaError> {
        match self.touched(node).count {
            Some(count) => Ok(count),
            None => items::count(&self.server, node).await,
        }
    }

    /// Publishes an item that the node takes. Returns its name.
    pub(crate) async fn publish(
        &mut self,
        node: &Node,
        item: &Item,
    ) -> Result<String, StanzaError> {
        let given = item.id.as_deref().filter(|id| !id.is_empty());
        let payload = item.payload.first();
        let stored = StoredItem {
            id: given.map_or_else(|| self.server.outside().token::<12>(), str::to_owned),
            publisher: self.who.to_string(),
            payload: payload.map_or_else(Bytes::new, |payload| payload.to_bytes("")),
            published_micros: self.server.now_micros(),
        };
        let id = stored.id.clone();
        let retracted = match node.is(&persist_items::FIELD) {
            true => self.keep(node, stored).await?,
            false => Vec::new(),
        };
        self.tell_published(node, Some((&id, payload))).await?;
        if !retracted.is_empty() {
            self.tell_retracted(node, &retracted).await?;
        }
        Ok(id)
    }

    /// Writes an item. Returns the names of those that had to make room, of which subscribers are told.
    async fn keep(&mut self, node: &Node, stored: StoredItem) -> Result<Vec<String>, StanzaError> {
        let before = self.numbers(node, &stored.id).await?;
        let count = self.count(node).await?;
        let is_one_more = u64::from(before.is_none());
        let room = limits::items(&self.server, node).saturating_sub(is_one_more);
        let surplus = count.items.saturating_sub(room);
        let is_full = surplus > 0 && is_one_more > 0 && !self.carries;
        if is_full && node.text(&publish_node_full::FIELD) == "reject" {
            return Err(Fault::NodeFull.error());
        }
        let (count, numbers) = items::put(node, &stored, before, count, &mut self.effects.batch);
        let touched = self.touched(node);
        touched.count = Some(count);
        touched.gone.remove(&stored.id);
        touched.put.retain(|put| put.id != stored.id);
        touched.numbers.insert(stored.id.clone(), numbers);
        touched.put.push(stored);
        match surplus {
            0 => Ok(Vec::new()),
            surplus => self.make_room(node, surplus).await,
        }
    }

    /// Removes some of the oldest items: those whose time is over, or that are more than the node keeps. Nobody is told.
    /// Says how many; more than none may have left more of them.
    pub(crate) async fn shrink(&mut self, node: &Node) -> Result<usize, StanzaError> {
        let server = self.server.clone();
        let is_over = |item: &StoredItem| items::is_expired(&server, node, item);
        let over = self.remove_oldest(node, u64::MAX, is_over).await?;
        let count = self.count(node).await?.items;
        let surplus = count.saturating_sub(limits::items(&self.server, node));
        let surplus = self.remove_oldest(node, surplus, |_| true).await?;
        Ok(over.len() + surplus.len())
    }

    /// Removes the oldest items (§7.1.2.6), and says which ones are to be told of.
    async fn make_room(&mut self, node: &Node, surplus: u64) -> Result<Vec<String>, StanzaError> {
        let removed = self.remove_oldest(node, surplus, |_| true).await?;
        // A node of one item says all with the new one.
        let is_one = node.number(&max_items::FIELD) == Some(1);
        // One that refuses what is too much gets here where something is carried to it.
        let full = node.text(&publish_node_full::FIELD);
        let is_told =
            ["retract-oldest", "reject"].contains(&full) && node.is(&notify_retract::FIELD);
        Ok(match is_told && !is_one {
            true => removed,
            false => Vec::new(),
        })
    }

    /// Removes the oldest items, so many of them at most, and only as long as they are such. Returns their names.
    async fn remove_oldest(
        &mut self,
        node: &Node,
        wanted: u64,
        is_such: impl Fn(&StoredItem) -> bool,
    ) -> Result<Vec<String>, StanzaError> {
        let most = limits::REMOVED_AT_ONCE_MAX.min(usize::try_from(wanted).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(Vec::new());
        }
        let gone = self.touched(node).gone.len();
        // Those that this change has put stand behind.
        let old = items::oldest(&self.server, node, most + gone).await?;
        let touched = self.touched(node);
        let is_there = |item: &StoredItem| !touched.has_changed(&item.id);
        let old = old
            .into_iter()
            .filter(is_there)
            .take_while(is_such)
            .map(|item| item.id);
        let old: Vec<String> = old.take(most).collect();
        let mut removed = Vec::new();
        for id in old {
            let Some(numbers) = items::numbers(&self.server, node, &id).await? else {
                continue;
            };
            self.remove(node, &id, numbers).await?;
            removed.push(id);
        }
        Ok(removed)
    }

    /// Removes an item. Nobody is told.
    pub(crate) async fn remove(
        &mut self,
        node: &Node,
        id: &str,
        numbers: Numbers,
    ) -> Result<(), StanzaError> {
        let count = self.count(node).await?;
        let count = items::remove(node, id, numbers, count, &mut self.effects.batch);
        let touched = self.touched(node);
        touched.count = Some(count);
        touched.put.retain(|put| put.id != id);
        touched.numbers.remove(id);
        touched.gone.insert(id.to_owned());
        Ok(())
    }

    /// Removes an item if it is there, and tells subscribers.
    pub(crate) async fn retract(&mut self, node: &Node, id: &str) -> Result<(), StanzaError> {
        let Some(numbers) = self.numbers(node, id).await? else {
            return Ok(());
        };
        self.remove(node, id, numbers).await?;
        self.tell_retracted(node, &[id.to_owned()]).await
    }

    /// Names of items that this change has removed one by one.
    pub(crate) fn gone(&mut self, node: &Node) -> Vec<String> {
        self.touched(node).gone.iter().cloned().collect()
    }

    /// Notes that no item of a node is there any more; who empties it writes that and tells it.
    pub(crate) fn emptied(&mut self, node: &Node) {
        self.touched(node).emptied = true;
    }

    /// Tells subscribers of an item, or only that something has happened.
    pub(crate) async fn tell_published(
        &mut self,
        node: &Node,
        published: Option<(&str, Option<&Element>)>,
    ) -> Result<(), StanzaError> {
        let tells = node.is(&deliver_payloads::FIELD);
        let item = published.map(|(id, payload)| event::Item {
            id: Some(id.to_owned()),
            publisher: node.publisher(self.who.as_ref()),
            payload: payload.filter(|_| tells).cloned().into_iter().collect(),
        });
        let event = Event::of(event::Items {
            node: node.name.clone(),
            items: item.into_iter().collect(),
            retracted: Vec::new(),
        });
        self.tell(node, &event).await
    }

    /// Tells subscribers that items are gone.
    pub(crate) async fn tell_retracted(
        &mut self,
        node: &Node,
        names: &[String],
    ) -> Result<(), StanzaError> {
        let retracted = names.iter().map(|id| event::Retract { id: id.clone() });
        let event = Event::of(event::Items {
            node: node.name.clone(),
            items: Vec::new(),
            retracted: retracted.collect(),
        });
        self.tell(node, &event).await
    }

    /// Tells subscribers what happened.
    pub(crate) async fn tell(&mut self, node: &Node, event: &Event) -> Result<(), StanzaError> {
        let notice = Notice::of(&self.server, node, event)?;
        let audience = Audience::of(&self.server, node).await?;
        notify::tell(&self.server, node, notice, audience, &mut self.effects).await
    }
}

/// A node of this name with what its purpose asks for and these settings, if there is room for one more.
pub(crate) async fn plan(
    server: &Server,
    service: &Service,
    who: &BareJid,
    name: &str,
    given: Settings,
) -> Result<Node, StanzaError> {
    // A domain's own is under no quota.
    match server.registry().is_reserved(service, name) {
        true if who.node().is_some() => {
            return Err(StanzaError::from(Condition::NotAllowed)
                .with_text("only the domain itself has this node"));
        }
        true => {}
        false => limits::check_nodes(server, service, who).await?,
    }
    let mut settings = profile::defaults(server.registry(), service.kind, name);
    settings.merge(given);
    limits::check_settings(service.kind, &settings)?;
    Ok(Node::new(server, service, name, who, settings))
}
