//! XEP-0379: Pre-Authenticated Roster Subscription: who shows the token of a contact's invitation needs no approval.
//!
//! <https://xmpp.org/extensions/xep-0379.html>
//!
//! Invitations are made by XEP-0401, and what becomes of them is in `invitations.rs`. A token that the server does not know is
//! left to the contact's client.

use std::sync::Arc;

use waxwing_stanza::xep::xep_0379_preauth::Preauth;
use waxwing_stanza::{BareJid, Payload, StanzaError};
use waxwing_wire::Stanza;

use crate::blocking;
use crate::cx::Cx;
use crate::directory::Account;
use crate::effects::Effects;
use crate::invitations::{self, Purpose, Use};
use crate::presence;
use crate::registry::{Feature, Source};
use crate::roster::{self, StoredItem};
use crate::server::Server;
use crate::subscription::Request;
use crate::xep::rfc6121_subscription::{on_behalf, store_change, tell_sessions};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(379),
    title: "Pre-Authenticated Roster Subscription",
    version: "0.3.3",
    ..Feature::NONE
};

/// Whether a request for a subscription was met by an invitation; otherwise it goes its usual way. The caller has the turn of
/// both rosters.
pub(crate) async fn met(
    cx: &Cx,
    contact: &BareJid,
    stanza: &Stanza,
    effects: &mut Effects,
) -> Result<bool, StanzaError> {
    let (server, asker) = (&cx.server, &cx.session.account);
    if !Preauth::is_in(stanza) || asker.is_guest() {
        return Ok(false);
    }
    let Some(inviter) = server.account(contact).await? else {
        return Ok(false);
    };
    // XEP-0191 §3.3: for who is blocked it is as if there were no invitation.
    if blocking::is_kept_from(&inviter, &asker.jid.clone().into()) {
        return Ok(false);
    }
    let Some(invited) = invitations::welcome(server, &inviter, stanza).await? else {
        return Ok(false);
    };
    let both = Both {
        asker: roster::item(server, asker, &inviter.jid)
            .await?
            .unwrap_or_default(),
        inviter: roster::item(server, &inviter, &asker.jid)
            .await?
            .unwrap_or_default(),
    };
    if both.inviter.from {
        // They know each other: nothing is used up.
        return Ok(false);
    }
    if !both.fits(server, asker, &inviter).await? {
        return Ok(false);
    }
    both.introduce(server, asker, &inviter, effects);
    invitations::use_up(
        &mut effects.batch,
        &invited.owner,
        &invited.id,
        &invited.invitation,
        &Use {
            account: &asker.jid,
            purpose: Purpose::Contact,
            at_micros: server.now_micros(),
        },
    );
    Ok(true)
}

/// What each has of the other in the roster.
struct Both {
    asker: StoredItem,
    inviter: StoredItem,
}

impl Both {
    /// Whether both have room for one contact more.
    async fn fits(
        &self,
        server: &Server,
        asker: &Account,
        inviter: &Account,
    ) -> Result<bool, StanzaError> {
        let is_full = (!self.asker.listed && roster::is_full(server, asker, true).await?)
            || (!self.inviter.listed && roster::is_full(server, inviter, true).await?);
        Ok(!is_full)
    }

    /// "Approval by the User and Mutual Subscription Request": the inviter approves, and asks in turn; who has approved that in
    /// advance is not asked.
    fn introduce(
        &self,
        server: &Server,
        asker: &Arc<Account>,
        inviter: &Arc<Account>,
        effects: &mut Effects,
    ) {
        let (mut asking, _) = self.asker.state().outbound(Request::Subscribe);
        let (mut inviting, _) = self.inviter.state().inbound(Request::Subscribe);
        inviting.pending_in = false;
        inviting.from = true;
        let (next, approved) = asking.inbound(Request::Subscribed);
        asking = next;
        let mut asks = false;
        if !inviting.to {
            (inviting, _) = inviting.outbound(Request::Subscribe);
            let answered = asking.answers_subscribe();
            (asking, asks) = asking.inbound(Request::Subscribe);
            if answered {
                (inviting, _) = inviting.inbound(Request::Subscribed);
            }
        }
        let request = on_behalf(&inviter.jid, &asker.jid, Request::Subscribe);
        let (mut own, mut theirs) = (self.asker.clone(), self.inviter.clone());
        own.set_state(asking, Some(&request));
        theirs.set_state(inviting, None);
        if approved {
            let stanza = on_behalf(&inviter.jid, &asker.jid, Request::Subscribed);
            tell_sessions(asker.clone(), Request::Subscribed, stanza, effects);
        }
        store_change(server, asker, &inviter.jid, &self.asker, &own, effects);
        store_change(server, inviter, &asker.jid, &self.inviter, &theirs, effects);
        if asks {
            tell_sessions(asker.clone(), Request::Subscribe, request, effects);
        }
        presence::introduce(inviter, &asker.jid, effects);
        if own.from && !self.asker.from {
            presence::introduce(asker, &inviter.jid, effects);
        }
    }
}
