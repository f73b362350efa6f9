//! XEP-0359: Unique and Stable Stanza IDs.
//!
//! <https://xmpp.org/extensions/xep-0359.html>
//!
//! Ids that claim to be ours are taken out where a message is stamped (`pipeline.rs`), and ours is
//! given where it enters the log (`delivery.rs`): it the log's own id, enciphered (`stanza_id.rs`),
//! since the id is to say nothing else (§5). Ids by others of ours than the recipient go too:
//! whoever trusts that our domain follows these rules must not be deceived (§8).

use waxwing_stanza::xep::xep_0359_stanza_ids::NS;

use crate::addressee::Addressee;
use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(359),
    title: "Unique and Stable Stanza IDs",
    version: "0.7.0",
    register: |registrar| registrar.disco(&[Addressee::OwnAccount, Addressee::Domain], NS),
    ..Feature::NONE
};
