//! XEP-0163: Personal Eventing Protocol: the nodes of an account; the engine is in `pubsub.rs`.
//!
//! <https://xmpp.org/extensions/xep-0163.html>

use waxwing_stanza::xep::xep_0030_disco::Identity;
use waxwing_stanza::xep::xep_0060_pubsub::feature;

use crate::addressee::Addressee;
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(163),
    title: "Personal Eventing Protocol",
    version: "1.2.2",
    register,
    ..Feature::NONE
};

const ACCOUNTS: &[Addressee] = &[Addressee::OwnAccount, Addressee::OtherAccount];

/// What an account can beside what a host can (XEP-0060 §9).
const FEATURES: &[&str] = &[
    "access-presence",
    "auto-subscribe",
    "filtered-notifications",
    "presence-subscribe",
    "pubsub-on-a-jid",
];

fn register(registrar: &mut Registrar<'_>) {
    registrar.identity(ACCOUNTS, &Identity::new("pubsub", "pep", None));
    for name in FEATURES {
        registrar.disco(ACCOUNTS, &feature(name));
    }
}
