//! Who is subscribed to a node (XEP-0060 §4.2).

use waxwing_stanza::xep::xep_0060_pubsub::SubscriptionState;
use waxwing_stanza::{BareJid, Jid, StanzaError};
use waxwing_store::{Batch, Direction, KeyRange, StoreError};

use crate::pubsub::attachments;
use crate::pubsub::fields::Settings;
use crate::pubsub::items;
use crate::pubsub::lists::Listed;
use crate::pubsub::node::Node;
use crate::pubsub::service::Service;
use crate::pubsub::stored::{BY_END, BY_SUBSCRIBER, SUBSCRIPTIONS, StoredSubscription};
use crate::pubsub::subscribe_options::expire;
use crate::server::{Server, unavailable};

/// Most subscriptions to a node.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 10_000;

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// To which node.
    pub(crate) node: String,
    /// Who: an account, or one of its sessions.
    pub(crate) jid: Jid,
    /// Which one of several.
    pub(crate) id: String,
    /// How far it has come.
    pub(crate) state: SubscriptionState,
    /// Its options.
    pub(crate) settings: Settings,
}

impl Subscription {
    /// As stored; nothing where that cannot be read.
    pub(crate) fn read(
        key: (String, String, String),
        stored: StoredSubscription,
    ) -> Option<Subscription> {
        let (node, jid, id) = key;
        Some(Subscription {
            node,
            jid: jid.parse().ok()?,
            id,
            state: SubscriptionState::from_keyword(&stored.state)?,
            settings: stored.settings.unwrap_or_default(),
        })
    }

    /// When it ends, in microseconds since the Unix epoch.
    pub(crate) fn until_micros(&self) -> Option<i64> {
        expire::micros(&self.settings)
    }

    /// Whether its time is over.
    pub(crate) fn is_over(&self, server: &Server) -> bool {
        let now = i64::try_from(server.now_micros()).unwrap_or(i64::MAX);
        self.until_micros().is_some_and(|until| until <= now)
    }

    /// Writes it.
    pub(crate) fn save(&self, service: &Service, batch: &mut Batch) {
        let stored = StoredSubscription {
            state: self.state.as_str().to_owned(),
            settings: Some(self.settings.clone()),
            service: service.jid.to_string(),
            account: self.jid.bare().to_string(),
        };
        let key = (self.node.as_str(), self.jid.as_str(), self.id.as_str());
        batch.put(&SUBSCRIPTIONS, &service.owner, &key, &stored);
    }

    /// Ends it.
    pub(crate) fn delete(&self, service: &Service, batch: &mut Batch) {
        let key = (self.node.as_str(), self.jid.as_str(), self.id.as_str());
        batch.delete(&SUBSCRIPTIONS, &service.owner, &key);
    }
}

impl Listed for Subscription {
    fn name(&self) -> String {
        self.id.clone()
    }

    fn bytes(&self) -> usize {
        items::listed_bytes(&[&self.node, self.jid.as_str(), &self.id])
    }
}

/// All subscriptions to a node that are not over.
pub(crate) async fn all(server: &Server, node: &Node) -> Result<Vec<Subscription>, StanzaError> {
    in_range(
        server,
        &node.service,
        &KeyRange::prefix(&(node.name.as_str(),)),
    )
    .await
}

/// Those of one address to a node.
pub(crate) async fn of_jid(
    server: &Server,
    node: &Node,
    jid: &Jid,
) -> Result<Vec<Subscription>, StanzaError> {
    in_range(
        server,
        &node.service,
        &KeyRange::prefix(&(node.name.as_str(), jid.as_str())),
    )
    .await
}

async fn in_range(
    server: &Server,
    service: &Service,
    range: &KeyRange<(String, String, String)>,
) -> Result<Vec<Subscription>, StanzaError> {
    let rows = server.store().scan(
        &SUBSCRIPTIONS,
        &service.owner,
        range,
        Direction::Forward,
        SUBSCRIPTIONS_MAX,
    );
    let rows = rows.await.map_err(|error| unavailable(&error))?;
    let all = rows
        .into_iter()
        .filter_map(|(key, stored)| Subscription::read(key, stored));
    Ok(all.filter(|one| !one.is_over(server)).collect())
}

