//! Who asks what of which service: what all requests need first.

use std::sync::OnceLock;

use waxwing_stanza::xep::xep_0060_pubsub::Affiliation;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::{BareJid, Condition, Jid, StanzaError};

use crate::accounts;
use crate::cx::{Cx, IqHead};
use crate::effects::{Effects, Turn};
use crate::pubsub::access::{self, Verdict};
use crate::pubsub::attachments::Purpose;
use crate::pubsub::change::Change;
use crate::pubsub::node::{self, Node};
use crate::pubsub::node_options::access_model;
use crate::pubsub::privilege::{Privilege, may};
use crate::pubsub::service::{Service, ServiceKind};
use crate::pubsub::{affiliations, subscriptions};
use crate::roster;
use crate::server::{Server, unavailable};

/// A request.
pub(crate) struct Request {
    /// The server and the session that asks.
    pub(crate) cx: Cx,
    /// Who answers.
    pub(crate) service: Service,
    /// Who asks: the account.
    pub(crate) who: BareJid,
    /// Whether that is a stranger to the account whose service it is, once somebody has looked.
    stranger: OnceLock<bool>,
}

/// A node, and what who asks may do with it.
pub(crate) struct Standing {
    /// The node.
    pub(crate) node: Node,
    /// The affiliation of who asks.
    pub(crate) affiliation: Affiliation,
}

impl Request {
    /// The request of this head.
    pub(crate) fn new(cx: Cx, head: &IqHead) -> Request {
        Request {
            cx,
            service: Service::asked(head),
            who: head.from.bare(),
            stranger: OnceLock::new(),
        }
    }

    /// The server.
    pub(crate) fn server(&self) -> &Server {
        &self.cx.server
    }

    /// Whether who asks is the account whose service this is.
    pub(crate) fn is_own(&self) -> bool {
        affiliations::is_account(&self.service, &self.who)
    }

    /// Waits for the turn to change a node; what is written is to be given the turn.
    pub(crate) async fn turn(&self, node: &str) -> Turn {
        self.server().node_turn(&self.service.jid, node).await
    }

    /// Effects that hold the turn until they are staged.
    pub(crate) fn effects(turn: Turn) -> Effects {
        let mut effects = Effects::none();
        effects.exclusive = Some(turn);
        effects
    }

    /// The same for a request: nothing is written for an account that is removed meanwhile.
    pub(crate) fn writes(&self, turn: Turn) -> Effects {
        let mut effects = Request::effects(turn);
        self.service.require(&mut effects.batch);
        effects
    }

    /// A change by who asks, who has the turn.
    pub(crate) fn change(&self, turn: Turn) -> Change {
        Change::new(self.server(), self.service.clone(), self.who.clone(), turn)
    }

    /// The node that is named.
    pub(crate) async fn node(&self, name: Option<&str>) -> Result<Standing, StanzaError> {
        let name = node::named(name)?;
        match self.find(name).await? {
            Some(standing) => Ok(standing),
            None => Err(self.absent(name).await?),
        }
    }

    /// The node that is named, for who leaves it: whoever is subscribed may, whether or not they see the owner's presence
    /// still.
    pub(crate) async fn node_to_leave(&self, name: Option<&str>) -> Result<Node, StanzaError> {
        let found = self.node(name).await;
        let name = node::named(name)?;
        // Looked for whether there is such a node or not.
        let (server, service) = (self.server(), &self.service);
        let own = subscriptions::of_account_at(server, service, name, &self.who).await?;
        match found {
            Err(_) if !own.is_empty() => {
                let found = node::find(self.server(), &self.service, name).await?;
                found.ok_or(Condition::ItemNotFound.into())
            }
            found => found.map(|standing| standing.node),
        }
    }

