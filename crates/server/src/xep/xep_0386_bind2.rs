//! XEP-0386: Bind 2: a resource together with the log-in, and with it what clients ask for anyway. Which features join in, each
//! says itself (`Registrar::bind2_feature`); it is done in `devices.rs`.
//!
//! <https://xmpp.org/extensions/xep-0386.html>

use crate::registry::{Feature, Source, Status};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(386),
    title: "Bind 2",
    version: "1.1.0",
    status: Status::Partial(
        "what waited is sent, whether a client asks for its archive or not (§3.2)",
    ),
    ..Feature::NONE
};