/// Those of an account and its sessions to all nodes of a service.
pub(crate) async fn of_entity(
    server: &Server,
    service: &Service,
    who: &BareJid,
) -> Result<Vec<Subscription>, StanzaError> {
    let rows = server.store().find(
        &SUBSCRIPTIONS,
        &BY_SUBSCRIBER,
        &KeyRange::exactly(&(who.as_ref(), service.jid.as_ref())),
        SUBSCRIPTIONS_MAX,
    );
    let rows = rows.await.map_err(|error| unavailable(&error))?;
    let all = rows
        .into_iter()
        .filter_map(|found| Subscription::read(found.key, found.value));
    Ok(all.filter(|one| !one.is_over(server)).collect())
}

/// Those of an account and its sessions to nodes of all services.
pub(crate) async fn everywhere(
    server: &Server,
    who: &BareJid,
) -> Result<Vec<(Service, Subscription)>, StanzaError> {
    let rows = server.store().find(
        &SUBSCRIPTIONS,
        &BY_SUBSCRIBER,
        &KeyRange::prefix(&(who.as_ref(),)),
        SUBSCRIPTIONS_MAX,
    );
    let rows = rows.await.map_err(|error| unavailable(&error))?;
    let all = rows.into_iter().filter_map(|found| {
        let service = Service::of_owner(&found.owner)?;
        let one = Subscription::read(found.key, found.value)?;
        Some((service, one))
    });
    Ok(all.filter(|(_, one)| !one.is_over(server)).collect())
}

/// Those of an account and its sessions to one node.
pub(crate) async fn of_account(
    server: &Server,
    node: &Node,
    who: &BareJid,
) -> Result<Vec<Subscription>, StanzaError> {
    of_account_at(server, &node.service, &node.name, who).await
}

/// The same, whether there is such a node or not: as much is read.
pub(crate) async fn of_account_at(
    server: &Server,
    service: &Service,
    node: &str,
    who: &BareJid,
) -> Result<Vec<Subscription>, StanzaError> {
    let account = KeyRange::prefix(&(node, who.as_ref()));
    let mut all = in_range(server, service, &account).await?;
    // Addresses of its sessions are its own with something behind: in order, those between these two.
    let (first, end) = (format!("{who}/"), format!("{who}0"));
    let sessions = KeyRange::prefix(&(node,));
    let sessions = sessions
        .from(&(node, first.as_str(), ""))
        .before(&(node, end.as_str(), ""));
    all.extend(in_range(server, service, &sessions).await?);
    Ok(all)
}

/// Whether an account is subscribed to a node, or to the one that it belongs to.
pub(crate) async fn is_subscribed(
    server: &Server,
    node: &Node,
    who: &BareJid,
) -> Result<bool, StanzaError> {
    let ruled_by = attachments::ruled_by(&node.service.jid, &node.name);
    let mut all = of_account(server, node, who).await?;
    if ruled_by != node.name {
        all.extend(of_account_at(server, &node.service, &ruled_by, who).await?);
    }
    Ok(all
        .iter()
        .any(|one| one.state == SubscriptionState::Subscribed))
}

/// Subscriptions that are removed in one commit because they are over.
const OVER_AT_ONCE: usize = 500;

/// Removes those that are over, of all services.
pub(crate) async fn sweep(server: &Server) -> Result<(), StanzaError> {
    let now = i64::try_from(server.now_micros()).unwrap_or(i64::MAX);
    let over = KeyRange::all().before(&now);
    loop {
        let (store, mut batch) = (server.store(), Batch::new());
        let rows = store.find(&SUBSCRIPTIONS, &BY_END, &over, OVER_AT_ONCE);
        let rows = rows.await.map_err(|error| unavailable(&error))?;
        for row in &rows {
            // Its subscriber may make it last meanwhile: then all of them are looked at once more.
            batch.require_equals(&SUBSCRIPTIONS, &row.owner, &row.key, &row.value);
            batch.delete(&SUBSCRIPTIONS, &row.owner, &row.key);
        }
        if rows.is_empty() {
            return Ok(());
        }
        match store.commit(batch).await {
            Ok(_) | Err(StoreError::Refused { .. }) => {}
            Err(error) => return Err(unavailable(&error)),
        }
    }
}

/// How many there are to a node, whatever their state.
pub(crate) async fn count(server: &Server, node: &Node) -> Result<u64, StanzaError> {
    let range = KeyRange::prefix(&(node.name.as_str(),));
    let count = server
        .store()
        .count(&SUBSCRIPTIONS, &node.service.owner, &range);
    count.await.map_err(|error| unavailable(&error))
}
