//! What subscribers and publishers ask (XEP-0060 §5 to §7, §8.1): one file a request.

pub(crate) mod affiliations;
pub(crate) mod create;
pub(crate) mod default;
pub(crate) mod items;
pub(crate) mod options;
pub(crate) mod publish;
pub(crate) mod retract;
pub(crate) mod subscribe;
pub(crate) mod subscriptions;
pub(crate) mod unsubscribe;

use waxwing_stanza::Condition;
use waxwing_stanza::xep::xep_0060_pubsub::request::{Part, Pubsub};

use crate::cx::{Cx, Handled, Iq};
use crate::pubsub::items::Question;
use crate::pubsub::request::Request;

/// Answers what changes nothing.
pub(crate) async fn get(cx: Cx, iq: Iq<Pubsub>) -> Handled {
    let request = Request::new(cx, &iq.head);
    match iq.payload.parts.as_slice() {
        [Part::Affiliations(asked)] => affiliations::get(&request, asked, None).await,
        [Part::Affiliations(asked), Part::Set(set)] => {
            affiliations::get(&request, asked, Some(set)).await
        }
        [Part::Default(asked)] => default::get(&request, asked).await,
        [Part::Items(asked), rest @ ..] => {
            let mut question = Question {
                newest: asked.max_items,
                ..Question::default()
            };
            for part in rest {
                match part {
                    Part::Set(set) if question.set.is_none() => question.set = Some(set.clone()),
                    Part::Order(order) if question.order.is_none() => {
                        question.order = Some(order.clone());
                    }
                    _ => return Err(Condition::BadRequest.into()),
                }
            }
            items::get(&request, asked, &question).await
        }
        [Part::Options(asked)] => options::get(&request, asked).await,
        [Part::Subscriptions(asked)] => subscriptions::get(&request, asked, None).await,
        [Part::Subscriptions(asked), Part::Set(set)] => {
            subscriptions::get(&request, asked, Some(set)).await
        }
        _ => Err(Condition::BadRequest.into()),
    }
}

/// Does what is to be changed. Which parts belong together, and in which order, is what the patterns say (§6.3.7, §8.1.3).
pub(crate) async fn set(cx: Cx, iq: Iq<Pubsub>) -> Handled {
    let request = Request::new(cx, &iq.head);
    match iq.payload.parts.as_slice() {
        [Part::Create(asked)] => create::set(&request, asked, None).await,
        [Part::Create(asked), Part::Configure(given)] => {
            create::set(&request, asked, Some(given)).await
        }
        [Part::Options(asked)] => options::set(&request, asked).await,
        [Part::Publish(asked)] => publish::set(&request, asked, None).await,
        [Part::Publish(asked), Part::PublishOptions(given)] => {
            publish::set(&request, asked, Some(given)).await
        }
        [Part::Retract(asked)] => retract::set(&request, asked).await,
        [Part::Subscribe(asked)] => subscribe::set(&request, asked, None).await,
        [Part::Subscribe(asked), Part::Options(given)] => {
            subscribe::set(&request, asked, Some(given)).await
        }
        [Part::Unsubscribe(asked)] => unsubscribe::set(&request, asked).await,
        _ => Err(Condition::BadRequest.into()),
    }
}
