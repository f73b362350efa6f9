//! What a component has read. XEP-0114 acknowledges nothing, so that a ping goes behind what it is sent (XEP-0199): its
//! answer, whatever it is, says that all before it was read.

use bytes::Bytes;
use waxwing_stanza::xep::xep_0199_ping::Ping;
use waxwing_stanza::{IqType, Payload};
use waxwing_wire::{Element, Stanza, ns};

use crate::connection::Connection;
use crate::session::Session;

/// How long the first ping of a stream may be without an answer. A component that has answered none by then is taken for
/// one that never does: what is written to it counts as read, as with a client that has no stream management.
pub(crate) const FIRST_ANSWER_SECS_MAX: u64 = 30;

/// Beginning of the ids of these pings.
pub(crate) const CONFIRM: &str = "confirm-";

/// Which of what was sent to a component it has read.
#[derive(Debug)]
pub(crate) struct Confirming {
    /// Who pings, and whom.
    from: String,
    to: String,
    /// The number of the ping that has no answer yet, and of the last element before it.
    asked: Option<(u64, u64)>,
    pings: u64,
    /// Whether it has answered none of them, and had the time to.
    silent: bool,
}

impl Confirming {
    pub(crate) fn new(from: &str, to: &str) -> Self {
        Confirming {
            from: from.to_owned(),
            to: to.to_owned(),
            asked: None,
            pings: 0,
            silent: false,
        }
    }

    /// Whether what was written counts as read, since this component never says what it has.
    pub(crate) fn counts_written(&self) -> bool {
        self.silent
    }

    /// The ping behind the first `elements` of all that are sent; none while another has no answer.
    pub(crate) fn ask(&mut self, elements: u64) -> Option<Bytes> {
        if self.asked.is_some() {
            return None;
        }
        self.pings += 1;
        self.asked = Some((self.pings, elements));
        let ping = Element::new(ns::CLIENT, "iq")
            .with_attr("from", &self.from)
            .with_attr("to", &self.to)
            .with_attr("type", "get")
            .with_attr("id", id(self.pings))
            .with_child(Ping {}.write());
        Some(ping.to_bytes(ns::CLIENT))
    }

    /// Whether this is the answer that is waited for; if so, how many elements were read.
    pub(crate) fn answered(&mut self, stanza: &Stanza) -> Option<u64> {
        let (ping, elements) = self.asked?;
        let is_answer = stanza.name() == "iq"
            && IqType::of(stanza).is_ok_and(|kind| !kind.is_request())
            && stanza.to().is_some_and(|to| *to == self.from)
            && stanza.id().is_some_and(|given| *given == id(ping));
        if !is_answer {
            return None;
        }
        self.asked = None;
        self.silent = false;
        Some(elements)
    }

    /// The first ping has had no answer in its time.
    pub(crate) fn gave_none(&mut self) {
        self.silent = true;
    }
}

/// A component was let in: it is pinged before it gets anything, so that it is known early whether it answers.
pub(super) fn begin(connection: &mut Connection, session: &Session) {
    let host = session.jid.domain();
    let Some(domain) = connection
        .server
        .component_settings()
        .get(host)
        .map(|served| served.domain.clone())
    else {
        return;
    };
    connection.confirming = Some(Box::new(Confirming::new(&domain, host)));
    connection.set_deadline(Some(FIRST_ANSWER_SECS_MAX));
    connection.ping_behind(true);
}

/// Whether a stanza is the answer to the ping; what was sent before that is not undelivered any more.
pub(super) fn handle(connection: &mut Connection, stanza: &Stanza) -> bool {
    let confirming = connection.confirming.as_mut();
    let Some(read) = confirming.and_then(|confirming| confirming.answered(stanza)) else {
        return false;
    };
    connection.set_deadline(None);
    connection.received(read);
    connection.ping_behind(false);
    true
}

/// A component has let the time for its first answer pass.
pub(crate) fn gave_no_answer(connection: &mut Connection) {
    if let Some(confirming) = connection.confirming.as_mut() {
        confirming.gave_none();
        let host = &confirming.to;
        tracing::info!(%host, "a component answers no pings: what is written to it counts as delivered");
    }
    connection.settle_written();
}

fn id(ping: u64) -> String {
    format!("{CONFIRM}{ping}")
}
