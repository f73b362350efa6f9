//! What a service stores: its nodes, their items, who is affiliated and who is subscribed.

use bytes::Bytes;
use waxwing_store::{Index, Shape, Table};
use waxwing_wire::Element;

use crate::pubsub::fields::{PRESENCE, Settings};
use crate::pubsub::node_options::{item_expire, purge_offline};
use crate::pubsub::pending::BY_PENDING;
use crate::pubsub::service::ServiceKind;
use crate::pubsub::subscribe_options::expire;

/// A node.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredNode {
    /// What its owners have set.
    #[prost(message, optional, tag = "1")]
    pub(crate) settings: Option<Settings>,
    /// When it was made, in microseconds since the Unix epoch.
    #[prost(uint64, tag = "2")]
    pub(crate) created_micros: u64,
    /// Who made it: a bare address.
    #[prost(string, tag = "3")]
    pub(crate) creator: String,
    /// Which items are its own: those of an earlier generation were removed, and go one by one.
    #[prost(uint64, tag = "4")]
    pub(crate) generation: u64,
    /// The address of the host where it is, for the index; empty at an account.
    #[prost(string, tag = "5")]
    pub(crate) host: String,
}

/// Nodes of hosts, by who made them and the host.
pub(crate) static BY_CREATOR: Index<String, StoredNode, (String, String)> =
    Index::ordered("by-creator", |_, stored| {
        let host = (!stored.host.is_empty()).then(|| stored.host.clone());
        let key = host.map(|host| (stored.creator.clone(), host));
        key.into_iter().collect()
    });

/// Nodes of which items go by themselves.
pub(crate) static EXPIRING: Index<String, StoredNode, String> =
    Index::ordered("expiring", |name, stored| {
        let settings = stored.settings.as_ref();
        let secs = settings.and_then(|set| set.number(&item_expire::FIELD, ServiceKind::Host));
        secs.map(|_| name.clone()).into_iter().collect()
    });

/// Nodes that are emptied when their publisher goes, by who made them.
pub(crate) static BY_PUBLISHER: Index<String, StoredNode, String> =
    Index::ordered("by-publisher", |_, stored| {
        let settings = stored.settings.as_ref();
        let is_purged =
            settings.is_some_and(|settings| settings.is(&purge_offline::FIELD, ServiceKind::Host));
        is_purged
            .then(|| stored.creator.clone())
            .into_iter()
            .collect()
    });

/// Nodes, by name.
pub(crate) static NODES: Table<String, StoredNode> = Table::new("pubsub-nodes", 1)
    .index(&EXPIRING)
    .index(&BY_PUBLISHER)
    .index(&BY_CREATOR);

/// How many items a node has, and the number of the newest.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Count {
    /// How many there are.
    #[prost(uint64, tag = "1")]
    pub(crate) items: u64,
    /// The number that was given last.
    #[prost(uint64, tag = "2")]
    pub(crate) newest: u64,
}

/// Counts of items, by node and generation.
pub(crate) static COUNTS: Table<(String, u64), Count> = Table::new("pubsub-counts", 1);

/// An item.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredItem {
    /// Its name.
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    /// Who published it: a bare address.
    #[prost(string, tag = "2")]
    pub(crate) publisher: String,
    /// Its payload with its namespace declared; empty for none.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) payload: Bytes,
    /// When, in microseconds since the Unix epoch.
    #[prost(uint64, tag = "4")]
    pub(crate) published_micros: u64,
}

impl StoredItem {
    /// Its payload, if it has one.
    pub(crate) fn element(&self) -> Option<Element> {
        Element::parse(&self.payload).ok()
    }
}

/// Items, by node, generation and number: the order in which they were published.
pub(crate) static ITEMS: Table<(String, u64, u64), StoredItem> = Table::new("pubsub-items", 1);

/// An item's numbers.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Numbers {
    /// The one that it has.
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
    /// The one that it had when it was published for the first time.
    #[prost(uint64, tag = "2")]
    pub(crate) created: u64,
}

/// Numbers of items, by node, generation and name.
pub(crate) static NAMES: Table<(String, u64, String), Numbers> = Table::new("pubsub-item-names", 1);

/// Names of items, by node, generation and the number that they had when they were published for the first time.
pub(crate) static CREATED: Table<(String, u64, u64), String> =
    Table::new("pubsub-item-creation", 1);

/// Generations of items that were removed with too many items for one commit, by node.
pub(crate) static DEBRIS: Table<(String, u64), bool> = Table::new("pubsub-debris", 1);

