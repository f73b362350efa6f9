//! XEP-0402: PEP Native Bookmarks, and the older forms of XEP-0048 beside them.
//!
//! <https://xmpp.org/extensions/xep-0402.html>
//!
//! The items of XEP-0402 are what is true. The node of XEP-0048 holds one item that shows them all in the older form, with
//! what only that form can say; private storage (XEP-0049) shows and takes the same element. What is written in the older
//! form is compared with what it showed before, and only what differs is changed (§4.3.2).

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::request::Item;
use waxwing_stanza::xep::xep_0402_bookmarks::{Bookmark, NS, NS_OLD, STORAGE};
use waxwing_stanza::{BareJid, Condition, Jid, StanzaError};
use waxwing_wire::Element;

use crate::addressee::Addressee;
use crate::pubsub::change::Change;
use crate::pubsub::fields::Settings;
use crate::pubsub::items;
use crate::pubsub::limits;
use crate::pubsub::links::{Done, Family, Link, NodeHook};
use crate::pubsub::node::{self, Node};
use crate::pubsub::node_options::access_model;
use crate::pubsub::profile::{Name, Profile};
use crate::pubsub::service::Service;
use crate::pubsub::stored::StoredItem;
use crate::registry::{Feature, Registrar, Source};
use crate::server::Server;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(402),
    title: "PEP Native Bookmarks",
    version: "1.2.0",
    register,
    ..Feature::NONE
};

/// Bytes of items that are looked through for the older form.
const READ_BYTES_MAX: usize = 1024 * 1024;

/// Most bookmarks that change at once with the older form: each is an item that is written and told of.
const CHANGED_AT_ONCE_MAX: usize = 2_000;

/// The name of the one item of the older form.
const CURRENT: &str = "current";

fn register(registrar: &mut Registrar<'_>) {
    for (node, max_items, hook) in [(NS, "max", changed as NodeHook), (NS_OLD, "1", changed_old)] {
        registrar.node(Profile {
            name: Name::Is(node),
            access_model: "whitelist",
            max_items,
            // Asked for by publish-options (§3.3), which a node that the server has made must meet, too.
            more: &[("send_last_published_item", "never")],
        });
        registrar.link(Link {
            node,
            family: Family::Named(NS),
            hook,
        });
    }
    for compat in ["compat", "compat-pep"] {
        registrar.disco(&[Addressee::OwnAccount], &format!("{NS}#{compat}"));
    }
}

/// The older form of what has changed (§4.3.1).
fn changed<'a>(
    change: &'a mut Change,
    node: &'a Node,
    done: &'a Done,
) -> BoxFuture<'a, Result<(), StanzaError>> {
    async move {
        let is_news = match done {
            Done::Configured(before) => !is_private(before),
            _ => true,
        };
        if !is_news || !is_private(node) {
            return Ok(());
        }
        let old = change.find_or_make(NS_OLD, Settings::default()).await?;
        if !is_private(&old) {
            return Ok(());
        }
        bring_together(change, node, &old, matches!(done, Done::Emptied)).await
    }
    .boxed()
}

/// Makes the older form show what the newer one has. What only the older one has, since the two were apart, is taken into
/// the newer one first, but for what has just gone from there.
async fn bring_together(
    change: &mut Change,
    node: &Node,
    old: &Node,
    is_emptied: bool,
) -> Result<(), StanzaError> {
    let before = storage(change.newest(old).await?.as_ref());
    let mut there = change.items(node, READ_BYTES_MAX).await?;
    if !is_emptied {
        let known = there.iter().map(|item| item.id.clone());
        let known = known.chain(change.gone(node));
        let known: BTreeSet<Jid> = known.filter_map(|id| id.parse().ok()).collect();
        let mut apart = empty();
        for child in before.children() {
            if Bookmark::of_old(child).is_some_and(|one| !known.contains(&one.jid)) {
                apart.push(child.clone());
            }
        }
        if apart.children().next().is_some() {
            // Where there is no room they stay apart: nothing of that keeps anybody from closing a node, or from a
            // bookmark.
            if apply(change, &empty(), &apart).await.is_err() {
                return Ok(());
            }
            there = change.items(node, READ_BYTES_MAX).await?;
        }
    }
    let most = limits::payload_bytes(change.server(), old);
    let bookmarks = there.into_iter().filter_map(Kept::of);
    let after = shown(&before, bookmarks.map(|one| one.bookmark), most);
    match after == before {
        true => Ok(()),
        false => publish_old(change, old, after).await,
    }
}

