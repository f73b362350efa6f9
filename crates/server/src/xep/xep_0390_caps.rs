//! XEP-0390: Entity Capabilities 2.0: of which nodes a client wants to be told, by hashes in its presence; see
//! `capabilities.rs`.
//!
//! <https://xmpp.org/extensions/xep-0390.html>

use waxwing_stanza::xep::xep_0390_caps::NS;

use crate::addressee::Addressee;
use crate::registry::{Feature, Registrar, Source, Status};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(390),
    title: "Entity Capabilities 2.0",
    version: "0.3.2",
    status: Status::Partial(
        "hashes of clients; not the server's own, nor optimisation and gratuitous hashes",
    ),
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.disco(&[Addressee::Domain], NS);
}
