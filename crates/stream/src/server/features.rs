//! The stream features that negotiation knows by itself. One is a file here and a line in
//! [`FEATURES`]; those that the server brings are in [`Settings::features`](super::Settings).

mod rfc6120_bind;
mod rfc6120_sasl;
mod rfc6120_tls;
mod xep_0198_order;
mod xep_0386_bind2;
mod xep_0388_sasl2;
mod xep_0440_channel_binding;
mod xep_0480_upgrade;
mod xep_0484_fast;
mod xep_0509_pipelining;

use std::sync::Arc;

use bytes::Bytes;
use waxwing_wire::{Element, Stanza};

use super::offers::{Likeness, Offered};
use super::{ExtraFeature, Negotiation, Stage};
use crate::sm::SM;

pub(super) use rfc6120_bind::{Binding, provide_bind};
pub(super) use rfc6120_sasl::{Login, handle_stretched, provide_credentials};
pub use xep_0386_bind2::{Bind2Request, Bound2};
pub(super) use xep_0386_bind2::{provide_bind2, provide_resume};
pub(super) use xep_0388_sasl2::{Sasl2Login, is_part, work_whitespace};
pub(super) use xep_0480_upgrade::upgrade_stored;
pub(super) use xep_0484_fast::{provide_tokens, tokens_stored};

/// In the order in which they are offered.
static FEATURES: [&Feature; 6] = [
    &rfc6120_tls::FEATURE,
    &xep_0440_channel_binding::FEATURE,
    &rfc6120_sasl::FEATURE,
    &xep_0388_sasl2::FEATURE,
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
    let is_managed = negotiation.sasl2.is_managed;
    let like = Likeness::new(
        stage,
        negotiation.framing,
        &negotiation.transport,
        is_managed,
    );
    let settings = negotiation.settings.clone();
    if let Some(offered) = settings.offers.find(&negotiation.domain, like) {
        negotiation.login.set_offer(offered.offer);
        negotiation.sasl2.set_version(offered.version);
        return negotiation.send(offered.features);
    }
    let (features, version) = written(negotiation, stage);
    negotiation.sasl2.set_version(version.clone());
    let offered = Offered {
        features,
        offer: negotiation.login.offer(),
        version,
    };
    negotiation.send(offered.features.clone());
    settings.offers.keep(&negotiation.domain, like, offered);
}

/// What a stream is offered at this stage, and the version of that: a function of what [`Likeness`] has and of the
/// domain.
fn written(negotiation: &mut Negotiation, stage: Stage) -> (Bytes, Option<Arc<str>>) {
    let own = FEATURES
        .into_iter()
        .filter(|feature| feature.stage == stage);
    let mut elements: Vec<Element> = own
        .filter_map(|feature| (feature.element)(negotiation))
        .collect();
    let domain = &negotiation.domain;
    // Who binds a resource together with its log-in sees no features between the two.
    let is_at = |feature: &&ExtraFeature| {
        let late = stage == Stage::Bound && feature.is_at(Stage::Bind, domain);
        feature.is_at(stage, domain) || late
    };
    let extra = negotiation.settings.features.iter().filter(is_at);
    let extra = extra.filter_map(|feature| feature.element.clone());
    // What is enabled is not on offer: a client that took it up once more would be refused (XEP-0198 §3).
    let is_managed = negotiation.sasl2.is_managed;
    elements.extend(extra.filter(|element| !(is_managed && element.ns() == SM)));
    let version = match stage {
        Stage::Login if xep_0388_sasl2::is_offered(negotiation) => {
            let version = xep_0509_pipelining::version(&elements);
            elements.push(xep_0509_pipelining::element(&version));
            Some(version)
        }
        _ => None,
    };
    (negotiation.framing.features(&elements), version)
}
