//! What somebody is told of a subscription or an affiliation (XEP-0060 §8.8.4, §8.9.4, §12.16).

use waxwing_stanza::xep::xep_0060_pubsub::Affiliation;
use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};
use waxwing_stanza::xep::xep_0060_pubsub::request::{Affiliated, Affiliations, Pubsub};
use waxwing_stanza::{BareJid, Payload, StanzaError};

use crate::effects::Effects;
use crate::pubsub::affiliations;
use crate::pubsub::node::Node;
use crate::pubsub::notify::{self, Audience, Notice};
use crate::pubsub::subscriptions::Subscription;
use crate::server::Server;

fn event(subscription: &Subscription) -> Event {
    Event::of(event::Subscription {
        node: subscription.node.clone(),
        jid: subscription.jid.clone(),
        subid: Some(subscription.id.clone()),
        subscription: subscription.state,
        expiry: None,
    })
}

/// A subscriber is told what has become of the subscription.
pub(crate) async fn tell_subscriber(
    server: &Server,
    node: &Node,
    subscription: &Subscription,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let notice = Notice::of(server, node, &event(subscription))?;
    let audience = Audience::these(std::slice::from_ref(subscription));
    notify::tell(server, node, notice, audience, effects).await
}

/// Owners are told who has subscribed or unsubscribed (`pubsub#notify_sub`).
pub(crate) async fn tell_owners(
    server: &Server,
    node: &Node,
    subscription: &Subscription,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let notice = Notice::of(server, node, &event(subscription))?;
    let notice = notice.caused_by(subscription.jid.bare());
    let owners = affiliations::owners(server, node).await?;
    notify::tell(server, node, notice, Audience::accounts(owners), effects).await
}

/// Somebody is told of another affiliation.
pub(crate) async fn tell_affiliate(
    server: &Server,
    node: &Node,
    who: &BareJid,
    affiliation: Affiliation,
    effects: &mut Effects,
) -> Result<(), StanzaError> {
    let content = Pubsub::of(Affiliations {
        node: Some(node.name.clone()),
        affiliations: vec![Affiliated {
            node: None,
            jid: Some(who.clone().into()),
            affiliation,
        }],
    });
    let notice = Notice::passing(server, node, &content.write())?;
    notify::tell(
        server,
        node,
        notice,
        Audience::accounts([who.clone()]),
        effects,
    )
    .await
}
