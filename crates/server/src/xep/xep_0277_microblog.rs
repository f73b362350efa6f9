//! XEP-0277: Microblogging over XMPP, as XEP-0472 has it too: feeds of accounts, and comments on them.
//!
//! <https://xmpp.org/extensions/xep-0277.html>

use waxwing_stanza::xep::xep_0277_microblog::{NODE, NODE_COMMENTS};

use crate::pubsub::profile::{Name, Profile};
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(277),
    title: "Microblogging over XMPP",
    version: "0.6.5",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.node(Profile {
        name: Name::Is(NODE),
        // §5.1: more than one, and not all at once.
        access_model: "presence",
        max_items: "max",
        more: &[("send_last_published_item", "never")],
    });
    registrar.node(Profile {
        name: Name::Begins(NODE_COMMENTS),
        // §5.2: whoever reads may comment, where the owner lets them publish.
        access_model: "open",
        max_items: "max",
        more: &[("send_last_published_item", "never")],
    });
}
