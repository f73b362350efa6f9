//! Access models: who may subscribe to a node and read its items (XEP-0060 §4.5). One file a model.

mod authorize;
mod open;
mod presence;
mod roster;
mod whitelist;

use std::collections::HashMap;

use waxwing_stanza::xep::xep_0060_pubsub::Affiliation;
use waxwing_stanza::{BareJid, Condition, Jid, StanzaError};

use crate::blocking;
use crate::pubsub::node::Node;
use crate::pubsub::node_options::access_model;
use crate::pubsub::privilege::{Privilege, may};
use crate::pubsub::service::ServiceKind;
use crate::pubsub::{affiliations, subscriptions};
use crate::roster::StoredItem;
use crate::server::Server;

/// What a model says to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Come in.
    Granted,
    /// An owner decides.
    Pending,
    /// No, and why.
    Refused(StanzaError),
}

/// Who asks, and with which node.
pub(crate) struct Ask<'a> {
    pub(crate) server: &'a Server,
    pub(crate) node: &'a Node,
    pub(crate) who: &'a BareJid,
    pub(crate) affiliation: Affiliation,
    /// What is known already.
    pub(crate) known: Option<&'a Known>,
}

/// What is the same for all subscribers of a node, read once where they are many.
pub(crate) struct Known {
    whose: Option<BareJid>,
    roster: Option<HashMap<BareJid, StoredItem>>,
    affiliations: HashMap<BareJid, Affiliation>,
}

impl Known {
    /// What is to be known of a node.
    pub(crate) async fn of(server: &Server, node: &Node) -> Result<Known, StanzaError> {
        let whose = match node.text(&access_model::FIELD) {
            "presence" | "roster" => whose(server, node).await?,
            _ => None,
        };
        let account = match &whose {
            Some(whose) => server.account(whose).await?,
            None => None,
        };
        let roster = match account {
            Some(account) => Some(crate::roster::items(server, &account).await?),
            None => None,
        };
        Ok(Known {
            whose,
            roster: roster.map(|items| items.into_iter().collect()),
            affiliations: affiliations::all(server, node).await?.into_iter().collect(),
        })
    }

    /// What somebody may do with the node.
    pub(crate) fn affiliation(&self, who: &BareJid) -> Affiliation {
        let known = self.affiliations.get(who).copied();
        known.unwrap_or(Affiliation::None)
    }
}

impl Ask<'_> {
    /// Whose presence and roster count.
    async fn whose(&self) -> Result<Option<BareJid>, StanzaError> {
        match self.known {
            Some(known) => Ok(known.whose.clone()),
            None => whose(self.server, self.node).await,
        }
    }

    /// What that roster says of who asks.
    async fn item(&self, owner: &BareJid) -> Result<Option<StoredItem>, StanzaError> {
        match self.known.and_then(|known| known.roster.as_ref()) {
            Some(roster) => Ok(roster.get(self.who).cloned()),
            None => crate::roster::item_of(self.server, owner, self.who).await,
        }
    }

    /// Whether an owner has not blocked who asks.
    async fn is_free(&self, owner: &BareJid) -> Result<bool, StanzaError> {
        let who = Jid::from(self.who.clone());
        Ok(!blocking::has_blocked(self.server, owner, &who).await?)
    }

    /// Whether who asks is subscribed. Of many, only subscribers are asked about.
    async fn is_subscribed(&self) -> Result<bool, StanzaError> {
        match self.known {
            Some(_) => Ok(true),
            None => subscriptions::is_subscribed(self.server, self.node, self.who).await,
        }
    }
}

/// Whose presence and roster count at a node: the account's, or, at a host, those of who made the node and owns it still.
/// Nobody's else: who is made an owner has not opened their roster to the others.
async fn whose(server: &Server, node: &Node) -> Result<Option<BareJid>, StanzaError> {
    match node.service.kind {
        ServiceKind::Account => Ok(Some(node.service.jid.clone())),
        ServiceKind::Host => {
            let Ok(creator) = node.stored.creator.parse::<BareJid>() else {
                return Ok(None);
            };
            let affiliation = affiliations::of(server, node, &creator).await?;
            Ok((affiliation == Affiliation::Owner).then_some(creator))
        }
    }
}

/// What the node's model says.
async fn verdict(ask: &Ask<'_>) -> Result<Verdict, StanzaError> {
    match ask.node.text(&access_model::FIELD) {
        "open" => Ok(open::verdict()),
        "presence" => presence::verdict(ask).await,
        "roster" => roster::verdict(ask).await,
        "authorize" => Ok(authorize::verdict()),
        // What is not known lets nobody in.
        _ => Ok(whitelist::verdict()),
    }
}

/// Whether somebody may subscribe.
pub(crate) async fn to_subscribe(ask: &Ask<'_>) -> Result<Verdict, StanzaError> {
    if !may(ask.affiliation, Privilege::Subscribe) {
        return Ok(Verdict::Refused(Condition::Forbidden.into()));
    }
    if may(ask.affiliation, Privilege::Retrieve) {
        return Ok(Verdict::Granted);
    }
    verdict(ask).await
}

/// Refuses who may not read.
pub(crate) async fn to_read(ask: &Ask<'_>) -> Result<(), StanzaError> {
    if may(ask.affiliation, Privilege::Retrieve) {
        return Ok(());
    }
    if !may(ask.affiliation, Privilege::Subscribe) {
        return Err(Condition::Forbidden.into());
    }
    match verdict(ask).await? {
        Verdict::Granted => Ok(()),
        // Whoever an owner has let in may read (§6.5.1).
        Verdict::Pending => match ask.is_subscribed().await? {
            true => Ok(()),
            false => Err(waxwing_stanza::xep::xep_0060_pubsub::errors::not_subscribed_to_read()),
        },
        Verdict::Refused(error) => Err(error),
    }
}
