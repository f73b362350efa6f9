//! Resource binding: [RFC 6120 §7](https://www.rfc-editor.org/rfc/rfc6120#section-7).

use waxwing_stanza::xep::rfc6120_bind::Bind;
use waxwing_stanza::{Condition, FullJid, Payload, Reply, StanzaError};
use waxwing_wire::{Stanza, ns};

use super::Feature;
use crate::error::{StreamCondition, StreamError};
use crate::server::{Negotiation, Output, Question, Stage, stanzas};

/// Bindings that may be refused on one stream before it is closed: a client that cannot get its
/// resource takes another or gives up, it does not go on for ever.
pub(in crate::server) const BIND_FAILURES_MAX: u32 = 10;

pub(super) static FEATURE: Feature = Feature {
    stage: Stage::Bind,
    element: |_| {
        Some(
            Bind {
                resource: None,
                jid: None,
            }
            .write(),
        )
    },
    takes: |stanza| stanza.ns() == ns::CLIENT && stanza.name() == "iq" && Bind::is_in(stanza),
    handle,
};

/// Binding of one stream.
#[derive(Default)]
pub(in crate::server) struct Binding {
    /// The request that waits for its answer.
    request: Option<Stanza>,
    jid: Option<FullJid>,
    failures: u32,
}

impl Binding {
    pub(in crate::server) fn jid(&self) -> Option<&FullJid> {
        self.jid.as_ref()
    }

    pub(in crate::server) fn set_jid(&mut self, jid: FullJid) {
        self.jid = Some(jid);
    }
}

fn handle(negotiation: &mut Negotiation, stanza: &Stanza) {
    let to = stanza.to();
    let misplaced = negotiation.stage() != Stage::Bind || !negotiation.is_for_us(to.as_deref());
    if misplaced || stanza.id().is_none() || stanza.kind().is_none() {
        return stanzas::refuse(negotiation, stanza);
    }
    let bind = Payload::find_in(stanza).ok().flatten();
    let proposed = bind.and_then(|bind: Bind| bind.resource);
    let proposed = proposed.filter(|resource| !resource.is_empty());
    let is_proposed = proposed.is_some();
    let resource = proposed.unwrap_or_else(|| negotiation.seed.token());
    let jid = negotiation
        .account()
        .and_then(|account| account.with_resource(&resource).ok());
    negotiation.bind.request = Some(stanza.clone());
    match jid.filter(|_| stanza.kind().as_deref() == Some("set")) {
        Some(jid) => negotiation.ask(
            Question::Bind,
            Output::NeedBind {
                jid,
                proposed: is_proposed,
            },
        ),
        None => provide_bind(negotiation, Err(Condition::BadRequest.into())),
    }
}

pub(in crate::server) fn provide_bind(
    negotiation: &mut Negotiation,
    bound: Result<FullJid, StanzaError>,
) {
    let Some(request) = negotiation.bind.request.take() else {
        return;
    };
    match bound {
        Ok(jid) => {
            let bound = Bind {
                resource: None,
                jid: Some(jid.clone()),
            };
            if let Some(result) = Reply::new(&request).result(Some(&bound.write())) {
                negotiation.send(result);
            }
            negotiation.bind.jid = Some(jid.clone());
            negotiation.outputs.push_back(Output::Bound(jid));
        }
        Err(error) => {
            stanzas::reply_error(negotiation, &request, &error);
            negotiation.bind.failures += 1;
            if negotiation.bind.failures >= BIND_FAILURES_MAX {
                let text = "too many resources were refused";
                negotiation.close(StreamError::new(StreamCondition::PolicyViolation, text));
            }
        }
    }
}
