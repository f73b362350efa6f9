//! XEP-0470: Pubsub Attachments, as a service that is fully compliant has them; the nodes are in `pubsub/attachments.rs`.
//!
//! <https://xmpp.org/extensions/xep-0470.html>

use waxwing_stanza::xep::xep_0470_attachments::NS;

use crate::addressee::Addressee;
use crate::hosts::Service;
use crate::pubsub::attachments;
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(470),
    title: "Pubsub Attachments",
    version: "0.2.0",
    shapes: attachments::shapes,
    register,
    ..Feature::NONE
};

const SERVICES: &[Addressee] = &[
    Addressee::Host(Service::Pubsub),
    Addressee::OwnAccount,
    Addressee::OtherAccount,
];

fn register(registrar: &mut Registrar<'_>) {
    registrar.disco(SERVICES, NS);
    registrar.every_node(attachments::changed);
}
