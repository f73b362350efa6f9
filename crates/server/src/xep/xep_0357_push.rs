//! XEP-0357: Push Notifications: a device that nobody looks at is told that there is something to see.
//!
//! <https://xmpp.org/extensions/xep-0357.html>
//!
//! When, and by which way, is in `push.rs`. The app server that is built in is specified in `docs/protocols/push.md`.

use waxwing_stanza::xep::proto_push::{self, AskKey, Key};
use waxwing_stanza::xep::xep_0004_forms::DataForm;
use waxwing_stanza::xep::xep_0060_pubsub::FORM_PUBLISH_OPTIONS;
use waxwing_stanza::xep::xep_0357_push::{Disable, Enable, NS};
use waxwing_stanza::{Condition, IqType, Payload, StanzaError};

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::hooks::Phase;
use crate::push::{
    self, ERRORS_MAX, NODE_BYTES_MAX, OPTIONS_BYTES_MAX, PRIVATE_ENDPOINTS, PUSHES, REVEALS,
    SERVICES_MAX, WEB_PUSH, WEB_PUSH_CONTACT,
};
use crate::registry::{Feature, Registrar, Source, Status};
use crate::server::unavailable;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(357),
    title: "Push Notifications",
    version: "0.4.1",
    status: Status::Partial(
        "app servers of other servers, and word of an app server that it wants no more (§8)",
    ),
    options: &[
        REVEALS,
        ERRORS_MAX,
        SERVICES_MAX,
        WEB_PUSH,
        WEB_PUSH_CONTACT,
        PRIVATE_ENDPOINTS,
    ],
    shapes: || vec![PUSHES.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, enable);
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, disable);
    registrar.iq(&[Addressee::Domain], IqType::Get, key);
    registrar.disco(&[Addressee::OwnAccount], NS);
    registrar.domain_disco(proto_push::NS, |options| options.flag(&WEB_PUSH));
    registrar.on_received(Phase::Observe, push::received);
    registrar.command(push::commands::LIST);
    registrar.ad_hoc(&[Addressee::OwnAccount], push::commands::OWN);
}

/// §5.
async fn enable(cx: Cx, iq: Iq<Enable>) -> Handled {
    not_a_guest(&cx)?;
    let Enable { jid, node, form } = iq.payload;
    let node = node.unwrap_or_default();
    let form = form.as_ref();
    check_sizes(&node, form)?;
    push::check(&cx.server, &cx.session, &jid, form)?;
    let device = {
        let state = cx.session.state();
        state.agent.as_ref().map(|agent| agent.id().to_owned())
    };
    let resource = cx.session.jid.resource().to_owned();
    let account = &cx.session.account;
    let stored = push::enable(&cx.server, account, (&jid, node), (device, resource), form);
    stored.await.map_err(|error| unavailable(&error))?;
    Ok(Answer::empty())
}

fn check_sizes(node: &str, form: Option<&DataForm>) -> Result<(), StanzaError> {
    if let Some(form) = form {
        if form.form_type() != Some(FORM_PUBLISH_OPTIONS) {
            let text = "the form has to be one of publish options";
            return Err(StanzaError::from(Condition::BadRequest).with_text(text));
        }
        if form.write().to_bytes("").len() > OPTIONS_BYTES_MAX {
            let text = format!("the form is longer than {OPTIONS_BYTES_MAX} bytes");
            return Err(StanzaError::from(Condition::PolicyViolation).with_text(text));
        }
    }
    if node.len() > NODE_BYTES_MAX {
        let text = format!("the node's name is longer than {NODE_BYTES_MAX} bytes");
        return Err(StanzaError::from(Condition::PolicyViolation).with_text(text));
    }
    Ok(())
}

/// §6. What is not there is disabled already.
async fn disable(cx: Cx, iq: Iq<Disable>) -> Handled {
    not_a_guest(&cx)?;
    let Disable { jid, node } = iq.payload;
    let account = &cx.session.account;
    let stored = push::disable(&cx.server, account, &jid, node.as_deref());
    stored.await.map_err(|error| unavailable(&error))?;
    Ok(Answer::empty())
}

/// The key that clients subscribe with (`docs/protocols/push.md`).
async fn key(cx: Cx, _: Iq<AskKey>) -> Handled {
    let vapid = cx.server.vapid();
    let vapid = vapid.filter(|_| cx.server.options().flag(&WEB_PUSH));
    let vapid = vapid.ok_or(Condition::ServiceUnavailable)?;
    let key = vapid.public().to_owned();
    Ok(Answer::with(&Key { key }))
}

/// A guest does not come back for what there is to see.
fn not_a_guest(cx: &Cx) -> Result<(), StanzaError> {
    match cx.session.account.is_guest() {
        true => Err(Condition::Forbidden.into()),
        false => Ok(()),
    }
}
