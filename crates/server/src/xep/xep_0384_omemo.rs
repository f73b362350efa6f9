//! XEP-0384: OMEMO Encryption: keys of devices are there for whoever writes to somebody, a stranger too.
//!
//! <https://xmpp.org/extensions/xep-0384.html>

use waxwing_stanza::xep::xep_0384_omemo::{
    NODE_BUNDLES, NODE_BUNDLES_LEGACY, NODE_DEVICES, NODE_DEVICES_LEGACY,
};

use crate::pubsub::profile::{Name, Profile};
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(384),
    title: "OMEMO Encryption",
    version: "0.9.1",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    for (name, max_items) in [
        (Name::Is(NODE_DEVICES_LEGACY), "1"),
        (Name::Begins(NODE_BUNDLES_LEGACY), "1"),
        (Name::Is(NODE_DEVICES), "1"),
        (Name::Is(NODE_BUNDLES), "max"),
    ] {
        registrar.node(Profile {
            name,
            access_model: "open",
            max_items,
            more: &[],
        });
    }
}
