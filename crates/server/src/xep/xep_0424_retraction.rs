//! XEP-0424: Message Retraction.
//!
//! <https://xmpp.org/extensions/xep-0424.html>
//!
//! A message that takes another one back goes its way like any other; what it takes back goes from the archives with its
//! own commit (`archive/retraction.rs`).

use waxwing_stanza::xep::xep_0424_retraction::{FEATURE_TOMBSTONE, NS};

use crate::addressee::Addressee;
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(424),
    title: "Message Retraction",
    version: "0.4.2",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    for feature in [NS, FEATURE_TOMBSTONE] {
        registrar.disco(&[Addressee::OwnAccount, Addressee::Domain], feature);
    }
}
