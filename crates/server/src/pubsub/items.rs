//! The items of a node: an ordered set of names, each with what was published under it last (XEP-0060 §12.1).

use waxwing_stanza::xep::xep_0059_rsm::{First, ResultSet};
use waxwing_stanza::xep::xep_0413_order_by::{Order, OrderField};
use waxwing_stanza::{Condition, StanzaError};
use waxwing_store::limits::ROWS_MAX;
use waxwing_store::{Batch, Direction, KeyRange};

use crate::pubsub::node::Node;
use crate::pubsub::stored::{COUNTS, CREATED, Count, ITEMS, NAMES, Numbers, StoredItem};
use crate::server::{Server, unavailable};

/// Bytes of payloads after which an answer has no more items.
pub(crate) const PAGE_BYTES_MAX: usize = 192 * 1024;

/// What is written around the names of one thing in a list.
const LISTED_AROUND_BYTES: usize = 64;

/// Most bytes that one thing of these names takes in a list.
pub(crate) fn listed_bytes(names: &[&str]) -> usize {
    // A character may be written as six.
    let names: usize = names.iter().map(|name| 6 * name.len()).sum();
    names + LISTED_AROUND_BYTES
}

/// Most items of an answer.
pub(crate) const PAGE_ITEMS_MAX: usize = 500;

/// How often items are read for an answer: those whose time is over are read for nothing.
const STEPS_MAX: usize = 64;

/// Items that are read at once, so that many large ones are not held in memory for an answer that holds few.
const STEP: usize = 16;

/// The item of this name.
pub(crate) async fn named(
    server: &Server,
    node: &Node,
    name: &str,
) -> Result<Option<(Numbers, StoredItem)>, StanzaError> {
    let Some(numbers) = numbers(server, node, name).await? else {
        return Ok(None);
    };
    let item = by_number(server, node, numbers.number).await?;
    Ok(item.map(|item| (numbers, item)))
}

/// The numbers of the item of this name.
pub(crate) async fn numbers(
    server: &Server,
    node: &Node,
    name: &str,
) -> Result<Option<Numbers>, StanzaError> {
    let key = (node.name.as_str(), node.stored.generation, name);
    let numbers = server.store().get(&NAMES, &node.service.owner, &key).await;
    numbers.map_err(|error| unavailable(&error))
}

async fn by_number(
    server: &Server,
    node: &Node,
    number: u64,
) -> Result<Option<StoredItem>, StanzaError> {
    let key = (node.name.as_str(), node.stored.generation, number);
    let item = server.store().get(&ITEMS, &node.service.owner, &key).await;
    let item = item.map_err(|error| unavailable(&error))?;
    Ok(item.filter(|item| !is_expired(server, node, item)))
}

/// Whether its time is over (`pubsub#item_expire`).
pub(super) fn is_expired(server: &Server, node: &Node, item: &StoredItem) -> bool {
    let secs = node.number(&super::node_options::item_expire::FIELD);
    let until = secs.map(|secs| {
        let micros = secs.saturating_mul(1_000_000);
        item.published_micros.saturating_add(micros)
    });
    until.is_some_and(|until| until <= server.now_micros())
}

/// The newest item.
pub(crate) async fn newest(
    server: &Server,
    node: &Node,
) -> Result<Option<StoredItem>, StanzaError> {
    let newest = last(server, node).await?;
    Ok(newest.filter(|item| !is_expired(server, node, item)))
}

/// The same, even if its time is over: what was made of it stands until it is removed.
pub(crate) async fn last(server: &Server, node: &Node) -> Result<Option<StoredItem>, StanzaError> {
    let mut last = latest(server, node, 1).await?;
    Ok(last.pop())
}

/// So many of the newest items, the newest first, even if their time is over.
pub(super) async fn latest(
    server: &Server,
    node: &Node,
    most: usize,
) -> Result<Vec<StoredItem>, StanzaError> {
    let latest = scan(server, node, &range(node), Direction::Backward, most).await?;
    Ok(latest.into_iter().map(|(_, item)| item).collect())
}

/// How many items a node has; those whose time is over count until they are removed.
pub(crate) async fn count(server: &Server, node: &Node) -> Result<Count, StanzaError> {
    let key = (node.name.as_str(), node.stored.generation);
    let count = server.store().get(&COUNTS, &node.service.owner, &key).await;
    let count = count.map_err(|error| unavailable(&error))?;
    Ok(count.unwrap_or_default())
}

fn range(node: &Node) -> KeyRange<(String, u64, u64)> {
    KeyRange::prefix(&(node.name.as_str(), node.stored.generation))
}

async fn scan(
    server: &Server,
    node: &Node,
    range: &KeyRange<(String, u64, u64)>,
    direction: Direction,
    limit: usize,
) -> Result<Vec<(u64, StoredItem)>, StanzaError> {
    let rows = server
        .store()
        .scan(&ITEMS, &node.service.owner, range, direction, limit);
    let rows = rows.await.map_err(|error| unavailable(&error))?;
    let item = |((_, _, number), item)| (number, item);
    Ok(rows.into_iter().map(item).collect())
}

