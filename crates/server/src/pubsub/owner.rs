//! What owners of a node ask (XEP-0060 §8): one file a request.

mod affiliations;
mod configure;
mod default;
pub(crate) mod delete;
pub(crate) mod purge;
mod subscriptions;

use waxwing_stanza::Condition;
use waxwing_stanza::xep::xep_0060_pubsub::owner::{Part, PubsubOwner};

use crate::cx::{Cx, Handled, Iq};
use crate::pubsub::attachments;
use crate::pubsub::request::Request;

/// Answers what changes nothing.
pub(crate) async fn get(cx: Cx, iq: Iq<PubsubOwner>) -> Handled {
    let request = Request::new(cx, &iq.head);
    match iq.payload.parts.as_slice() {
        [Part::Affiliations(asked)] => affiliations::get(&request, asked, None).await,
        [Part::Affiliations(asked), Part::Set(set)] => {
            affiliations::get(&request, asked, Some(set)).await
        }
        [Part::Configure(asked)] => configure::get(&request, asked).await,
        [Part::Default(asked)] => default::get(&request, asked),
        [Part::Subscriptions(asked)] => subscriptions::get(&request, asked, None).await,
        [Part::Subscriptions(asked), Part::Set(set)] => {
            subscriptions::get(&request, asked, Some(set)).await
        }
        _ => Err(Condition::BadRequest.into()),
    }
}

/// Does what is to be changed.
pub(crate) async fn set(cx: Cx, iq: Iq<PubsubOwner>) -> Handled {
    let request = Request::new(cx, &iq.head);
    for part in &iq.payload.parts {
        attachments::check_owner(&request, part)?;
    }
    match iq.payload.parts.as_slice() {
        [Part::Affiliations(asked)] => affiliations::set(&request, asked).await,
        [Part::Configure(asked)] => configure::set(&request, asked).await,
        [Part::Delete(asked)] => delete::set(&request, asked).await,
        [Part::Purge(asked)] => purge::set(&request, asked).await,
        [Part::Subscriptions(asked)] => subscriptions::set(&request, asked).await,
        _ => Err(Condition::BadRequest.into()),
    }
}
