//! XEP-0431: Full Text Search in MAM.
//!
//! <https://xmpp.org/extensions/xep-0431.html>
//!
//! What of a message can be found is in `archive/text.rs`, the field of a query in `archive/question.rs`.

use waxwing_stanza::xep::xep_0431_fulltext::NS;

use crate::addressee::Addressee;
use crate::registry::{Feature, Registrar, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(431),
    title: "Full Text Search in MAM",
    version: "0.2.0",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.disco(&[Addressee::OwnAccount], NS);
}
