//! The steps of negotiation. One is a file here and a line in [`STEPS`], in the order of taking.

mod rfc3921_session;
mod rfc6120_bind;
mod rfc6120_sasl;
mod rfc6120_tls;
mod xep_0077_register;
mod xep_0198_enable;
mod xep_0198_resume;
mod xep_0388_sasl2;

use std::fmt;

use waxwing_stanza::FullJid;
use waxwing_wire::{Element, Stanza};

use super::Negotiation;
use crate::sm::Enabled;

pub(super) use rfc6120_sasl::{Login, handle_stretched};
pub(super) use xep_0388_sasl2::{log_in_ahead, note_offer};

static STEPS: [&Step; 9] = [
    &rfc6120_tls::STEP,
    &xep_0077_register::STEP,
    &xep_0388_sasl2::STEP,
    &rfc6120_sasl::STEP,
    &MANDATORY,
    &xep_0198_resume::STEP,
    &rfc6120_bind::STEP,
    &rfc3921_session::STEP,
    &xep_0198_enable::STEP,
];

/// Everything about a step.
pub(super) struct Step {
    name: &'static str,
    /// Whether it is to be taken, given what the server offers.
    wanted: fn(&Negotiation, &Element) -> bool,
    /// Takes it: says the first word, or why it cannot be taken.
    pub(super) begin: fn(&mut Negotiation, &Element),
    /// Which top-level elements it waits for.
    pub(super) takes: fn(&Negotiation, &Stanza) -> bool,
    /// Works on one of them.
    pub(super) handle: fn(&mut Negotiation, &Stanza),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What the steps after log-in have come to.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Whether the server's header speaks XMPP 1.
    pub(super) version_1: bool,
    pub(super) jid: Option<FullJid>,
    pub(super) resumed: bool,
    register_tried: bool,
    resume_tried: bool,
    session_done: bool,
    enable_tried: bool,
    pub(super) enabled: Option<Enabled>,
}

/// The next step.
pub(super) fn next(negotiation: &Negotiation, features: &Element) -> Option<&'static Step> {
    STEPS
        .into_iter()
        .find(|step| (step.wanted)(negotiation, features))
}

/// No step: the end, where the server insists on a feature that nobody here knows
/// (RFC 6120 §4.3.2).
static MANDATORY: Step = Step {
    name: "mandatory",
    wanted: |_, features| features.children().any(is_unknown_and_mandatory),
    begin: |negotiation, _| {
        let text = "a mandatory feature is not known here";
        negotiation.complain(crate::StreamError::new(
            crate::StreamCondition::UnsupportedFeature,
            text,
        ));
    },
    takes: |_, _| false,
    handle: |_, _| (),
};

fn is_unknown_and_mandatory(feature: &Element) -> bool {
    use waxwing_wire::ns;
    let known = [
        ns::TLS,
        ns::SASL,
        ns::BIND,
        waxwing_stanza::xep::rfc3921_session::NS,
        crate::sm::SM,
    ];
    !known.contains(&feature.ns()) && feature.child(feature.ns(), "required").is_some()
}
