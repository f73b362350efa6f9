//! XEP-0490: Message Displayed Synchronization: how far each chat was read, for the account alone.
//!
//! <https://xmpp.org/extensions/xep-0490.html>

use waxwing_stanza::xep::xep_0490_displayed::NODE;

use crate::pubsub::profile::{Name, Profile};
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(490),
    title: "Message Displayed Synchronization",
    version: "1.0.1",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.node(Profile {
        name: Name::Is(NODE),
        // What clients ask for when they publish (§4.1).
        access_model: "whitelist",
        max_items: "max",
        more: &[("send_last_published_item", "never")],
    });
}
