//! XEP-0494: Client Access Management: an account's owner sees which clients have access, and keeps one out.
//!
//! <https://xmpp.org/extensions/xep-0494.html>
//!
//! What is known of them is in `devices/clients.rs`.

use waxwing_stanza::xep::xep_0494_clients::{Clients, List, NS, PASSWORD_RESET_REQUIRED, Revoke};
use waxwing_stanza::{Condition, IqType, Payload, StanzaError};
use waxwing_wire::Element;

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::devices::clients::{self, CLIENT_DAYS, CLIENTS};
use crate::effects::Effects;
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(494),
    title: "Client Access Management",
    version: "0.1.0",
    options: &[CLIENT_DAYS],
    shapes: || vec![CLIENTS.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::OwnAccount], IqType::Get, list);
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, revoke);
    registrar.disco(&[Addressee::OwnAccount], NS);
}

/// §3.1.
async fn list(cx: Cx, _: Iq<List>) -> Handled {
    not_a_guest(&cx)?;
    let clients = clients::list(&cx.server, &cx.session.account).await?;
    Ok(Answer::with(&Clients { clients }))
}

/// §3.2. The client is logged out, and whoever asks is told that it can come back by the password: every client has shown it,
/// since whoever has a token was given it for that.
async fn revoke(cx: Cx, iq: Iq<Revoke>) -> Handled {
    not_a_guest(&cx)?;
    let sessions = clients::revoke(&cx.server, &cx.session.account, &iq.payload.id).await?;
    let sessions = sessions.ok_or(Condition::ItemNotFound)?;
    let error = StanzaError::from(Condition::ServiceUnavailable);
    let error = error.with_app(Element::new(NS, PASSWORD_RESET_REQUIRED));
    let text = "the client is logged out, and knows the password: only another one keeps it out";
    let answer = Answer::refused(iq.payload.write(), error.with_text(text));
    let mut effects = Effects::none();
    // Behind the answer: it may be the client that asks.
    effects.call(move |server| clients::dismiss(server, &sessions));
    Ok(answer.and(effects))
}

/// A guest's only client is the one that asks.
fn not_a_guest(cx: &Cx) -> Result<(), StanzaError> {
    match cx.session.account.is_guest() {
        true => Err(Condition::Forbidden.into()),
        false => Ok(()),
    }
}
