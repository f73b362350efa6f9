//! Who is affiliated with a node (XEP-0060 §4.1).

use waxwing_stanza::xep::xep_0060_pubsub::Affiliation;
use waxwing_stanza::{BareJid, StanzaError};
use waxwing_store::{Batch, Direction, KeyRange};

use crate::pubsub::attachments;
use crate::pubsub::node::Node;
use crate::pubsub::service::{Service, ServiceKind};
use crate::pubsub::stored::{AFFILIATIONS, BY_AFFILIATE, StoredAffiliation};
use crate::server::{Server, unavailable};

/// Most affiliations of a node.
pub(crate) const AFFILIATIONS_MAX: usize = 5_000;

/// Affiliations that are read at a time.
const STEP: usize = 1_000;

/// Most affiliations of one account at a service that are looked through: others may have given it some.
const ENTITY_MAX: usize = 100_000;

fn read(stored: &StoredAffiliation) -> Affiliation {
    Affiliation::from_keyword(&stored.affiliation).unwrap_or(Affiliation::None)
}

/// What somebody may do with a node. An account owns its nodes, and nobody can take that away.
pub(crate) async fn of(
    server: &Server,
    node: &Node,
    who: &BareJid,
) -> Result<Affiliation, StanzaError> {
    at(server, &node.service, &node.name, who).await
}

/// The same, whether there is such a node or not.
pub(crate) async fn at(
    server: &Server,
    service: &Service,
    node: &str,
    who: &BareJid,
) -> Result<Affiliation, StanzaError> {
    if is_account(service, who) {
        return Ok(Affiliation::Owner);
    }
    let ruled_by = attachments::ruled_by(&service.jid, node);
    let key = (ruled_by.as_str(), who.as_ref());
    let stored = server.store().get(&AFFILIATIONS, &service.owner, &key);
    let stored = stored.await.map_err(|error| unavailable(&error))?;
    Ok(stored.as_ref().map_or(Affiliation::None, read))
}

/// Whether somebody is the account whose service this is.
pub(crate) fn is_account(service: &Service, who: &BareJid) -> bool {
    service.kind == ServiceKind::Account && service.jid == *who
}

/// Everybody who is affiliated with a node.
pub(crate) async fn all(
    server: &Server,
    node: &Node,
) -> Result<Vec<(BareJid, Affiliation)>, StanzaError> {
    let ruled_by = attachments::ruled_by(&node.service.jid, &node.name);
    let rows = server.store().scan(
        &AFFILIATIONS,
        &node.service.owner,
        &KeyRange::prefix(&(ruled_by.as_str(),)),
        Direction::Forward,
        AFFILIATIONS_MAX,
    );
    let rows = rows.await.map_err(|error| unavailable(&error))?;
    let stored = rows
        .into_iter()
        .filter_map(|((_, jid), stored)| Some((jid.parse().ok()?, read(&stored))));
    let account = is_account(&node.service, &node.service.jid)
        .then(|| (node.service.jid.clone(), Affiliation::Owner));
    Ok(account.into_iter().chain(stored).collect())
}

/// Everybody who owns a node.
pub(crate) async fn owners(server: &Server, node: &Node) -> Result<Vec<BareJid>, StanzaError> {
    let all = all(server, node).await?.into_iter();
    let owners = all.filter(|(_, affiliation)| *affiliation == Affiliation::Owner);
    Ok(owners.map(|(jid, _)| jid).collect())
}

/// With which nodes of a service somebody is affiliated. What an account owns of its own goes without saying.
pub(crate) async fn of_entity(
    server: &Server,
    service: &Service,
    who: &BareJid,
) -> Result<Vec<(String, Affiliation)>, StanzaError> {
    let (store, range) = (
        server.store(),
        KeyRange::exactly(&(who.as_ref(), service.jid.as_ref())),
    );
    let rows = store.find(&AFFILIATIONS, &BY_AFFILIATE, &range, STEP);
    let mut rows = rows.await.map_err(|error| unavailable(&error))?;
    let mut all = Vec::new();
    while let Some(last) = rows.pop() {
        let next = store.find_after(&AFFILIATIONS, &BY_AFFILIATE, &range, &last, STEP);
        for found in rows.into_iter().chain([last]) {
            all.push((found.key.0, read(&found.value)));
        }
        if all.len() >= ENTITY_MAX {
            break;
        }
        rows = next.await.map_err(|error| unavailable(&error))?;
    }
    Ok(all)
}

/// Writes an affiliation; *none* is that there is no row.
pub(crate) fn set(node: &Node, who: &BareJid, affiliation: Affiliation, batch: &mut Batch) {
    let key = (node.name.as_str(), who.as_ref());
    if affiliation == Affiliation::None {
        return batch.delete(&AFFILIATIONS, &node.service.owner, &key);
    }
    let stored = StoredAffiliation {
        affiliation: affiliation.as_str().to_owned(),
        service: node.service.jid.to_string(),
    };
    batch.put(&AFFILIATIONS, &node.service.owner, &key, &stored);
}
