//! The stream features that negotiation knows by itself. One is a file here and a line in
//! [`FEATURES`]; those that the server brings are in [`Settings::features`](super::Settings).

mod rfc6120_bind;
mod rfc6120_sasl;
mod rfc6120_tls;
mod xep_0198_order;
mod xep_0440_channel_binding;

use bytes::Bytes;
use waxwing_wire::{Element, Stanza};

use super::offers::{Likeness, Offered};
use super::{Negotiation, Stage};

pub(super) use rfc6120_bind::{Binding, provide_bind};
pub(super) use rfc6120_sasl::{Login, handle_stretched, provide_credentials};

/// In the order in which they are offered.
static FEATURES: [&Feature; 5] = [
    &rfc6120_tls::FEATURE,
    &xep_0440_channel_binding::FEATURE,
    &rfc6120_sasl::FEATURE,
    &rfc6120_bind::FEATURE,
    &xep_0198_order::FEATURE,
];

/// Everything about a stream feature.
pub(super) struct Feature {
    /// When it is offered.
    stage: Stage,
    /// Its element in `<stream:features/>`, if there is something to offer.
    element: fn(&mut Negotiation) -> Option<Element>,
    /// Which top-level elements are its own, at any stage.
    takes: fn(&Stanza) -> bool,
    /// Works on one of them, or refuses it at the wrong stage.
    pub(super) handle: fn(&mut Negotiation, &Stanza),
}

/// The feature whose element this is.
pub(super) fn that_takes(stanza: &Stanza) -> Option<&'static Feature> {
    FEATURES.into_iter().find(|feature| (feature.takes)(stanza))
}

/// Sends `<stream:features/>`.
pub(super) fn offer(negotiation: &mut Negotiation) {
    let stage = negotiation.stage();
    let like = Likeness::new(stage, negotiation.framing, &negotiation.transport);
    let settings = negotiation.settings.clone();
    if let Some(Offered { features, offer }) = settings.offers.find(&negotiation.domain, like) {
        negotiation.login.set_offer(offer);
        return negotiation.send(features);
    }
    let offered = Offered {
        features: written(negotiation, stage),
        offer: negotiation.login.offer(),
    };
    negotiation.send(offered.features.clone());
    settings.offers.keep(&negotiation.domain, like, offered);
}

/// What a stream is offered at this stage: a function of what [`Likeness`] has and of the domain.
fn written(negotiation: &mut Negotiation, stage: Stage) -> Bytes {
    let own = FEATURES
        .into_iter()
        .filter(|feature| feature.stage == stage);
    let mut elements: Vec<Element> = own
        .filter_map(|feature| (feature.element)(negotiation))
        .collect();
    let extra = negotiation
        .settings
        .features
        .iter()
        .filter(|feature| feature.is_at(stage, &negotiation.domain));
    elements.extend(extra.filter_map(|feature| feature.element.clone()));
    negotiation.framing.features(&elements)
}
