//! XEP-0484: Fast Authentication Streamlining Tokens: a device logs in again by what it was given at an earlier log-in. What is
//! stored of a token says nothing without a key that is not in the store (`devices.rs`).
//!
//! <https://xmpp.org/extensions/xep-0484.html>

use crate::devices::TOKENS;
use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Source, Status};

/// For how long a token is good.
pub const TOKEN_DAYS: OptionSpec = OptionSpec {
    name: "token_days",
    default: OptionDefault::Number {
        value: 21,
        min: 0,
        max: 366,
    },
    unit: "days",
    doc: "For how long a device can log in by the token that it was given; whoever comes in the last two thirds of that time is given a new one. With 0 no tokens are given, and those that were are not taken.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(484),
    title: "Fast Authentication Streamlining Tokens",
    version: "0.2.0",
    status: Status::Partial(
        "without the mechanism -UNIQ, which TLS 1.3 has no data for, and early data",
    ),
    options: &[TOKEN_DAYS],
    shapes: || vec![TOKENS.shape()],
    ..Feature::NONE
};
