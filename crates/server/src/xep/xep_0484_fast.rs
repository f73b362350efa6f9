//! XEP-0484: Fast Authentication Streamlining Tokens: a device logs in again by what it was given at an earlier log-in. What is
//! stored of a token says nothing without a key that is not in the store (`devices.rs`).
//!
//! <https://xmpp.org/extensions/xep-0484.html>

use crate::devices::TOKENS;
use crate::registry::{Feature, Source};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(484),
    title: "Fast Authentication Streamlining Tokens",
    version: "0.2.0",
    shapes: || vec![TOKENS.shape()],
    ..Feature::NONE
};
