//! XEP-0413: Order-By, of items of a node.
//!
//! <https://xmpp.org/extensions/xep-0413.html>

use waxwing_stanza::xep::xep_0413_order_by::NS;

use crate::addressee::Addressee;
use crate::hosts::Service;
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(413),
    title: "Order-By",
    version: "0.2.1",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.disco(
        &[
            Addressee::Host(Service::Pubsub),
            Addressee::OwnAccount,
            Addressee::OtherAccount,
        ],
        NS,
    );
}
