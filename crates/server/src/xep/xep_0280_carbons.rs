//! XEP-0280: Message Carbons.
//!
//! <https://xmpp.org/extensions/xep-0280.html>
//!
//! Which messages are copied to whom is decided in `keep.rs` (§6.1).

use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::xep::xep_0280_carbons::{Direction, Disable, Enable, NS, copy as forwarded};
use waxwing_stanza::{BareJid, IqType, Payload};
use waxwing_store::LogId;
use waxwing_wire::{Stanza, Writer, ns};

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::hooks::{Phase, Received, Sent};
use crate::keep::Copies;
use crate::registry::{Feature, Registrar, Source};
use crate::server::Server;
use crate::session::{Flag, Out, Session};

/// Set on sessions that want copies.
pub const ENABLED: Flag = Flag {
    bit: 1,
    name: "carbons",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(280),
    title: "Message Carbons",
    version: "1.0.1",
    flags: &[ENABLED],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, enable);
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, disable);
    // Together with a resource (XEP-0386 §3.3).
    registrar.bind2_feature(NS, |_, session, asked| {
        session.set(ENABLED, Enable::is(asked));
        None
    });
    registrar.on_received(Phase::Act, received);
    registrar.on_sent(Phase::Act, sent);
    registrar.disco(&[Addressee::OwnAccount, Addressee::Domain], NS);
    // Not `rules:0` (§6.2): an error would have to be copied where what it answers was, and which
    // message that is nobody keeps.
}

async fn enable(cx: Cx, _: Iq<Enable>) -> Handled {
    cx.session.set(ENABLED, true);
    Ok(Answer::empty())
}

async fn disable(cx: Cx, _: Iq<Disable>) -> Handled {
    cx.session.set(ENABLED, false);
    Ok(Answer::empty())
}

/// Copies to the recipient's sessions that did not get the message itself (§7).
fn received(_: &Server, received: &Received<'_>) {
    let delivery = received.delivery;
    if delivery.fate.copies != Copies::Both {
        return;
    }
    let own = delivery
        .sender
        .as_ref()
        .filter(|sender| sender.account.jid == delivery.account.jid);
    // A copy must not settle what its recipient finds among its undelivered messages.
    let is_read = |id| received.sessions.iter().any(|got| got.state().reads(id));
    copy(
        &delivery.account.sessions(),
        Direction::Received,
        &delivery.stanza,
        delivery.id,
        delivery.id.is_some_and(is_read),
        delivery.full.is_none(),
        |session| {
            // A message to oneself: the sender's session has it, and `sent` copies would double it.
            own.is_some_and(|own| Arc::ptr_eq(own, session))
                || received
                    .sessions
                    .iter()
                    .any(|got| Arc::ptr_eq(got, session))
        },
    );
}

/// Copies to the sender's other sessions (§8).
fn sent(_: &Server, sent: &Sent) {
    let account = &sent.session.account;
    if sent.to.bare() == account.jid || sent.fate.copies == Copies::Nobody {
        return;
    }
    copy(
        &account.sessions(),
        Direction::Sent,
        &sent.stanza,
        None,
        false,
        false,
        |session| Arc::ptr_eq(session, &sent.session),
    );
}

fn copy(
    sessions: &[Arc<Session>],
    direction: Direction,
    stanza: &Stanza,
    id: Option<LogId>,
    is_read: bool,
    to_bare: bool,
    has_it: impl Fn(&Arc<Session>) -> bool,
) {
    for session in sessions {
        if !session.has(ENABLED) || has_it(session) {
            continue;
        }
        let bytes = wrap(&session.account.jid, session, direction, stanza);
        // A logged message that this session finds among its undelivered ones needs no copy.
        let live_after = session.state().live_after;
        let available = session.priority().is_some();
        match (id, live_after) {
            (Some(id), Some(after)) if to_bare && id <= after => {}
            (Some(id), Some(_)) if !is_read => session.push(Out::logged(bytes, id)),
            (Some(_), None) if available && to_bare => {}
            _ => session.push(Out::stanza(bytes)),
        }
    }
}

fn wrap(account: &BareJid, to: &Session, direction: Direction, stanza: &Stanza) -> Bytes {
    let mut writer = Writer::new(ns::CLIENT);
    writer.start(ns::CLIENT, "message");
    writer.attr("from", account.as_ref());
    writer.attr("to", to.jid.as_ref());
    if let Some(kind) = stanza.kind() {
        writer.attr("type", &kind);
    }
    writer.raw(&forwarded(stanza, direction));
    writer.end();
    writer.finish()
}
