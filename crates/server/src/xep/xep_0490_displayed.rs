//! XEP-0490: Message Displayed Synchronization: how far each chat was read, for the account alone.
//!
//! <https://xmpp.org/extensions/xep-0490.html>

use std::borrow::Cow;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;
use waxwing_stanza::xep::xep_0060_pubsub::request::Item;
use waxwing_stanza::xep::xep_0490_displayed::{DISPLAYED, NODE, NS_ASSIST};
use waxwing_stanza::{Condition, MessageType, StanzaError};
use waxwing_wire::{ChildView, Element};

use crate::addressee::Addressee;
use crate::hooks::{Later, Phase, Sending};
use crate::pubsub::change::Change;
use crate::pubsub::fields::Settings;
use crate::pubsub::limits;
use crate::pubsub::links::Done;
use crate::pubsub::node::check_name;
use crate::pubsub::node_options::access_model;
use crate::pubsub::profile::{Name, Profile};
use crate::registry::{Feature, Registrar, Source};
use crate::server::Server;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(490),
    title: "Message Displayed Synchronization",
    version: "1.0.1",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.node(Profile {
        name: Name::Is(NODE),
        // What clients ask for when they publish (§4.1).
        access_model: "whitelist",
        max_items: "max",
        more: &[("send_last_published_item", "never")],
    });
    registrar.disco(&[Addressee::OwnAccount], NS_ASSIST);
    registrar.on_sending(Phase::Rewrite, take_marker);
}

/// Server assist (§4.5.3): a marker goes from the message, whoever that is for, and into the node of who sends it. Nobody
/// else learns of it.
fn take_marker(_server: &Server, sending: &mut Sending) -> Result<(), StanzaError> {
    let is_marker = |child: &ChildView<'_>| child.name() == DISPLAYED && child.ns() == NODE;
    let is_with_one = sending.stanza.children().any(|child| is_marker(&child));
    let session = &sending.session;
    // What is at a component is its own server's matter.
    if !is_with_one || session.account.is_outside() {
        return Ok(());
    }
    let mut markers = Vec::new();
    let mut splice = sending.stanza.splice();
    for (at, child) in sending.stanza.children().enumerate() {
        if is_marker(&child) {
            markers.push(child.element());
            splice = splice.remove_child(at);
        }
    }
    let without = splice.stanza();
    let without = without.map_err(|_| Condition::InternalServerError)?;
    // An error repeats what somebody else has sent, and a component speaks for the account by its leave to send messages.
    let is_own = sending.kind != MessageType::Error && session.component().is_none();
    sending.stanza = without;
    if !is_own || session.account.is_guest() {
        return Ok(());
    }
    let [marker] = <[Element; 1]>::try_from(markers).map_err(|_| {
        StanzaError::from(Condition::BadRequest).with_text("a message has one marker at most")
    })?;
    let later: Later = Box::new(move |server, sending| publish(server, sending, marker));
    sending.later.push(later);
    Ok(())
}

/// Publishes a marker in the message's own commit; its name is whom the message is for, as it was written.
fn publish<'a>(
    server: &'a Server,
    sending: &'a mut Sending,
    marker: Element,
) -> BoxFuture<'a, Result<(), StanzaError>> {
    async move {
        let own = &sending.session.account.jid;
        let name = sending
            .stanza
            .to()
            .map_or_else(|| own.to_string(), Cow::into_owned);
        check_name(&name)?;
        let mut change = Change::of_account(server, own, NODE).await;
        let node = change.find_or_make(NODE, Settings::default()).await?;
        if marker.to_bytes("").len() as u64 > limits::payload_bytes(server, &node) {
            return Err(Fault::PayloadTooBig.error());
        }
        // One that others may read was made so by its owner; what was read is told to nobody by the way (§7).
        if node.text(&access_model::FIELD) != "whitelist" {
            return Err(Fault::PreconditionNotMet
                .error()
                .with_text("the node of markers is not for its owner alone"));
        }
        let item = Item {
            payload: vec![marker.clone()],
            ..Item::named(&name)
        };
        let id = change.publish(&node, &item).await?;
        let done = Done::Published {
            id,
            payload: Some(marker),
        };
        let effects = change.done(&node, &done).await?;
        sending.effects.extend(effects);
        Ok(())
    }
    .boxed()
}