/// Nodes that keep fewer items than they have, since a commit removes some at a time.
pub(crate) static SHRINKING: Table<String, bool> = Table::new("pubsub-shrinking", 1);

/// An affiliation.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredAffiliation {
    /// Which one, in the words of XEP-0060 §4.1.
    #[prost(string, tag = "1")]
    pub(crate) affiliation: String,
    /// The service's address, for the index.
    #[prost(string, tag = "2")]
    pub(crate) service: String,
}

/// Everybody's affiliations, by account and service.
pub(crate) static BY_AFFILIATE: Index<(String, String), StoredAffiliation, (String, String)> =
    Index::ordered("by-affiliate", |(_, jid), stored| {
        vec![(jid.clone(), stored.service.clone())]
    });

/// Affiliations, by node and account.
pub(crate) static AFFILIATIONS: Table<(String, String), StoredAffiliation> =
    Table::new("pubsub-affiliations", 1).index(&BY_AFFILIATE);

/// A subscription.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredSubscription {
    /// How far it has come, in the words of XEP-0060 §4.2.
    #[prost(string, tag = "1")]
    pub(crate) state: String,
    /// Its options.
    #[prost(message, optional, tag = "2")]
    pub(crate) settings: Option<Settings>,
    /// The service's address, for the index.
    #[prost(string, tag = "3")]
    pub(crate) service: String,
    /// The subscriber's bare address, for the index.
    #[prost(string, tag = "4")]
    pub(crate) account: String,
}

/// Everybody's subscriptions, by account and service.
pub(crate) static BY_SUBSCRIBER: Index<
    (String, String, String),
    StoredSubscription,
    (String, String),
> = Index::ordered("by-subscriber", |_, stored| {
    vec![(stored.account.clone(), stored.service.clone())]
});

/// Subscriptions that end when the subscriber goes, by account.
pub(crate) static BY_TEMPORARY: Index<(String, String, String), StoredSubscription, String> =
    Index::ordered("by-temporary", |_, stored| {
        let settings = stored.settings.as_ref();
        let expire = settings.map(|settings| settings.text(&expire::FIELD, ServiceKind::Host));
        let is_temporary = expire == Some(PRESENCE);
        is_temporary
            .then(|| stored.account.clone())
            .into_iter()
            .collect()
    });

/// Subscriptions that have an end, by that: microseconds since the Unix epoch.
pub(crate) static BY_END: Index<(String, String, String), StoredSubscription, i64> =
    Index::ordered("by-end", |_, stored| {
        let settings = stored.settings.as_ref();
        settings.and_then(expire::micros).into_iter().collect()
    });

/// Subscriptions, by node, subscriber and id.
pub(crate) static SUBSCRIPTIONS: Table<(String, String, String), StoredSubscription> =
    Table::new("pubsub-subscriptions", 1)
        .index(&BY_SUBSCRIBER)
        .index(&BY_TEMPORARY)
        .index(&BY_PENDING)
        .index(&BY_END);

/// Accounts that were removed, and own nodes of others' services still.
pub(crate) static LEFT: Table<String, bool> = Table::new("pubsub-left", 1);

/// Where a node has gone that was deleted.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Gone {
    /// A URI.
    #[prost(string, tag = "1")]
    pub(crate) uri: String,
    /// Who deleted it: a bare address.
    #[prost(string, tag = "2")]
    pub(crate) owner: String,
    /// The service's address, for the index.
    #[prost(string, tag = "3")]
    pub(crate) service: String,
    /// Whether everybody could read it: otherwise it is told to nobody but who deleted it.
    #[prost(bool, tag = "4")]
    pub(crate) open: bool,
}

/// Nodes that have gone elsewhere, by who deleted them and the service.
pub(crate) static BY_FORMER_OWNER: Index<String, Gone, (String, String)> =
    Index::ordered("by-former-owner", |_, gone| {
        vec![(gone.owner.clone(), gone.service.clone())]
    });

/// Nodes that have gone elsewhere, by name.
pub(crate) static GONE: Table<String, Gone> = Table::new("pubsub-gone", 1).index(&BY_FORMER_OWNER);

/// All of it.
pub(crate) fn shapes() -> Vec<Shape> {
    vec![
        NODES.shape(),
        COUNTS.shape(),
        ITEMS.shape(),
        NAMES.shape(),
        CREATED.shape(),
        DEBRIS.shape(),
        SHRINKING.shape(),
        AFFILIATIONS.shape(),
        SUBSCRIPTIONS.shape(),
        GONE.shape(),
        LEFT.shape(),
    ]
}
