//! XEP-0160: Best Practices for Handling Offline Messages.
//!
//! <https://xmpp.org/extensions/xep-0160.html>
//!
//! What is kept is decided in `keep.rs`, how much in `waiting.rs`; it is sent by `undelivered.rs`, with the time of its
//! receipt (XEP-0203). Both stand on the account's one log.

use crate::addressee::Addressee;
use crate::registry::{Feature, Source};
use crate::waiting;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(160),
    title: "Best Practices for Handling Offline Messages",
    version: "1.0.1",
    options: &[
        waiting::MESSAGES_MAX,
        waiting::BYTES_MAX,
        waiting::STRANGERS_PERCENT,
    ],
    register: |registrar| registrar.disco(&[Addressee::Domain], "msgoffline"),
    ..Feature::NONE
};
