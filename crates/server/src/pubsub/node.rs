//! A node, and how it is found, made and removed.

use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0470_attachments::Place;
use waxwing_stanza::{BareJid, Condition, Jid, StanzaError};
use waxwing_store::{Batch, Direction, KeyRange};

use crate::pubsub::attachments::{self, Purpose};
use crate::pubsub::fields::{Field, Settings};
use crate::pubsub::node_options::{access_model, itemreply};
use crate::pubsub::service::{Service, ServiceKind};
use crate::pubsub::stored::{
    AFFILIATIONS, GONE, Gone, NODES, SHRINKING, SUBSCRIPTIONS, StoredAffiliation, StoredNode,
};
use crate::server::{Server, unavailable};

/// Most bytes of the name of a node or an item.
pub(crate) const NAME_BYTES_MAX: usize = 1_023;

/// Most nodes that are listed or looked through at once.
pub(crate) const NODES_LISTED_MAX: usize = 10_000;

/// A node as it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Whose it is.
    pub(crate) service: Service,
    /// Its name.
    pub(crate) name: String,
    /// As stored.
    pub(crate) stored: StoredNode,
}

impl Node {
    /// A node that is to be made.
    pub(crate) fn new(
        server: &Server,
        service: &Service,
        name: &str,
        creator: &BareJid,
        settings: Settings,
    ) -> Node {
        Node {
            service: service.clone(),
            name: name.to_owned(),
            stored: StoredNode {
                settings: Some(settings),
                created_micros: server.now_micros(),
                creator: creator.to_string(),
                generation: server.now_micros(),
                host: match service.kind {
                    ServiceKind::Account => String::new(),
                    ServiceKind::Host => service.jid.to_string(),
                },
            },
        }
    }

    fn kind(&self) -> ServiceKind {
        self.service.kind
    }

    /// What was set.
    pub(crate) fn settings(&self) -> &Settings {
        static NOTHING: Settings = Settings { all: Vec::new() };
        self.stored.settings.as_ref().unwrap_or(&NOTHING)
    }

    /// Whether a field of its configuration is a yes.
    pub(crate) fn is(&self, field: &Field) -> bool {
        self.settings().is(field, self.kind())
    }

    /// Whether everybody may read it.
    pub(crate) fn is_open(&self) -> bool {
        self.text(&access_model::FIELD) == "open"
    }

    /// What a field of its configuration holds.
    pub(crate) fn text(&self, field: &Field) -> &str {
        self.settings().text(field, self.kind())
    }

    /// All that a field of its configuration holds.
    pub(crate) fn values<'a>(&'a self, field: &Field) -> impl Iterator<Item = &'a str> + use<'a> {
        self.settings().values(field, self.kind())
    }

    /// The number that a field of its configuration holds.
    pub(crate) fn number(&self, field: &Field) -> Option<u64> {
        self.settings().number(field, self.kind())
    }

    /// Who published something, if the node says so (§7.1.2.3, §12.17).
    pub(crate) fn publisher(&self, who: &str) -> Option<Jid> {
        let says_who = self.text(&itemreply::FIELD) == "publisher";
        says_who.then(|| who.parse().ok()).flatten()
    }

    /// Writes it.
    pub(crate) fn save(&self, batch: &mut Batch) {
        batch.put(&NODES, &self.service.owner, &self.name, &self.stored);
    }

    /// Writes it for the first time: its creator owns it. Those of an account belong to the account.
    pub(crate) fn create(&self, batch: &mut Batch) {
        self.save(batch);
        batch.delete(&GONE, &self.service.owner, &self.name);
        if self.kind() == ServiceKind::Host {
            let owner = StoredAffiliation {
                affiliation: "owner".to_owned(),
                service: self.service.jid.to_string(),
            };
            let key = (self.name.clone(), self.stored.creator.clone());
            batch.put(&AFFILIATIONS, &self.service.owner, &key, &owner);
        }
    }

    /// Removes it and who belongs to it, and notes where it has gone. Its items are removed by [`super::sweeping::clear`].
    pub(crate) fn delete(&self, batch: &mut Batch, gone: Option<&Gone>) {
        let owner = &self.service.owner;
        batch.delete(&NODES, owner, &self.name);
        batch.delete(&SHRINKING, owner, &self.name);
        let name = &(self.name.as_str(),);
        let most = waxwing_store::limits::ROWS_MAX;
        batch.delete_range(&AFFILIATIONS, owner, &KeyRange::prefix(name), most);
        batch.delete_range(&SUBSCRIPTIONS, owner, &KeyRange::prefix(name), most);
        attachments::subscribers_of_summary(self, batch);
        if let Some(gone) = gone {
            batch.put(&GONE, owner, &self.name, gone);
        }
    }
}