/// Somebody wrote the one item of the older form, or removed it.
fn changed_old<'a>(
    change: &'a mut Change,
    node: &'a Node,
    done: &'a Done,
) -> BoxFuture<'a, Result<(), StanzaError>> {
    async move {
        let newest = items::newest(change.server(), node).await?;
        let given = match done {
            Done::Published { payload, .. } => {
                let payload = payload.as_ref().ok_or(Fault::PayloadRequired)?;
                let is_storage = payload.is(NS_OLD, STORAGE);
                is_storage
                    .then(|| payload.clone())
                    .ok_or(Fault::InvalidPayload)?
            }
            Done::Retracted(id) if newest.as_ref().is_some_and(|item| item.id != *id) => {
                return Ok(());
            }
            Done::Retracted(_) | Done::Emptied => empty(),
            Done::Configured(before) if is_private(node) && !is_private(before) => {
                return match change.find_or_make(NS, Settings::default()).await {
                    Ok(new) if is_private(&new) => bring_together(change, &new, node, false).await,
                    _ => Ok(()),
                };
            }
            // The bookmarks themselves are still there.
            Done::Shrunk | Done::Configured(_) => return Ok(()),
        };
        let bookmarks = change.find(NS).await?;
        if !is_private(node) || bookmarks.is_some_and(|node| !is_private(&node)) {
            return Ok(());
        }
        apply(change, &storage(newest.as_ref()), &given).await
    }
    .boxed()
}

/// Whether only those may read it whom the owner has let in one by one: passwords of rooms are carried to no other.
fn is_private(node: &Node) -> bool {
    node.text(&access_model::FIELD) == "whitelist"
}

fn empty() -> Element {
    Element::new(NS_OLD, STORAGE)
}

fn storage(item: Option<&StoredItem>) -> Element {
    let element = item.and_then(StoredItem::element);
    let element = element.filter(|element| element.is(NS_OLD, STORAGE));
    element.unwrap_or_else(empty)
}

async fn publish_old(
    change: &mut Change,
    node: &Node,
    storage: Element,
) -> Result<(), StanzaError> {
    let item = Item {
        payload: vec![storage],
        ..Item::named(CURRENT)
    };
    change.publish(node, &item).await.map(|_| ())
}

/// A bookmark and its item.
struct Kept {
    id: String,
    element: Element,
    bookmark: Bookmark,
}

impl Kept {
    fn of(item: StoredItem) -> Option<Kept> {
        let element = item.element()?;
        let bookmark = Bookmark::of_item(&item.id, &element)?;
        Some(Kept {
            id: item.id,
            element,
            bookmark,
        })
    }
}

/// The bookmarks as they are with the change: as many as the older form may show.
async fn read(change: &mut Change, node: &Node) -> Result<Vec<Kept>, StanzaError> {
    let items = change.items(node, READ_BYTES_MAX).await?;
    Ok(items.into_iter().filter_map(Kept::of).collect())
}

fn bookmarks(storage: &Element) -> Vec<Bookmark> {
    storage.children().filter_map(Bookmark::of_old).collect()
}

/// The older form of these bookmarks: those that stood there before stand where they stood, with what only that form can
/// say. As many as have room: what is not shown cannot be changed there, nor be lost.
fn shown(before: &Element, bookmarks: impl Iterator<Item = Bookmark>, bytes_max: u64) -> Element {
    let mut bookmarks: Vec<Option<Bookmark>> = bookmarks.map(Some).collect();
    let mut places = BTreeMap::new();
    for (at, one) in bookmarks.iter().enumerate() {
        places
            .entry(one.as_ref().map(|one| one.jid.clone()))
            .or_insert(at);
    }
    let mut after = empty();
    let mut bytes = after.to_bytes("").len() as u64;
    // What is shown can be taken away at once.
    let mut room = CHANGED_AT_ONCE_MAX;
    let mut push = |element: Element| {
        bytes += element.to_bytes(NS_OLD).len() as u64;
        if bytes <= bytes_max && room > 0 {
            room -= 1;
            after.push(element);
        }
    };
    for child in before.children() {
        let Some(said) = Bookmark::of_old(child) else {
            push(child.clone());
            continue;
        };
        let at = places.get(&Some(said.jid.clone()));
        if let Some(now) = at.and_then(|at| bookmarks.get_mut(*at)?.take()) {
            push(match now.differs_from(&said) {
                true => now.to_old(),
                false => child.clone(),
            });
        }
    }
    for bookmark in bookmarks.into_iter().flatten() {
        push(bookmark.to_old());
    }
    after
}