    /// The node of this name, if there is one. A stranger to an account is told the same of a node that is hidden from
    /// strangers, of one that is not there, and where there is no such account, after the same work.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Standing>, StanzaError> {
        self.find_for(name, Purpose::Else).await
    }

    /// The same; some nodes are there for who publishes first.
    pub(crate) async fn find_for(
        &self,
        name: &str,
        purpose: Purpose,
    ) -> Result<Option<Standing>, StanzaError> {
        let (server, service) = (self.server(), &self.service);
        let is_stranger = self.is_stranger().await?;
        let is_closed = self.is_closed().await?;
        let node = node::find_for(server, service, name, purpose).await?;
        let node = node.filter(|_| !is_closed);
        let affiliation = affiliations::at(server, service, name, &self.who).await?;
        let found = node.map(|node| Standing { node, affiliation });
        if is_stranger && !found.as_ref().is_some_and(Standing::is_shown_to_strangers) {
            return Err(Fault::PresenceSubscriptionRequired.error());
        }
        Ok(found)
    }

    /// Whether this is the service of an account that is disabled, or of none.
    pub(crate) async fn is_closed(&self) -> Result<bool, StanzaError> {
        if self.service.kind == ServiceKind::Host || self.is_own() {
            return Ok(false);
        }
        let account = accounts::load(self.server().store(), &self.service.jid).await;
        let account = account.map_err(|error| unavailable(&error))?;
        Ok(account.is_none_or(|account| account.disabled))
    }

    /// Whether this is the service of an account whose presence is not seen by who asks.
    async fn is_stranger(&self) -> Result<bool, StanzaError> {
        if self.service.kind == ServiceKind::Host || self.is_own() {
            return Ok(false);
        }
        if let Some(known) = self.stranger.get() {
            return Ok(*known);
        }
        let sees = roster::sees_presence(self.server(), &self.who, &self.service.jid).await?;
        Ok(*self.stranger.get_or_init(|| !sees))
    }

    /// Why there is no such node.
    pub(crate) async fn absent(&self, name: &str) -> Result<StanzaError, StanzaError> {
        let error = node::absent(self.server(), &self.service, name, &self.who).await?;
        self.told(error).await
    }

    /// The node that is named, which who asks owns.
    pub(crate) async fn owned(&self, name: Option<&str>) -> Result<Node, StanzaError> {
        // A stranger to an account is told the same of all nodes, whether they are there or not.
        let standing = match self.node(name).await {
            Err(error) if error.app == Fault::PresenceSubscriptionRequired.error().app => {
                return Err(Condition::Forbidden.into());
            }
            standing => standing?,
        };
        match may(standing.affiliation, Privilege::Own) {
            true => Ok(standing.node),
            false => Err(Condition::Forbidden.into()),
        }
    }

    /// What who asks is told of an error: of an account whose presence they do not see, nothing that tells a node that is
    /// there from one that is not, nor an account from none.
    pub(crate) async fn told(&self, error: StanzaError) -> Result<StanzaError, StanzaError> {
        Ok(match self.is_stranger().await? {
            true => Fault::PresenceSubscriptionRequired.error(),
            false => error,
        })
    }

    fn ask<'a>(&'a self, standing: &'a Standing) -> access::Ask<'a> {
        access::Ask {
            server: self.server(),
            node: &standing.node,
            who: &self.who,
            affiliation: standing.affiliation,
            known: None,
        }
    }

    /// Whether who asks may subscribe.
    pub(crate) async fn may_subscribe(&self, standing: &Standing) -> Result<Verdict, StanzaError> {
        match access::to_subscribe(&self.ask(standing)).await? {
            Verdict::Refused(error) => Ok(Verdict::Refused(self.told(error).await?)),
            verdict => Ok(verdict),
        }
    }

    /// Refuses who may not read.
    pub(crate) async fn check_read(&self, standing: &Standing) -> Result<(), StanzaError> {
        match access::to_read(&self.ask(standing)).await {
            Err(error) => Err(self.told(error).await?),
            Ok(()) => Ok(()),
        }
    }

    /// Whose subscription is meant: it must be that of who asks.
    pub(crate) fn own_jid(&self, jid: &Jid) -> bool {
        jid.bare() == self.who
    }
}

impl Standing {
    /// Whether the node lets in those who do not see the owner's presence, or lets them ask; or this one in particular.
    fn is_shown_to_strangers(&self) -> bool {
        match self.affiliation {
            Affiliation::Outcast => false,
            Affiliation::None => {
                matches!(self.node.text(&access_model::FIELD), "open" | "authorize")
            }
            _ => true,
        }
    }

    /// Whether the affiliation allows this.
    pub(crate) fn may(&self, privilege: Privilege) -> bool {
        may(self.affiliation, privilege)
    }
}