/// The name of a node as a request has it.
pub(crate) fn named(node: Option<&str>) -> Result<&str, StanzaError> {
    let name = node.filter(|name| !name.is_empty());
    let name = name.ok_or(Fault::NodeidRequired)?;
    check_name(name)?;
    Ok(name)
}

/// Refuses the name of a node or an item that is too long.
pub(crate) fn check_name(name: &str) -> Result<(), StanzaError> {
    if name.len() > NAME_BYTES_MAX {
        let text = format!("a name has {NAME_BYTES_MAX} bytes at most");
        return Err(StanzaError::from(Condition::NotAcceptable).with_text(text));
    }
    Ok(())
}

/// The node of this name, if there is one.
pub(crate) async fn find(
    server: &Server,
    service: &Service,
    name: &str,
) -> Result<Option<Node>, StanzaError> {
    find_for(server, service, name, Purpose::Else).await
}

/// The same; some nodes are there for who publishes first.
pub(crate) async fn find_for(
    server: &Server,
    service: &Service,
    name: &str,
    purpose: Purpose,
) -> Result<Option<Node>, StanzaError> {
    match Place::of(&service.jid, name) {
        Some(place) => attachments::find(server, service, &place, purpose).await,
        None => stored(server, service, name).await,
    }
}

/// The node that is stored under this name, if there is one.
pub(crate) async fn stored(
    server: &Server,
    service: &Service,
    name: &str,
) -> Result<Option<Node>, StanzaError> {
    let stored = server.store().get(&NODES, &service.owner, name).await;
    let stored = stored.map_err(|error| unavailable(&error))?;
    Ok(stored.map(|stored| Node {
        service: service.clone(),
        name: name.to_owned(),
        stored,
    }))
}

/// Why there is no such node: it never was, or it has gone elsewhere (§6.1.3.11), which is told to who could read it.
pub(crate) async fn absent(
    server: &Server,
    service: &Service,
    name: &str,
    who: &BareJid,
) -> Result<StanzaError, StanzaError> {
    let gone = server.store().get(&GONE, &service.owner, name).await;
    let gone = gone.map_err(|error| unavailable(&error))?;
    let gone = gone.filter(|gone| gone.open || gone.owner == who.as_ref());
    Ok(match gone {
        Some(gone) => StanzaError {
            alternate: Some(gone.uri),
            ..StanzaError::from(Condition::Gone).with_type(waxwing_stanza::ErrorType::Modify)
        },
        None => Condition::ItemNotFound.into(),
    })
}

/// All nodes of a service, by name.
pub(crate) async fn all(server: &Server, service: &Service) -> Result<Vec<Node>, StanzaError> {
    some(server, service, NODES_LISTED_MAX).await
}

/// The first nodes of a service.
pub(crate) async fn some(
    server: &Server,
    service: &Service,
    most: usize,
) -> Result<Vec<Node>, StanzaError> {
    following(server, service, None, most).await
}

/// Nodes of a service behind one of this name.
pub(crate) async fn following(
    server: &Server,
    service: &Service,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<Node>, StanzaError> {
    let range = match after {
        Some(after) => KeyRange::all().after(after),
        None => KeyRange::all(),
    };
    let (store, owner) = (server.store(), &service.owner);
    let rows = store.scan(&NODES, owner, &range, Direction::Forward, most);
    let rows = rows.await.map_err(|error| unavailable(&error))?;
    let node = |(name, stored)| Node {
        service: service.clone(),
        name,
        stored,
    };
    Ok(rows.into_iter().map(node).collect())
}