/// Changes the items of which the older form says something else than before (§4.3.2).
async fn apply(change: &mut Change, before: &Element, given: &Element) -> Result<(), StanzaError> {
    let (before, given) = (bookmarks(before), bookmarks(given));
    if before.is_empty() && given.is_empty() {
        return Ok(());
    }
    let node = change.find_or_make(NS, Settings::default()).await?;
    let mut kept = BTreeMap::new();
    for one in read(change, &node).await? {
        kept.entry(one.bookmark.jid.clone()).or_insert(one);
    }
    let shown: BTreeMap<_, _> = before.iter().map(|one| (&one.jid, one)).collect();
    // Of two of one room, the later is meant.
    let said: BTreeMap<_, _> = given.iter().map(|one| (&one.jid, one)).collect();
    let gone = shown.keys().filter(|jid| !said.contains_key(*jid));
    let gone: Vec<&Kept> = gone.filter_map(|jid| kept.get(*jid)).collect();
    let changed: Vec<&Bookmark> = given
        .iter()
        .filter(|one| {
            said.get(&one.jid)
                .is_some_and(|said| std::ptr::eq(*said, *one))
        })
        .filter(|one| {
            shown
                .get(&one.jid)
                .is_none_or(|shown| one.differs_from(shown))
        })
        .collect();
    if gone.len() + changed.len() > CHANGED_AT_ONCE_MAX {
        let text = format!("at most {CHANGED_AT_ONCE_MAX} bookmarks can be changed at once");
        return Err(StanzaError::from(Condition::ResourceConstraint).with_text(text));
    }
    // A bookmark never makes room for another that is written with it.
    let new = said.keys().filter(|jid| !kept.contains_key(**jid));
    let count = change.count(&node).await?.items + new.count() as u64;
    if count.saturating_sub(gone.len() as u64) > limits::items(change.server(), &node) {
        return Err(StanzaError::from(Condition::ResourceConstraint)
            .with_text("there is no room for so many bookmarks"));
    }
    for one in gone {
        change.retract(&node, &one.id).await?;
    }
    for bookmark in changed {
        put(change, &node, bookmark, kept.get(&bookmark.jid)).await?;
    }
    Ok(())
}

/// Writes what the older form says of a bookmark into its item, if that says something else.
async fn put(
    change: &mut Change,
    node: &Node,
    bookmark: &Bookmark,
    kept: Option<&Kept>,
) -> Result<(), StanzaError> {
    let unread = match kept {
        Some(_) => None,
        None => items::named(change.server(), node, bookmark.jid.as_str()).await?,
    };
    let unread = unread.and_then(|(_, item)| Kept::of(item));
    let kept = kept.or(unread.as_ref());
    let element = bookmark.to_item(kept.map(|kept| &kept.element));
    if kept.is_some_and(|kept| kept.element == element) {
        return Ok(());
    }
    if element.to_bytes("").len() as u64 > limits::payload_bytes(change.server(), node) {
        return Err(Fault::PayloadTooBig.error());
    }
    let item = Item {
        payload: vec![element],
        ..Item::named(kept.map_or(bookmark.jid.as_str(), |kept| &kept.id))
    };
    change.publish(node, &item).await.map(|_| ())
}

/// What private storage shows; nothing where nobody has ever had a bookmark.
pub(crate) async fn private(
    server: &Server,
    account: &BareJid,
) -> Result<Option<Element>, StanzaError> {
    let service = Service::of_account(account);
    let Some(node) = node::find(server, &service, NS_OLD).await? else {
        return Ok(None);
    };
    let newest = items::newest(server, &node).await?;
    Ok(Some(storage(newest.as_ref())))
}

/// What is written to private storage.
pub(crate) async fn set_private(
    server: &Server,
    account: &BareJid,
    given: &Element,
) -> Result<Change, StanzaError> {
    let mut change = Change::of_account(server, account, NS_OLD).await;
    change.carry();
    let node = change.find_or_make(NS_OLD, Settings::default()).await?;
    let bookmarks = change.find(NS).await?;
    if [Some(&node), bookmarks.as_ref()]
        .into_iter()
        .flatten()
        .any(|node| !is_private(node))
    {
        return Err(StanzaError::from(Condition::NotAllowed).with_text(
            "the bookmarks are in a node that others may read; nothing private is written there",
        ));
    }
    let before = storage(items::newest(server, &node).await?.as_ref());
    if *given != before {
        apply(&mut change, &before, given).await?;
        publish_old(&mut change, &node, given.clone()).await?;
    }
    Ok(change)
}
