//! XEP-0501: Pubsub Stories: what is there for a day.
//!
//! <https://xmpp.org/extensions/xep-0501.html>

use waxwing_stanza::xep::xep_0501_stories::NODE;

use crate::pubsub::profile::{Name, Profile};
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(501),
    title: "Pubsub Stories",
    version: "0.2.0",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.node(Profile {
        name: Name::Is(NODE),
        // §4: for who sees the presence, for a day.
        access_model: "presence",
        max_items: "max",
        more: &[
            ("send_last_published_item", "never"),
            ("item_expire", "86400"),
            ("type", NODE),
        ],
    });
}
