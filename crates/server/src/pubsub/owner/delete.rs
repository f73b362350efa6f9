//! Delete a node (XEP-0060 §8.4).

use waxwing_stanza::xep::xep_0060_pubsub::event::{self, Event};
use waxwing_stanza::xep::xep_0060_pubsub::owner::Delete;
use waxwing_stanza::{Condition, StanzaError};

use crate::cx::{Answer, Handled};
use crate::effects::Effects;
use crate::pubsub::change::Change;
use crate::pubsub::links::Done;
use crate::pubsub::node::Node;
use crate::pubsub::node_options::notify_delete;
use crate::pubsub::notify::{self, Audience, Notice};
use crate::pubsub::request::Request;
use crate::pubsub::stored::Gone;
use crate::pubsub::{limits, sweeping};

/// Most bytes of the URI of where a node has gone.
const URI_BYTES_MAX: usize = 2_048;

/// With everything that belongs to it.
pub(super) async fn set(request: &Request, asked: &Delete) -> Handled {
    let turn = request
        .turn(asked.node.as_deref().unwrap_or_default())
        .await;
    let node = request.owned(asked.node.as_deref()).await?;
    let uri = asked
        .redirect
        .as_ref()
        .map(|redirect| redirect.uri.as_str());
    if uri.is_some_and(|uri| uri.is_empty() || uri.len() > URI_BYTES_MAX) {
        return Err(StanzaError::from(Condition::BadRequest)
            .with_text(format!("a URI has 1 to {URI_BYTES_MAX} bytes")));
    }
    if uri.is_some() {
        limits::check_redirects(request.server(), &request.service, &request.who).await?;
    }
    let effects = removed(request.change(turn), &node, uri).await?;
    Ok(Answer::empty().and(effects))
}

/// Removes a node by a change that has its turn.
pub(crate) async fn removed(
    mut change: Change,
    node: &Node,
    uri: Option<&str>,
) -> Result<Effects, StanzaError> {
    let server = change.server().clone();
    change.emptied(node);
    let debris = sweeping::clear(&server, node, &mut change.effects().batch).await?;
    let gone = uri.map(|uri| Gone {
        uri: uri.to_owned(),
        owner: change.who().to_string(),
        service: node.service.jid.to_string(),
        open: node.is_open(),
    });
    node.delete(&mut change.effects().batch, gone.as_ref());
    if node.is(&notify_delete::FIELD) {
        let event = Event::of(event::Delete {
            node: node.name.clone(),
            redirect: uri.map(|uri| event::Redirect {
                uri: uri.to_owned(),
            }),
        });
        let notice = Notice::of(&server, node, &event)?;
        // Those who wait for approval or have not configured their subscription are told, too.
        let audience = Audience::with_those_who_wait(&server, node).await?;
        notify::tell(&server, node, notice, audience, change.effects()).await?;
    }
    let mut effects = change.done(node, &Done::Emptied).await?;
    sweeping::sweep_later(debris, &mut effects);
    Ok(effects)
}
