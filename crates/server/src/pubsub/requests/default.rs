//! Request default subscription configuration options (XEP-0060 §6.4).

use waxwing_stanza::xep::xep_0004_forms::FormKind;
use waxwing_stanza::xep::xep_0060_pubsub::FORM_SUBSCRIBE_OPTIONS;
use waxwing_stanza::xep::xep_0060_pubsub::request::{Default, Pubsub};

use crate::cx::{Answer, Handled};
use crate::pubsub::fields::{self, Settings};
use crate::pubsub::request::Request;
use crate::pubsub::subscribe_options;

/// All nodes have the same; who may not see a node learns nothing of it.
pub(super) async fn get(request: &Request, asked: &Default) -> Handled {
    if asked.node.is_some() {
        let standing = request.node(asked.node.as_deref()).await?;
        request.check_read(&standing).await?;
    }
    let form = fields::form(
        FormKind::Result,
        FORM_SUBSCRIBE_OPTIONS,
        subscribe_options::FIELDS,
        &Settings::default(),
        request.service.kind,
    );
    Ok(Answer::with(&Pubsub::of(Default {
        node: asked.node.clone(),
        form: Some(form),
    })))
}