/// What is asked of a node's items.
#[derive(Clone, Debug, Default)]
pub(crate) struct Question {
    /// So many of the newest.
    pub(crate) newest: Option<u64>,
    /// Which page.
    pub(crate) set: Option<ResultSet>,
    /// In which order.
    pub(crate) order: Option<Order>,
}

/// Some of a node's items.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// In the order that was wanted.
    pub(crate) items: Vec<StoredItem>,
    /// Which page that is, where there is more.
    pub(crate) set: Option<ResultSet>,
}

/// Answers a question. Without an order, the oldest come first; where there are more than an answer holds, the newest
/// are told.
pub(crate) async fn page(
    server: &Server,
    node: &Node,
    question: &Question,
) -> Result<Found, StanzaError> {
    let set = question.set.as_ref();
    if set.is_some_and(|set| set.index.is_some()) {
        return Err(Condition::FeatureNotImplemented.into());
    }
    let total = count(server, node).await?.items;
    let most = set.and_then(|set| set.max).or(question.newest);
    let most = most.map_or(PAGE_ITEMS_MAX, |most| {
        usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(PAGE_ITEMS_MAX)
    });
    let only_count = ResultSet {
        count: Some(total),
        ..ResultSet::NONE
    };
    if most == 0 {
        return Ok(Found {
            items: Vec::new(),
            set: set.map(|_| only_count),
        });
    }
    let way = Way::of(question);
    let start = match way.from {
        Some(name) => Some(
            numbers(server, node, name)
                .await?
                .ok_or(Condition::ItemNotFound)?,
        ),
        None => None,
    };
    let read = read(server, node, &way, start, most);
    let (mut items, is_end) = read.await?;
    if way.is_backward() != way.desc {
        items.reverse();
    }
    let is_whole = is_end && start.is_none();
    if set.is_none() && (is_whole || question.newest.is_some()) {
        return Ok(Found { items, set: None });
    }
    let index = match (way.at_end, start) {
        _ if items.is_empty() => None,
        (false, None) => Some(0),
        (true, None) => Some(total.saturating_sub(items.len() as u64)),
        (_, Some(_)) => None,
    };
    let first = items.first().map(|item| First {
        index,
        id: item.id.clone(),
    });
    let set = ResultSet {
        first,
        last: items.last().map(|item| item.id.clone()),
        ..only_count
    };
    Ok(Found {
        items,
        set: Some(set),
    })
}

/// How to walk through the items.
struct Way<'a> {
    by: OrderField,
    /// Whether the greatest comes first in the answer.
    desc: bool,
    /// Whether the walk begins at the end of the answer's order and goes back.
    at_end: bool,
    /// The item beside which it begins.
    from: Option<&'a str>,
}

impl Way<'_> {
    fn of(question: &Question) -> Way<'_> {
        let set = question.set.as_ref();
        let named = |name: Option<&'_ String>| name.is_some_and(|name| !name.is_empty());
        let after = set.and_then(|set| set.after.as_ref());
        let before = set.and_then(|set| set.before.as_ref());
        let desc = question.order.as_ref().is_some_and(|order| order.desc);
        let from = [after, before].into_iter().find(|name| named(*name));
        Way {
            by: question
                .order
                .as_ref()
                .map_or(OrderField::Modification, |order| order.by),
            desc,
            at_end: match set {
                Some(_) => before.is_some() && !named(after),
                // The newest are wanted, wherever they stand in the answer.
                None => !desc,
            },
            from: from.flatten().map(String::as_str),
        }
    }

    /// Whether it goes from greater numbers to lesser ones.
    fn is_backward(&self) -> bool {
        self.desc != self.at_end
    }

    fn direction(&self) -> Direction {
        match self.is_backward() {
            true => Direction::Backward,
            false => Direction::Forward,
        }
    }

    fn cut(
        &self,
        node: &Node,
        range: KeyRange<(String, u64, u64)>,
        from: Option<u64>,
    ) -> KeyRange<(String, u64, u64)> {
        let Some(number) = from else {
            return range;
        };
        let key = (node.name.as_str(), node.stored.generation, number);
        match self.is_backward() {
            true => range.before(&key),
            false => range.after(&key),
        }
    }
}

