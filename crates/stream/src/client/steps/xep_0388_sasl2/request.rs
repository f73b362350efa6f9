//! What is asked for together with the log-in.

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0386_bind2::{Offer, Request};
use waxwing_stanza::xep::xep_0388_sasl2::NS;
use waxwing_wire::Element;

use super::Sent;
use crate::client::Settings;
use crate::sm::{Enable, SM};

/// Adds what is wanted and offered: the session to resume, and the resource that is bound if that fails.
pub(super) fn inline(
    element: &mut Element,
    settings: &Settings,
    authentication: &Element,
    sent: &mut Sent,
) {
    let Some(offered) = authentication.child(NS, "inline") else {
        return;
    };
    if let Some(resume) = &settings.resume
        && offered.child(SM, "sm").is_some()
    {
        element.push(resume.write());
        sent.resume = true;
    }
    let wish = settings.sasl2.as_ref().and_then(|own| own.bind.as_ref());
    let offer = Offer::find(offered).ok().flatten();
    let (Some(wish), Some(offer)) = (wish, offer) else {
        return;
    };
    let features = offer.inline.map(|inline| inline.features);
    let features = features.unwrap_or_default();
    let is_offered = |namespace: &str| features.iter().any(|feature| feature.var == namespace);
    let request = Request {
        tag: wish.tag.clone(),
    };
    let mut bind = request.write();
    let enable: Option<&Enable> = settings.stream_management.as_ref();
    if let Some(enable) = enable.filter(|_| is_offered(SM)) {
        bind.push(enable.write());
        sent.enable = true;
    }
    for feature in wish.features.iter().filter(|wish| wish.ns() != SM) {
        if is_offered(feature.ns()) {
            bind.push(feature.clone());
        }
    }
    element.push(bind);
}
