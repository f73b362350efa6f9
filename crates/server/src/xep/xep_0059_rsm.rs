//! XEP-0059: Result Set Management, of items of a node.
//!
//! <https://xmpp.org/extensions/xep-0059.html>

use waxwing_stanza::xep::xep_0059_rsm::NS;

use crate::addressee::Addressee;
use crate::hosts::Service;
use crate::registry::{Feature, Registrar, Source, Status};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(59),
    title: "Result Set Management",
    version: "1.0",
    status: Status::Partial("pages by number (§2.6)"),
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.disco(&[Addressee::Host(Service::Pubsub)], NS);
}