/// Reads some items in the order of the walk, and says whether these were the last.
async fn read(
    server: &Server,
    node: &Node,
    way: &Way<'_>,
    start: Option<Numbers>,
    most: usize,
) -> Result<(Vec<StoredItem>, bool), StanzaError> {
    let mut from = start.map(|numbers| match way.by {
        OrderField::Creation => numbers.created,
        OrderField::Modification => numbers.number,
    });
    let (mut items, mut bytes) = (Vec::new(), 0);
    for _ in 0..STEPS_MAX {
        let range = way.cut(node, range(node), from);
        let limit = STEP.min(most - items.len()) + 1;
        let rows = match way.by {
            OrderField::Modification => scan(server, node, &range, way.direction(), limit).await?,
            OrderField::Creation => created(server, node, &range, way.direction(), limit).await?,
        };
        let is_end = rows.len() < limit;
        for (number, item) in rows {
            if items.len() == most || (bytes > 0 && bytes + written_bytes(&item) > PAGE_BYTES_MAX) {
                return Ok((items, false));
            }
            from = Some(number);
            if !is_expired(server, node, &item) {
                bytes += written_bytes(&item);
                items.push(item);
            }
        }
        if is_end {
            return Ok((items, true));
        }
    }
    Ok((items, false))
}

/// Most bytes that an item takes in an answer: a character of a name may be written as six.
pub(crate) fn written_bytes(item: &StoredItem) -> usize {
    const AROUND: usize = 128;
    item.payload.len() + 6 * (item.id.len() + item.publisher.len()) + AROUND
}

/// Items by the numbers that they had first.
async fn created(
    server: &Server,
    node: &Node,
    range: &KeyRange<(String, u64, u64)>,
    direction: Direction,
    limit: usize,
) -> Result<Vec<(u64, StoredItem)>, StanzaError> {
    let owner = &node.service.owner;
    let rows = server
        .store()
        .scan(&CREATED, owner, range, direction, limit);
    let rows = rows.await.map_err(|error| unavailable(&error))?;
    let mut found = Vec::new();
    for ((_, _, created), name) in rows {
        if let Some((_, item)) = named(server, node, &name).await? {
            found.push((created, item));
        }
    }
    Ok(found)
}

/// Writes an item; what was there under its name makes room. Returns the count afterwards, and the item's numbers.
pub(crate) fn put(
    node: &Node,
    item: &StoredItem,
    before: Option<Numbers>,
    count: Count,
    batch: &mut Batch,
) -> (Count, Numbers) {
    let (owner, generation) = (&node.service.owner, node.stored.generation);
    let number = count.newest + 1;
    let created = before.map_or(number, |before| before.created);
    if let Some(before) = before {
        let key = (node.name.as_str(), generation, before.number);
        batch.delete(&ITEMS, owner, &key);
    } else {
        let key = (node.name.as_str(), generation, created);
        batch.put(&CREATED, owner, &key, &item.id);
    }
    let key = (node.name.as_str(), generation, number);
    batch.put(&ITEMS, owner, &key, item);
    let key = (node.name.as_str(), generation, item.id.as_str());
    let numbers = Numbers { number, created };
    batch.put(&NAMES, owner, &key, &numbers);
    let count = Count {
        items: count.items + u64::from(before.is_none()),
        newest: number,
    };
    save_count(node, count, batch);
    (count, numbers)
}

/// Removes an item. Returns the count afterwards.
pub(crate) fn remove(
    node: &Node,
    name: &str,
    numbers: Numbers,
    count: Count,
    batch: &mut Batch,
) -> Count {
    let (owner, generation) = (&node.service.owner, node.stored.generation);
    let key = (node.name.as_str(), generation, numbers.number);
    batch.delete(&ITEMS, owner, &key);
    let key = (node.name.as_str(), generation, numbers.created);
    batch.delete(&CREATED, owner, &key);
    batch.delete(&NAMES, owner, &(node.name.as_str(), generation, name));
    let count = Count {
        items: count.items.saturating_sub(1),
        ..count
    };
    save_count(node, count, batch);
    count
}

fn save_count(node: &Node, count: Count, batch: &mut Batch) {
    let key = (node.name.as_str(), node.stored.generation);
    batch.put(&COUNTS, &node.service.owner, &key, &count);
}

/// Some items behind the one of this number, the oldest first, and the number of the last, if there may be more.
pub(crate) async fn following(
    server: &Server,
    node: &Node,
    after: u64,
) -> Result<(Vec<StoredItem>, Option<u64>), StanzaError> {
    let key = (node.name.as_str(), node.stored.generation, after);
    let range = range(node).after(&key);
    let rows = scan(server, node, &range, Direction::Forward, STEP).await?;
    let last = rows.last().map(|(number, _)| *number);
    let last = last.filter(|_| rows.len() == STEP);
    Ok((rows.into_iter().map(|(_, item)| item).collect(), last))
}

/// The oldest items, so many.
pub(crate) async fn oldest(
    server: &Server,
    node: &Node,
    most: usize,
) -> Result<Vec<StoredItem>, StanzaError> {
    let most = most.min(ROWS_MAX);
    let page = scan(server, node, &range(node), Direction::Forward, most).await?;
    Ok(page.into_iter().map(|(_, item)| item).collect())
}
