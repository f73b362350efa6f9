//! XEP-0440: SASL Channel-Binding Type Capability, version 1.0.0.
//! <https://xmpp.org/extensions/xep-0440.html>

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0440_channel_binding::{ChannelBinding, SaslChannelBinding};
use waxwing_wire::Element;

use super::Feature;
use crate::sasl::BindingKind;
use crate::server::{Negotiation, Stage};
use crate::transport::Transport;

pub(super) static FEATURE: Feature = Feature {
    stage: Stage::Login,
    element,
    takes: |_| false,
    handle: |_, _| (),
};

/// Offered where a `-PLUS` mechanism is; a client takes one without the other for an attack.
fn element(negotiation: &mut Negotiation) -> Option<Element> {
    let kinds = kinds(negotiation);
    if kinds.is_empty() {
        return None;
    }
    let kinds = kinds.into_iter().map(|kind| ChannelBinding {
        kind: kind.name().to_owned(),
    });
    let feature = SaslChannelBinding {
        kinds: kinds.collect(),
    };
    Some(feature.write())
}

/// The kinds that are offered, if any `-PLUS` mechanism is.
pub(super) fn kinds(negotiation: &Negotiation) -> Vec<BindingKind> {
    match &negotiation.transport {
        Transport::Tls(binding)
            if negotiation
                .settings
                .mechanisms
                .iter()
                .any(|m| m.binds_channel()) =>
        {
            binding.kinds().collect()
        }
        _ => Vec::new(),
    }
}
