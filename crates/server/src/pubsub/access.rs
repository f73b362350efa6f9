//! Access models: who may subscribe to a node and read its items (XEP-0060 §4.5). One file a model.

mod authorize;
mod open;
mod presence;
mod roster;
mod whitelist;

use waxwing_stanza::xep::xep_0060_pubsub::Affiliation;
use waxwing_stanza::{BareJid, Condition, Jid, StanzaError};

use crate::blocking;
use crate::pubsub::node::Node;
use crate::pubsub::node_options::access_model;
use crate::pubsub::privilege::{Privilege, may};
use crate::pubsub::service::ServiceKind;
use crate::pubsub::{affiliations, subscriptions};
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
    /// The owners of the node, where they are known already.
    pub(crate) owners: Option<&'a [BareJid]>,
}

/// Most owners whose presence and rosters are asked for one answer.
const OWNERS_ASKED_MAX: usize = 20;

impl Ask<'_> {
    /// Those whose presence and roster count: the account, or the owners of the node.
    async fn owners(&self) -> Result<Vec<BareJid>, StanzaError> {
        if let Some(known) = self.owners {
            return Ok(known.to_vec());
        }
        owners(self.server, self.node).await
    }

    /// Whether an owner has not blocked who asks.
    async fn is_free(&self, owner: &BareJid) -> Result<bool, StanzaError> {
        let who = Jid::from(self.who.clone());
        Ok(!blocking::has_blocked(self.server, owner, &who).await?)
    }
}

/// Those whose presence and roster count at a node.
pub(crate) async fn owners(server: &Server, node: &Node) -> Result<Vec<BareJid>, StanzaError> {
    match node.service.kind {
        ServiceKind::Account => Ok(vec![node.service.jid.clone()]),
        ServiceKind::Host => {
            let mut owners = affiliations::owners(server, node).await?;
            owners.truncate(OWNERS_ASKED_MAX);
            Ok(owners)
        }
    }
}

/// The same, where the node's model asks for them.
pub(crate) async fn owners_asked(
    server: &Server,
    node: &Node,
) -> Result<Option<Vec<BareJid>>, StanzaError> {
    match node.text(&access_model::FIELD) {
        "presence" | "roster" => owners(server, node).await.map(Some),
        _ => Ok(None),
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
        Verdict::Pending => match subscriptions::is_subscribed(ask.server, ask.node, ask.who)
            .await?
        {
            true => Ok(()),
            false => Err(waxwing_stanza::xep::xep_0060_pubsub::errors::not_subscribed_to_read()),
        },
        Verdict::Refused(error) => Err(error),
    }
}
