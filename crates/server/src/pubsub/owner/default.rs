//! Request default node configuration options (XEP-0060 §8.3).

use waxwing_stanza::xep::xep_0004_forms::FormKind;
use waxwing_stanza::xep::xep_0060_pubsub::FORM_NODE_CONFIG;
use waxwing_stanza::xep::xep_0060_pubsub::errors::unsupported;
use waxwing_stanza::xep::xep_0060_pubsub::owner::{Default, PubsubOwner};

use crate::cx::{Answer, Handled};
use crate::pubsub::fields::{self, Settings};
use crate::pubsub::node_options;
use crate::pubsub::request::Request;

/// Of leaves; there are no collections.
pub(super) fn get(request: &Request, asked: &Default) -> Handled {
    if asked.kind.as_deref().is_some_and(|kind| kind != "leaf") {
        return Err(unsupported("collections"));
    }
    let form = fields::form(
        FormKind::Form,
        FORM_NODE_CONFIG,
        node_options::FIELDS,
        &Settings::default(),
        request.service.kind,
    );
    Ok(Answer::with(&PubsubOwner::of(Default {
        kind: asked.kind.clone(),
        form: Some(form),
    })))
}
