//! Manage affiliations (XEP-0060 §8.9).

use std::collections::BTreeSet;

use waxwing_stanza::xep::xep_0059_rsm::ResultSet;
use waxwing_stanza::xep::xep_0060_pubsub::owner::{Affiliated, Affiliations, Part, PubsubOwner};
use waxwing_stanza::xep::xep_0060_pubsub::{Affiliation, SubscriptionState};
use waxwing_stanza::{BareJid, Condition, Payload, StanzaError};

use crate::blocking;
use crate::cx::{Answer, Handled};
use crate::effects::Effects;
use crate::pubsub::affiliations::{self, AFFILIATIONS_MAX};
use crate::pubsub::lists::{self, Listed};
use crate::pubsub::node::Node;
use crate::pubsub::privilege::may_become;
use crate::pubsub::request::Request;
use crate::pubsub::{authorization, items, notices, subscriptions};
use crate::roster;

/// Most changes of one request.
const CHANGES_MAX: usize = 500;

impl Listed for (BareJid, Affiliation) {
    fn name(&self) -> String {
        self.0.to_string()
    }

    fn bytes(&self) -> usize {
        items::listed_bytes(&[self.0.as_ref()])
    }
}

/// All of them.
pub(super) async fn get(
    request: &Request,
    asked: &Affiliations,
    set: Option<&ResultSet>,
) -> Handled {
    let node = request.owned(asked.node.as_deref()).await?;
    let all = affiliations::all(request.server(), &node).await?;
    let (found, page) = lists::page(all, set)?;
    let told = found.into_iter().map(|(jid, affiliation)| Affiliated {
        jid: Some(jid.into()),
        affiliation: Some(affiliation),
    });
    let mut answer = PubsubOwner::of(Affiliations {
        node: Some(node.name),
        affiliations: told.collect(),
    });
    answer.parts.extend(page.map(Part::Set));
    Ok(Answer::with(&answer))
}

/// Changes some. Those that cannot be are told as they are, and the others are made (§8.9.2.4).
pub(super) async fn set(request: &Request, asked: &Affiliations) -> Handled {
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let node = request.owned(asked.node.as_deref()).await?;
    let changes = changes(asked)?;
    let mut now = affiliations::all(request.server(), &node).await?;
    let mut effects = request.writes(turn);
    let mut refused = Vec::new();
    for (who, to) in changes {
        let at = now.iter().position(|(jid, _)| *jid == who);
        let from = at.map_or(Affiliation::None, |at| now[at].1);
        let owners = now
            .iter()
            .filter(|(_, affiliation)| *affiliation == Affiliation::Owner);
        let is_last_owner = from == Affiliation::Owner && owners.count() < 2;
        let stays_as_it_is = affiliations::is_account(&node.service, &who) || is_last_owner;
        let has_no_room = at.is_none() && now.len() >= AFFILIATIONS_MAX;
        if from == to {
            continue;
        }
        let is_possible = !stays_as_it_is && !has_no_room && may_become(from, to);
        if !is_possible || (to == Affiliation::Owner && !trusts(request, &who).await?) {
            refused.push(Affiliated {
                jid: Some(who.into()),
                affiliation: Some(from),
            });
            continue;
        }
        match at {
            Some(at) => now[at].1 = to,
            None => now.push((who.clone(), to)),
        }
        change(request, &node, &who, to, &mut effects).await?;
    }
    if refused.is_empty() {
        return Ok(Answer::empty().and(effects));
    }
    let payload = PubsubOwner::of(Affiliations {
        node: Some(node.name),
        affiliations: refused,
    });
    let text = "these stay as they are: a node keeps an owner, and an owner is an account here that shows you its presence";
    let error = StanzaError::from(Condition::NotAcceptable).with_text(text);
    Ok(Answer::refused(payload.write(), error).and(effects))
}

/// What is asked for, of bare addresses, each once.
fn changes(asked: &Affiliations) -> Result<Vec<(BareJid, Affiliation)>, StanzaError> {
    if asked.affiliations.len() > CHANGES_MAX {
        return Err(Condition::PolicyViolation.into());
    }
    let mut seen = BTreeSet::new();
    let mut changes = Vec::new();
    for wanted in &asked.affiliations {
        let who = wanted.jid.as_ref().ok_or(Condition::BadRequest)?.bare();
        if !seen.insert(who.clone()) {
            return Err(Condition::BadRequest.into());
        }
        if let Some(affiliation) = wanted.affiliation {
            changes.push((who, affiliation));
        }
    }
    Ok(changes)
}

/// Whether somebody may be made an owner by who acts: owners are asked and told things, may not be able to tell who it was
/// that made them so, and answer for the node. It takes an account that is there, and shows its presence to who acts.
async fn trusts(request: &Request, who: &BareJid) -> Result<bool, StanzaError> {
    if *who == request.who {
        return Ok(true);
    }
    let server = request.server();
    let Some(account) = server.account(who).await? else {
        return Ok(false);
    };
    let is_shown = roster::sees_presence(server, &request.who, who).await?;
    Ok(is_shown && !blocking::is_kept_from(&account, &request.who.clone().into()))
}

/// Whether somebody has the owner who acts in their roster, and has not blocked them: others are told nothing, since the
/// service's address says it, which nobody blocks.
async fn is_known(request: &Request, who: &BareJid) -> Result<bool, StanzaError> {
    let Some(account) = request.server().account(who).await? else {
        return Ok(false);
    };
    let item = roster::item(request.server(), &account, &request.who).await?;
    let is_listed = item.is_some_and(|item| item.listed);
    Ok(is_listed && !blocking::is_kept_from(&account, &request.who.clone().into()))
}

/// Makes a change. Requests to subscribe that wait are settled by it (§8.7.4); who is cast out is subscribed no more.
async fn change(
    request: &Request,
    node: &Node,
    who: &BareJid,
    to: Affiliation,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let server = request.server();
    affiliations::set(node, who, to, &mut effects.batch);
    let own = subscriptions::of_account(server, node, who).await?;
    if !own.is_empty() || *who == request.who || is_known(request, who).await? {
        notices::tell_affiliate(server, node, who, to, effects).await?;
    }
    for one in own {
        let is_pending = one.state == SubscriptionState::Pending;
        match to {
            Affiliation::Outcast => {
                authorization::settle(server, node, one, false, effects).await?;
            }
            Affiliation::Owner | Affiliation::Publisher | Affiliation::Member if is_pending => {
                authorization::settle(server, node, one, true, effects).await?;
            }
            _ => {}
        }
    }
    Ok(())
}
